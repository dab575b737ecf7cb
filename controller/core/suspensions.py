# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is suspended by command: apps, or whole clusters. Kept on disk, so that a restart does not resume it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import Trust
from ansible_collections.plumb.gitops.plugins.module_utils.state.record_store import RecordStore

WHOLE = ""  # in place of an app: the whole cluster


@dataclass(frozen=True, slots=True)
class Suspensions:
    """Pairs of cluster and app; the app is `WHOLE` where the cluster is suspended."""

    pairs: frozenset[tuple[str, str]] = frozenset()

    def holds(self, cluster: str) -> bool:
        """Return whether the whole cluster is suspended."""
        return (cluster, WHOLE) in self.pairs

    def apps(self, cluster: str) -> tuple[str, ...]:
        """Return the apps of the cluster that are suspended one by one."""
        return tuple(sorted(app for of, app in self.pairs if of == cluster and app != WHOLE))

    def with_(self, cluster: str, app: str) -> Suspensions:
        """Return the suspensions with this app suspended, too."""
        return Suspensions(self.pairs | {(cluster, app)})

    def without(self, cluster: str, app: str) -> Suspensions:
        """Return the suspensions with this app resumed; with the whole cluster its apps, too."""
        gone = {(of, other) for of, other in self.pairs if of == cluster and app in {WHOLE, other}}
        return Suspensions(self.pairs - gone)


_STORE = RecordStore[Suspensions](
    kind="plumb.gitops/suspensions",
    version=1,
    encode=lambda suspensions: {"suspended": sorted(map(list, suspensions.pairs))},
    decode=lambda content: Suspensions(frozenset((str(c), str(a)) for c, a in content["suspended"])),
    trust=Trust.STATE,
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
