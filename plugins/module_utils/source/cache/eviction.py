# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may leave the cache: old checkouts after every fetch, and more where the cache is full."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .export import IN_USE
from .repositories import CachedRepository, try_lock

KEEP_LAST = 2  # checkouts of an entry, whatever their age
KEEP_SECONDS = 600.0  # a checkout is kept so long after its last use
KEEP_REF_SECONDS = 7 * 24 * 3600.0  # so long the last checkout of a ref that is not pulled any more
_KEEP_FULL_SECONDS = 60.0  # as KEEP_SECONDS, where the cache is full


@dataclass(frozen=True, slots=True)
class Removable:
    """Something that may go to make space. `locked`: the caller holds its entry's lock already."""

    entry: CachedRepository
    remove: Callable[[], None]
    locked: bool


def clear_old(entry: CachedRepository, now: float) -> None:
    """Clear away checkouts that no ref stands at, nobody used lately and nobody reads; under the entry's lock.

    `now` is `time.time()`: ages come from the files' times.
    """
    used = _by_use(entry)
    followed = _followed(entry, now)
    for when, folder in used[KEEP_LAST:]:
        if now - when > KEEP_SECONDS and not _is_followed(folder, used, followed):
            _clear(folder)
    for left in entry.refs.glob(".*"):
        if now - left.lstat().st_mtime > KEEP_SECONDS:
            left.unlink(missing_ok=True)
    for outcome in entry.outcomes.glob("*"):  # of paths that no app names any more
        if now - outcome.lstat().st_mtime > KEEP_REF_SECONDS:
            outcome.unlink(missing_ok=True)


def removable(own: CachedRepository, others: Sequence[CachedRepository], now: float) -> Iterator[Removable]:
    """Yield what may go to make space for the entry `own`, whose lock is held; what is missed least comes first.

    Never the last good revision of a ref that is pulled, and never what somebody reads.
    """
    ranks: tuple[list[tuple[float, Removable]], ...] = ([], [], [], [], [])
    for entry in (own, *others):
        used, followed = _by_use(entry), _followed(entry, now)
        last_pull = _last_pull(entry)
        for when, folder in used:
            item = Removable(entry, functools.partial(_clear, folder), locked=entry is own)
            if not _is_followed(folder, used, followed):
                if now - when > _KEEP_FULL_SECONDS:
                    ranks[0 if now - when > KEEP_SECONDS else 2].append((when, item))
            elif entry is not own and now - last_pull > KEEP_SECONDS:
                ranks[3].append((when, item))
        if entry is not own and entry.repository.exists():
            repository = Removable(entry, entry.discard_repository, locked=False)
            ranks[1 if now - last_pull > KEEP_SECONDS else 4].append((last_pull, repository))
    for rank in ranks:
        for _when, item in sorted(rank, key=lambda pair: pair[0]):
            yield item


def _by_use(entry: CachedRepository) -> list[tuple[float, Path]]:
    """Return the checkouts of an entry with when each was last used, the latest first."""
    with contextlib.suppress(FileNotFoundError):
        folders = [folder for folder in entry.checkouts.iterdir() if not folder.name.startswith(".")]
        return sorted(((_used(folder), folder) for folder in folders), reverse=True)
    return []


def _used(folder: Path) -> float:
    try:
        return (folder / IN_USE).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _last_pull(entry: CachedRepository) -> float:
    """Return when somebody last pulled one of an entry's refs."""
    times = [0.0]
    for record in entry.refs.glob("*.json"):
        with contextlib.suppress(OSError):
            times.append(record.stat().st_mtime)
    return max(times)


def _followed(entry: CachedRepository, now: float) -> frozenset[str]:
    """Return the commits at which the refs stand that are still pulled."""
    commits: set[str] = set()
    for record in entry.refs.glob("*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            if now - record.stat().st_mtime <= KEEP_REF_SECONDS:
                commits.add(json.loads(record.read_bytes())["commit"])
    return frozenset(commits)


def _is_followed(folder: Path, used: Sequence[tuple[float, Path]], followed: frozenset[str]) -> bool:
    """Return whether a ref stands at this checkout, and no other one of the same commit was used later."""
    commit = _commit(folder)
    return commit in followed and folder == next(other for _when, other in used if _commit(other) == commit)


def _commit(folder: Path) -> str:
    return folder.name.partition("-")[0]


def _clear(folder: Path) -> None:
    try:
        descriptor = os.open(folder / IN_USE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        return
    try:
        if try_lock(descriptor, fcntl.LOCK_EX):
            gone = folder.with_name(f".old-{secrets.token_hex(8)}")
            folder.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
    finally:
        os.close(descriptor)
