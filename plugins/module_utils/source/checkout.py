# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkouts in a cache entry: taking one into use, putting a new one in place, clearing old ones away."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..model.app import Checkout, SourceSpec
from ..model.errors import SourceError
from ..state.file import read_private, write_whole
from .cache import Entry, try_lock
from .command import GitRunner
from .export import IN_USE, export, load
from .remote import RemoteRevision
from .repository import DamagedCacheError, fetch, prepare

KEEP_LAST = 2  # checkouts of an entry, whatever their age
KEEP_SECONDS = 600.0  # a checkout is kept so long after its last use
KEEP_REF_SECONDS = 7 * 24 * 3600.0  # so long the last checkout of a ref that nobody asks for any more


@contextlib.contextmanager
def reading(checkout: Checkout) -> Iterator[None]:
    """Hold a checkout while it is read: no run clears it away meanwhile. Raises SourceError if it is gone already.

    Without this a checkout stays for KEEP_SECONDS after the pull that returned it.
    """
    with _held(checkout.path.parent) as held:
        if not held:
            raise SourceError(
                f"source {checkout.revision.source}",
                f"reading revision {checkout.revision.short}",
                "its checkout is no longer in the cache",
                "Pull again, and read what that returns.",
            )
        yield


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold a checkout's folder as a reader; False where it is not there or just being cleared away."""
    try:
        descriptor = os.open(folder / IN_USE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        yield try_lock(descriptor, fcntl.LOCK_SH) and _still_there(folder / IN_USE, descriptor)
    finally:
        os.close(descriptor)


def _still_there(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def reuse(entry: Entry, spec: SourceSpec, commit: str, resolved: str) -> Checkout | None:
    """The checkout of a commit, if it is there and whole; it counts as used now."""
    folder = entry.checkout(commit)
    with _held(folder) as held:
        checkout = load(folder, spec, resolved) if held else None
        if checkout:
            os.utime(folder / IN_USE)
        return checkout


def obtain(runner: GitRunner, entry: Entry, spec: SourceSpec, remote: RemoteRevision) -> Checkout:
    """Fetch a revision and put its checkout in place; under the entry's lock.

    A damaged cache (a killed fetch, flipped bytes, a stale lock file) is made anew once. Raises SourceError.
    """
    entry.discard_leftovers()
    try:
        return _obtain(runner, entry, spec, remote)
    except DamagedCacheError:
        entry.discard_repository()
        return _obtain(runner, entry, spec, remote)


def _obtain(runner: GitRunner, entry: Entry, spec: SourceSpec, remote: RemoteRevision) -> Checkout:
    prepare(runner, entry.repository, oid_length=len(remote.commit))
    commit = fetch(runner, entry.repository, spec, remote.ref, entry.fetched_ref(spec))
    present = reuse(entry, spec, commit, remote.resolved)  # the ref may have moved back since it was asked
    if present:
        return present
    mark = secrets.token_hex(8)
    new, old = entry.checkouts / f".new-{mark}", entry.checkouts / f".old-{mark}"
    try:
        export(runner, entry.repository, commit, new)
        with contextlib.suppress(FileNotFoundError):
            entry.checkout(commit).rename(old)  # not as it was written, or it would have been reused
        new.rename(entry.checkout(commit))
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    checkout = reuse(entry, spec, commit, remote.resolved)
    if checkout is None:
        raise SourceError(
            f"source {spec.name}",
            f"reading revision {commit[:7]} back",
            "its files are not as they were written a moment ago",
            "See what else writes to the cache, and the disk.",
        )
    return checkout


@dataclass(frozen=True, slots=True)
class Record:
    """The last good revision of a ref."""

    commit: str
    resolved: str  # the tag that a range chose
    refused: str = ""  # the commit to which the ref was rewritten, and which is not followed


def last_good(entry: Entry, spec: SourceSpec) -> Record | None:
    """What is written down of the source's ref; None where nothing is that can be read."""
    try:
        read = json.loads(read_private(entry.record(spec)))
        return Record(str(read["commit"]), str(read["resolved"]), str(read.get("refused", "")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remember(entry: Entry, spec: SourceSpec, good: Record) -> None:
    """Write down the last good revision of the source's ref."""
    record = entry.record(spec)
    text = json.dumps(asdict(good))
    with contextlib.suppress(FileNotFoundError):
        if record.read_text(encoding="utf-8", errors="replace") == text:
            os.utime(record)  # nothing is written for what is known: a full disk does not matter to it
            return
    write_whole(record, text)


def recall(entry: Entry, spec: SourceSpec) -> Checkout | None:
    """The last good revision of the source's ref, or None where there is none or it was cleared away."""
    record = last_good(entry, spec)
    return reuse(entry, spec, record.commit, record.resolved) if record else None


def clear_old(entry: Entry, now: float) -> None:
    """Clear away checkouts that no ref stands at, nobody used lately and nobody reads; under the entry's lock.

    `now` is `time.time()`: ages come from the files' times.
    """
    used = sorted(
        ((_used(folder), folder) for folder in entry.checkouts.iterdir() if not folder.name.startswith(".")),
        reverse=True,
    )
    followed = _followed(entry, now)
    for when, folder in used[KEEP_LAST:]:
        if now - when > KEEP_SECONDS and folder.name not in followed:
            _clear(folder)
    for left in entry.refs.glob(".*"):
        if now - left.lstat().st_mtime > KEEP_SECONDS:
            left.unlink(missing_ok=True)


def _used(folder: Path) -> float:
    try:
        return (folder / IN_USE).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _followed(entry: Entry, now: float) -> frozenset[str]:
    found: set[str] = set()
    for record in entry.refs.glob("*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            if now - record.stat().st_mtime <= KEEP_REF_SECONDS:
                found.add(json.loads(record.read_bytes())["commit"])
    return frozenset(found)


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
