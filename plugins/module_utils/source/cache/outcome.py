# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last pull of a source came to, kept beside its last good revision for runs that pull nothing themselves.

A file is there only where there is something to say: an error, or a warning such as a rewritten ref.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from ...model.app import SourceSpec
from ...model.errors import PlumbError, SourceError
from ...state.record_store import RecordStore, digest_of_texts
from .repositories import CachedRepository


@dataclass(frozen=True, slots=True)
class PullOutcome:
    """Why the last pull failed (`operation`, `reason` and `next_step` of its error, else empty), and its warning."""

    operation: str = ""
    reason: str = ""
    next_step: str = ""
    warning: str = ""

    @classmethod
    def of(cls, error: PlumbError | None, warning: str) -> PullOutcome:
        """Return what a pull came to."""
        if error is None:
            return cls(warning=warning)
        return cls(error.operation, error.reason, error.next_step, warning)

    def error(self, source: str) -> SourceError | None:
        """Return the error, as one of a source of this name; None where there was none."""
        if not self.operation:
            return None
        return SourceError(f"source {source}", self.operation, self.reason, self.next_step)


_STORE = RecordStore[PullOutcome](
    kind="plumb.gitops/pull",
    version=1,
    encode=dataclasses.asdict,
    decode=lambda content: PullOutcome(**{name: str(text) for name, text in content.items()}),
)


def load_outcome(entry: CachedRepository, spec: SourceSpec) -> PullOutcome:
    """Return what the last pull of the source came to; an empty one where there is nothing to say of it."""
    return _STORE.load(_file(entry, spec)) or PullOutcome()


def save_outcome(entry: CachedRepository, spec: SourceSpec, outcome: PullOutcome) -> None:
    """Save what a pull of the source came to. What is known is not written again. Raises OSError."""
    file = _file(entry, spec)
    if outcome == PullOutcome():
        file.unlink(missing_ok=True)
    elif _STORE.load(file) != outcome:
        _STORE.save(file, outcome)


def _file(entry: CachedRepository, spec: SourceSpec) -> Path:
    """Return the file for a source's ref, its paths and all else of it that a pull depends on."""
    ways = (spec.known_hosts_file, spec.ca_file, spec.proxy, spec.allow_http, spec.rewritten.value)
    paths = ("all",) if spec.paths is None else ("some", *sorted(set(spec.paths)))
    name = digest_of_texts(spec.ref_kind.value, spec.ref, *(str(way or "") for way in ways), *paths)
    return entry.outcomes / f"{name}.json"
