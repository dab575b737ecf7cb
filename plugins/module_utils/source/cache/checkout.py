# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkouts in a cache entry: using one that is there, and making a new one."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ...model.app import Checkout, SourceSpec
from ...model.errors import SourceError
from ...state.file import read_private, write_whole
from ..git.command import GitRunner
from ..git.remote import RemoteRevision
from ..git.repository import DamagedCacheError, TooLargeError, commit_of, fetch, prepare
from .export import FILES, IN_USE, Export, choose_files, export, files_of, is_intact, load
from .repositories import CachedRepository, try_lock
from .selection import References
from .space import Space

_LINKED = 2  # checkouts whose files a new one shares


@dataclass(frozen=True, slots=True)
class CheckoutRecord:
    """The last good revision of a ref."""

    commit: str
    resolved: str  # the tag that a range chose
    refused: str = ""  # the commit to which the ref was rewritten, and which is not followed


@dataclass(frozen=True, slots=True)
class CacheRules:
    """How much the cache may take, and how files of a revision refer to others that are to be checked out with them."""

    space: Space
    references: References = field(default_factory=References)


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
        yield try_lock(descriptor, fcntl.LOCK_SH) and _is_same_file(folder / IN_USE, descriptor)
    finally:
        os.close(descriptor)


def _is_same_file(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def reuse(entry: CachedRepository, spec: SourceSpec, commit: str, resolved: str) -> Checkout | None:
    """Return the checkout of a commit, if it is there and whole; it counts as used now."""
    folder = entry.checkout(spec, commit)
    with _held(folder) as held:
        checkout = load(folder, spec, resolved) if held else None
        if checkout:
            os.utime(folder / IN_USE)
        return checkout


def obtain(
    runner: GitRunner, entry: CachedRepository, spec: SourceSpec, remote: RemoteRevision, rules: CacheRules
) -> Checkout:
    """Fetch a revision and make its checkout; under the entry's lock.

    A damaged cache (a killed fetch, flipped bytes, a stale lock file) is made anew once. Raises SourceError.
    """
    entry.discard_leftovers()
    try:
        return _obtain(runner, entry, spec, remote, rules)
    except DamagedCacheError:
        entry.discard_repository()
        return _obtain(runner, entry, spec, remote, rules)


def _obtain(
    runner: GitRunner, entry: CachedRepository, spec: SourceSpec, remote: RemoteRevision, rules: CacheRules
) -> Checkout:
    prepare(runner, entry.repository, oid_length=len(remote.commit))
    commit = _fetched(runner, entry, spec, remote, rules.space)
    present = reuse(entry, spec, commit, remote.resolved)  # the ref may have moved back since it was resolved
    return present or write_checkout(runner, entry, spec, CheckoutRecord(commit, remote.resolved), rules)


def _fetched(
    runner: GitRunner, entry: CachedRepository, spec: SourceSpec, remote: RemoteRevision, space: Space
) -> str:
    """Return the commit of a ref, fetched unless it was before; no more is written than the cache has space for."""
    if commit_of(runner, entry.repository, entry.fetched_ref(spec)) == remote.commit:
        return remote.commit
    with space.share(entry, all_of_it=False) as space_left, contextlib.suppress(TooLargeError):
        return fetch(runner, entry.repository, spec, remote.ref, entry.fetched_ref(spec), largest=space_left)
    # Once more, with all that there is; what earlier fetches brought is worth less than the newest commit.
    entry.discard_repository()
    prepare(runner, entry.repository, oid_length=len(remote.commit))
    with space.share(entry, all_of_it=True) as space_left:
        try:
            return fetch(
                runner, entry.repository, spec, remote.ref, entry.fetched_ref(spec), largest=space_left
            )
        except TooLargeError as exc:
            entry.discard_repository()
            raise space.full(exc.subject, exc.operation) from exc


def write_checkout(
    runner: GitRunner, entry: CachedRepository, spec: SourceSpec, revision: CheckoutRecord, rules: CacheRules
) -> Checkout:
    """Write a commit that was fetched as the checkout for a source's paths; under the entry's lock.

    Raises DamagedCacheError where the commit or what it names is not in the repository, SourceError.
    """
    commit, mark = revision.commit, secrets.token_hex(8)
    new, old = entry.checkouts / f".new-{mark}", entry.checkouts / f".old-{mark}"
    folder = entry.checkout(spec, commit)
    selection = choose_files(runner, entry.repository, commit, spec.paths, rules.references)
    try:
        with _newest(entry) as known:
            wanted = Export(commit, selection, known)
            with rules.space.reserved(entry, runner.subject, wanted.size):
                export(runner, entry.repository, wanted, new)
        with contextlib.suppress(FileNotFoundError):
            folder.rename(old)  # not as it was written, or it would have been reused
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    checkout = reuse(entry, spec, commit, revision.resolved)
    if checkout is None:
        raise SourceError(
            f"source {spec.name}",
            f"reading revision {commit[:7]} back",
            "its files are not as they were written a moment ago",
            "Check what else writes to the cache, and the disk.",
        )
    return checkout


@contextlib.contextmanager
def _newest(entry: CachedRepository) -> Iterator[dict[tuple[str, bool], str]]:
    """Yield the files of the newest intact checkouts, to link to; these checkouts stay meanwhile."""
    folders = [folder for folder in entry.checkouts.iterdir() if (folder / FILES).is_dir()]
    newest = sorted(folders, key=lambda folder: (folder / FILES).lstat().st_mtime_ns, reverse=True)
    files: dict[tuple[str, bool], str] = {}
    with contextlib.ExitStack() as held:
        for folder in newest[:_LINKED]:
            if held.enter_context(_held(folder)) and is_intact(folder):
                files = files_of(folder) | files
        yield files


def load_last_good(entry: CachedRepository, spec: SourceSpec) -> CheckoutRecord | None:
    """Return the record of the source's ref; None where there is none that can be read."""
    try:
        read = json.loads(read_private(entry.record(spec)))
        return CheckoutRecord(str(read["commit"]), str(read["resolved"]), str(read.get("refused", "")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def save_last_good(entry: CachedRepository, spec: SourceSpec, good: CheckoutRecord) -> None:
    """Write down the last good revision of the source's ref."""
    record = entry.record(spec)
    text = json.dumps(asdict(good))
    with contextlib.suppress(FileNotFoundError):
        if record.read_text(encoding="utf-8", errors="replace") == text:
            os.utime(record)  # nothing is written for what is known: a full disk does not matter to it
            return
    write_whole(record, text)


def load_last_checkout(entry: CachedRepository, spec: SourceSpec) -> Checkout | None:
    """Return the checkout of the ref's last good revision; None where there is none or it was cleared away."""
    record = load_last_good(entry, spec)
    return reuse(entry, spec, record.commit, record.resolved) if record else None
