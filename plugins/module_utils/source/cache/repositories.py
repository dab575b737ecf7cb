# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache on disk: who may use it, where things lie in it, and the locks that keep runs apart.

CACHE/                     of the user who runs this, not writable by others
  ENTRY/            0700   one address with one set of credentials
    lock                   held by the run that fetches
    repository.git/        what was fetched; thrown away and made anew whenever it is damaged
    refs/DIGEST.json       the last good revision of each ref that is followed
    outcomes/DIGEST.json   why the last pull of a ref failed, or what it warned of
    checkouts/COMMIT/      one revision, or COMMIT-DIGEST/ for some of its paths: files/, revision.json, listing and
                           in-use, which readers lock
    reserved               how many bytes the run that holds the lock may be about to write
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...model.app import SourceSpec
from ...model.errors import InputError, SourceError
from ...state.folder import private_folder
from ...state.record_store import digest_of_texts
from ..git.command import Limits

_MAX_PACKS = 50  # after so many fetches the repository is fetched anew: nothing else ever shrinks it
_KEY = re.compile(r"[0-9a-f]{32}")
_LOCK_POLL = 0.05  # seconds
LOCK_WAIT = 120.0  # seconds; another run's fetch of the same repository may be under way


def open_cache(path: Path) -> Path:
    """Return the cache directory, made with mode 0700 where there is none.

    Raises InputError where it is a link, belongs to someone else or can be written by others: who can write there
    decides what is applied to clusters.
    """
    if not path.is_absolute() or not str(path).isprintable():
        raise _unusable(path, "it is not an absolute path")
    try:
        return private_folder(path)
    except FileExistsError as exc:
        raise _unusable(path, "it is not a directory") from exc
    except OSError as exc:
        raise _unusable(path, exc.strerror or str(exc)) from exc


def _unusable(path: Path, reason: str) -> InputError:
    return InputError(
        f"cache {path}",
        "opening the cache of sources",
        reason,
        "Name a directory that belongs to the user who runs this, with mode 0700, or one that does not exist yet.",
    )


@dataclass(frozen=True, slots=True)
class CachedRepository:
    """The part of the cache for one address and one set of credentials."""

    root: Path

    @property
    def repository(self) -> Path:
        """The bare repository."""
        return self.root / "repository.git"

    @property
    def checkouts(self) -> Path:
        """The folder of the checkouts."""
        return self.root / "checkouts"

    @property
    def refs(self) -> Path:
        """The folder of the records of refs."""
        return self.root / "refs"

    @property
    def outcomes(self) -> Path:
        """The folder of what pulls came to."""
        return self.root / "outcomes"

    def checkout(self, spec: SourceSpec, commit: str) -> Path:
        """Return where a revision lies, or would, with the paths that the source's apps name."""
        if spec.paths is None:
            return self.checkouts / commit
        return self.checkouts / f"{commit}-{digest_of_texts(*sorted(set(spec.paths)))[:12]}"

    def record(self, spec: SourceSpec) -> Path:
        """Return where the last good revision of a source's ref is written down."""
        return self.refs / f"{digest_of_texts(spec.ref_kind.value, spec.ref)}.json"

    def fetched_ref(self, spec: SourceSpec) -> str:
        """Return the name in the repository under which a source's ref is kept."""
        return f"refs/plumb/{digest_of_texts(spec.ref_kind.value, spec.ref)}"

    def discard_repository(self) -> None:
        """Throw the fetched objects away; checkouts stay."""
        if self.repository.is_dir() and not self.repository.is_symlink():
            shutil.rmtree(self.repository)
        else:
            self.repository.unlink(missing_ok=True)

    def discard_leftovers(self) -> None:
        """Clear what a killed run left behind; only under the entry's lock."""
        for left in self.checkouts.glob(".*"):
            shutil.rmtree(left)
        packs = self.repository / "objects" / "pack"
        if any(packs.glob("tmp_*")) or len(list(packs.glob("*.pack"))) > _MAX_PACKS:
            self.discard_repository()


def entries(cache: Path) -> list[CachedRepository]:
    """Return all entries of a cache."""
    return [CachedRepository(folder) for folder in sorted(cache.iterdir()) if _KEY.fullmatch(folder.name)]


def open_entry(cache: Path, spec: SourceSpec) -> CachedRepository:
    """Return the entry of a source; its folders are made where there are none.

    Credentials are part of its key: who may not read a repository does not find it in the cache of who may.
    """
    key = digest_of_texts(spec.url, spec.username, str(spec.token_file or ""), str(spec.ssh_key_file or ""))
    entry = CachedRepository(cache / key)
    for folder in (entry.root, entry.checkouts, entry.refs):
        private_folder(folder)
    return entry


@contextlib.contextmanager
def exclusive(entry: CachedRepository, subject: str, limits: Limits) -> Iterator[int]:
    """Hold the entry alone; gives the lock's descriptor. Raises SourceError if others do not let go in time."""
    descriptor = os.open(entry.root / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while not try_lock(descriptor, fcntl.LOCK_EX):
            if limits.left() <= 0 or limits.cancelled.is_set():
                raise SourceError(
                    subject,
                    "waiting for another run that fetches the same repository",
                    "it did not end in time",
                    "Look for a git or an agent that hangs, or run again.",
                )
            time.sleep(_LOCK_POLL)
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take `fcntl.LOCK_SH` or `LOCK_EX` without waiting; whether that went well."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as exc:
        if exc.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True
