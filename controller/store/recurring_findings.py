# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings that a run has in common with the one before it, so that a retry counts nothing twice. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FindingSet:
    """Objects with the same kind of finding: how many, and the names of some (of all, where they are few)."""

    count: int = 0
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> FindingSet:
        """Return the set from a summary's content."""
        return cls(int(content.get("count", 0)), frozenset(content.get("names", ())))

    def new_since(self, before: FindingSet) -> int:
        """Return how many of them are not among those of `before`; of more than are named, how many there are more."""
        if len(self.names) == self.count and len(before.names) == before.count:
            return len(self.names - before.names)
        return max(0, self.count - before.count)


@dataclass(frozen=True, slots=True)
class AppFindings:
    """The findings of one app that remain after a run: the next one has them again unless somebody acts."""

    failing: FindingSet = field(default_factory=FindingSet)
    refused: FindingSet = field(default_factory=FindingSet)
    drifted: FindingSet = field(default_factory=FindingSet)  # and not reverted
    # The same by kind and manager.
    by_manager: Mapping[tuple[str, str], FindingSet] = field(default_factory=dict)


def findings_after(app: Mapping[str, Any]) -> AppFindings:
    """Return what remains after a run, from its summary of the app (reports.summary_of)."""
    findings = app.get("found", {})
    return AppFindings(
        failing=FindingSet.of(findings.get("failing", {})),
        refused=FindingSet.of(findings.get("refused", {})),
        drifted=FindingSet.of(findings.get("left", {})),
        by_manager={
            (drift["kind"], drift["manager"]): FindingSet.of(drift.get("left", {}))
            for drift in app.get("drift", ())
        },
    )
