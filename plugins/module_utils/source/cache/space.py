# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bound of the cache in bytes: what is in it, what is about to come, and what goes to make space.

Whoever is about to write reserves the bytes first, and Git writes no larger file than that. Reservations are files in
the entries, believed while their entry is locked, so that runs side by side do not take the same space twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...model.errors import SourceError
from .eviction import Removable, removable
from .repositories import CachedRepository, entries, try_lock

DEFAULT_BYTES = 1 << 30
_RESERVED = "reserved"
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Space:
    """A cache and how many bytes it may take on disk."""

    cache: Path
    size: int = DEFAULT_BYTES

    @contextlib.contextmanager
    def reserved(self, entry: CachedRepository, subject: str, needed: int) -> Iterator[None]:
        """Hold so many bytes for an entry whose lock is held. Raises SourceError where there is no space for them."""
        with self._counting():
            left = self._make_space(entry, needed)
            if left < needed:
                raise self.full(subject, "making space in the cache", needed)
            _reserve(entry, needed)
        with _released(entry):
            yield

    @contextlib.contextmanager
    def share(self, entry: CachedRepository, *, all_of_it: bool) -> Iterator[int]:
        """Hold a part of what is left for a fetch of which nobody knows the size; gives the bytes.

        Half, so that others find some too; with `all_of_it` also what can be had by clearing away all that may go.
        """
        with self._counting():
            left = self._make_space(entry, self.size if all_of_it else self.size // 4)
            amount = left if all_of_it else left // 2
            _reserve(entry, amount)
        with _released(entry):
            yield max(amount, 0)

    def full(self, subject: str, operation: str, needed: int = 0) -> SourceError:
        """Return the error for what does not fit."""
        wants = f"{_mib(needed)} MiB are needed, and " if needed else ""
        return SourceError(
            subject,
            operation,
            f"{wants}the cache of sources may take {_mib(self.size)} MiB (cache_size)",
            "Raise cache_size (plumb_cache_size) if the disk has space, let apps name smaller folders, or keep what is"
            " applied to clusters in a repository of its own.",
        )

    def used(self) -> int:
        """Return bytes that the cache takes on disk; what several names lead to counts once."""
        seen: set[int] = set()
        total, waiting = 0, [str(self.cache)]
        while waiting:
            with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
                for item in entries:
                    with contextlib.suppress(OSError):  # another run may just have removed it
                        status = item.stat(follow_symlinks=False)
                        if stat.S_ISDIR(status.st_mode):
                            waiting.append(item.path)
                        elif status.st_nlink > 1:
                            if status.st_ino in seen:
                                continue
                            seen.add(status.st_ino)
                        total += status.st_blocks * 512
        return total

    @contextlib.contextmanager
    def _counting(self) -> Iterator[None]:
        """One at a time counts and reserves; nothing is waited for meanwhile."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.cache / "space.lock", flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _make_space(self, entry: CachedRepository, needed: int) -> int:
        """Clear away, oldest first, until so many bytes are left or nothing more may go; the bytes that are left."""
        others = [other for other in entries(self.cache) if other.root != entry.root]
        taken = sum(map(_reservation, others))
        left = self.size - self.used() - taken
        if left >= needed:
            return left
        for item in removable(entry, others, time.time()):
            if _remove(item):
                left = self.size - self.used() - taken
            if left >= needed:
                break
        return left


def _remove(item: Removable) -> bool:
    """Clear something away under its entry's lock; False where another run holds that."""
    if item.locked:
        item.remove()
        return True
    with _lock_of(item.entry) as held:
        if held:
            item.remove()
        return held


@contextlib.contextmanager
def _lock_of(entry: CachedRepository) -> Iterator[bool]:
    try:
        descriptor = os.open(
            entry.root / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
    except OSError:
        yield False
        return
    try:
        yield try_lock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def _reserve(entry: CachedRepository, amount: int) -> None:
    (entry.root / _RESERVED).write_text(str(max(amount, 0)), encoding="ascii")


@contextlib.contextmanager
def _released(entry: CachedRepository) -> Iterator[None]:
    try:
        yield
    finally:
        (entry.root / _RESERVED).unlink(missing_ok=True)


def _reservation(entry: CachedRepository) -> int:
    """Return bytes that another run has reserved; what a killed one left counts for nothing."""
    try:
        amount = int((entry.root / _RESERVED).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
    with _lock_of(entry) as free:
        return 0 if free else amount


def _mib(size: int) -> str:
    return f"{size / _MIB:.1f}".removesuffix(".0")
