# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is suspended by command: apps, or whole clusters. Kept on disk, so that a restart does not resume it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import Trust
from ansible_collections.plumb.gitops.plugins.module_utils.state.record_store import RecordStore

WHOLE = ""  # in place of an app: the whole cluster

Target = tuple[str, str]  # a cluster, and an app of it or `WHOLE`


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """Why something is suspended, and by whom. Times are seconds since the epoch; `until` 0: until it is resumed."""

    reason: str = ""
    by: str = ""
    since: float = 0.0
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Suspensions:
    """What is suspended, by cluster and app; the app is `WHOLE` where the cluster is suspended."""

    by_target: Mapping[Target, Suspension] = field(default_factory=dict)

    def holds(self, cluster: str) -> bool:
        """Return whether the whole cluster is suspended."""
        return (cluster, WHOLE) in self.by_target

    def apps(self, cluster: str) -> tuple[str, ...]:
        """Return the apps of the cluster that are suspended one by one."""
        return tuple(sorted(app for of, app in self.by_target if of == cluster and app != WHOLE))

    def of_cluster(self, cluster: str) -> dict[str, Suspension]:
        """Return the suspensions of the cluster by app, that of the whole cluster (`WHOLE`) first."""
        return {app: each for (of, app), each in sorted(self.by_target.items()) if of == cluster}

    def overdue(self, now: float) -> tuple[Target, ...]:
        """Return what was suspended until a time that has passed."""
        return tuple(sorted(target for target, each in self.by_target.items() if 0 < each.until <= now))

    def with_(self, cluster: str, app: str, suspension: Suspension | None = None) -> Suspensions:
        """Return the suspensions with this app suspended, too; instead of how it was suspended before."""
        return Suspensions({**self.by_target, (cluster, app): suspension or Suspension()})

    def without(self, cluster: str, app: str) -> Suspensions:
        """Return the suspensions with this app resumed; with the whole cluster its apps, too."""
        return self.without_targets(
            *((of, other) for of, other in self.by_target if of == cluster and app in {WHOLE, other})
        )

    def without_targets(self, *targets: Target) -> Suspensions:
        """Return the suspensions without exactly these."""
        return Suspensions({target: each for target, each in self.by_target.items() if target not in targets})


def suspension_text(suspension: Mapping[str, str]) -> str:
    """Return a suspension for people, from its fields as JSON (http.status.shown_suspensions)."""
    words = ["suspended"]
    words += [f"{word} {suspension[field]}" for word, field in _TEXT if suspension.get(field)]
    reason = f": {suspension['reason']}" if suspension.get("reason") else ""
    return f"{' '.join(words)}{reason}"


_TEXT = (("by", "by"), ("since", "since"), ("until", "until"))


def _encode(suspensions: Suspensions) -> dict[str, Any]:
    """Return the content of the file. Version 0.1.0 reads `suspended`, and drops `details` when it writes."""
    by_target = sorted(suspensions.by_target.items())
    return {
        "suspended": [list(target) for target, _suspension in by_target],
        "details": [[*target, asdict(each)] for target, each in by_target if each != Suspension()],
    }


def _decode(content: Mapping[str, Any]) -> Suspensions:
    by_target = {(str(cluster), str(app)): Suspension() for cluster, app in content["suspended"]}
    for cluster, app, fields in content.get("details", ()):
        if (cluster, app) in by_target:
            by_target[cluster, app] = Suspension(
                reason=str(fields["reason"]),
                by=str(fields["by"]),
                since=float(fields["since"]),
                until=float(fields["until"]),
            )
    return Suspensions(by_target)


_STORE = RecordStore[Suspensions](
    kind="plumb.gitops/suspensions", version=1, encode=_encode, decode=_decode, trust=Trust.STATE
)


def read_suspensions(file: Path) -> Suspensions:
    """Read what is suspended. Raises InputError for a file that cannot be read: nothing is resumed by accident."""
    suspensions = _STORE.load(file)
    if suspensions is None and file.exists():
        newer = _STORE.is_newer(file)
        raise InputError(
            f"suspensions {file}",
            "reading the suspensions",
            "it was written by a newer version" if newer else "the file is not as it was written",
            ("Install that version again, or remove the file" if newer else "Remove it")
            + ", which resumes everything, and suspend again what must stay suspended.",
        )
    return suspensions or Suspensions()


def write_suspensions(file: Path, suspensions: Suspensions) -> None:
    """Write what is suspended. Raises OSError."""
    _STORE.save(file, suspensions)
