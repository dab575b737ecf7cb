# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run found that the one before had found already, so that a retry counts nothing twice. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FindingSet:
    """Objects that something is the matter with: how many, and the names of some (of all, where they are few)."""

    count: int = 0
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> FindingSet:
        """From what a summary says."""
        return cls(int(content.get("count", 0)), frozenset(content.get("names", ())))

    def new_since(self, before: FindingSet) -> int:
        """How many of them are not among those of `before`; of more than are named, how many there are more."""
        if len(self.names) == self.count and len(before.names) == before.count:
            return len(self.names - before.names)
        return max(0, self.count - before.count)


@dataclass(frozen=True, slots=True)
class AppFindings:
    """What stands of one app after a run: it is found again by the next one unless somebody acts."""

    failing: FindingSet = field(default_factory=FindingSet)
    refused: FindingSet = field(default_factory=FindingSet)
    drifted: FindingSet = field(default_factory=FindingSet)  # and not reverted
    by_manager: Mapping[tuple[str, str], FindingSet] = field(
        default_factory=dict
    )  # the same by kind and manager


def findings_after(app: Mapping[str, Any]) -> AppFindings:
    """What stands after a run, by its summary of the app (reports.summary_of)."""
    found = app.get("found", {})
    return AppFindings(
        failing=FindingSet.of(found.get("failing", {})),
        refused=FindingSet.of(found.get("refused", {})),
        drifted=FindingSet.of(found.get("left", {})),
        by_manager={
            (one["kind"], one["manager"]): FindingSet.of(one.get("left", {})) for one in app.get("drift", ())
        },
    )
