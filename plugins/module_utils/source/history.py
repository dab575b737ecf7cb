# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a ref was rewritten: whether what it stood at belongs to the past of what it stands at now.

A checkout is fetched without history. Its commit names its parents, which answers for a push of one commit and for a
merge; else commits are fetched, without their files, into a repository that is thrown away.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from ..model.app import RefKind, SourceSpec
from ..model.errors import SourceError
from .cache.checkout import CheckoutRecord
from .cache.repositories import CachedRepository
from .cache.space import Space
from .git.command import GitRunner
from .git.fsck import UNCHECKED
from .git.git_errors import failure
from .git.remote import RemoteRevision
from .git.repository import prepare

_NEAR = "--depth=100"  # commits that are fetched first, before all are
_OPERATION = "asking for the history of its ref"


def was_rewritten(
    runner: GitRunner,
    entry: CachedRepository,
    spec: SourceSpec,
    last: CheckoutRecord,
    now: RemoteRevision,
    *,
    space: Space,
) -> bool:
    """Return whether a ref that stood at `last` was rewritten to be at `now`; under the entry's lock.

    A branch is rewritten if its last commit is no ancestor of the new one, a tag if it moves at all. A range that
    chooses another tag is not rewritten, and a commit never is. Raises SourceError where that cannot be found out.
    """
    if last.commit == now.commit or spec.ref_kind is RefKind.COMMIT:
        return False
    if spec.ref_kind is RefKind.SEMVER:
        return last.resolved == now.resolved
    if spec.ref_kind is RefKind.TAG:
        return True
    if last.commit in _parents(runner, entry.repository, now.commit):
        return False
    for depth in ((_NEAR,), ()):
        with space.share(entry, all_of_it=False) as space_left:
            commits, whole = _past(runner, entry, spec, now, depth, largest=space_left)
        if last.commit in commits:
            return False
        if whole:
            break
    return True


def _parents(runner: GitRunner, repository: Path, commit: str) -> list[str]:
    """Return the parents that a commit names; none where it is not in the repository (any more)."""
    shown = runner.run(("cat-file", "commit", commit), operation=_OPERATION, repository=repository)
    head = shown.output.partition(b"\n\n")[0].decode("ascii", "replace")
    return [line.removeprefix("parent ") for line in head.split("\n") if line.startswith("parent ")]


def _check(runner: GitRunner, repository: Path) -> None:
    """Check what came as a fetch without a filter does."""
    words = ("fsck", "--no-dangling", "--no-progress", "--no-reflogs")
    checked = runner.run(words, operation=_OPERATION, repository=repository)
    if checked.status != 0:
        raise failure(runner.subject, _OPERATION, checked.stderr)


def _past(
    runner: GitRunner,
    entry: CachedRepository,
    spec: SourceSpec,
    now: RemoteRevision,
    depth: tuple[str, ...],
    *,
    largest: int,
) -> tuple[frozenset[str], bool]:
    """Return the new commit with its ancestors down to a depth, and whether these are all."""
    folder = entry.checkouts / f".history-{secrets.token_hex(8)}"
    try:
        prepare(runner, folder, oid_length=len(now.commit))
        options = (
            "--quiet",
            "--filter=tree:0",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
        )
        fetched = runner.run(
            (
                "fetch",
                *options,
                *depth,
                "--no-auto-maintenance",
                "--",
                spec.url,
                f"+{now.ref}:refs/plumb/now",
            ),
            operation=_OPERATION,
            repository=folder,
            settings=UNCHECKED,
            largest_file=largest,
        )
        if fetched.status != 0:
            raise failure(runner.subject, _OPERATION, fetched.stderr)
        _check(runner, folder)
        listed = runner.run(("rev-list", now.commit, "--"), operation=_OPERATION, repository=folder)
        if listed.status != 0:
            raise SourceError(
                runner.subject,
                _OPERATION,
                f"{now.commit[:7]} is not in it: the ref moved meanwhile",
                "Run again.",
            )
        return frozenset(listed.output.decode("ascii").split()), not (folder / "shallow").exists()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
