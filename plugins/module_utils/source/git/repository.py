# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bare repository of a cache entry: fetching one ref into it, and reading its objects with their hashes checked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...model.app import RefKind, SourceSpec
from ...model.errors import SourceError
from .command import GitRunner, RunningGit
from .git_errors import failure, meaning_of

MAX_FILE_BYTES = 16 << 20  # of one; no renderer reads a larger one
LINK, SUBMODULE = 0o120000, 0o160000  # modes that `stat` has no names for, or others
_MOST_READ = 1 << 30
_OVERHEAD = 64 << 20  # trees and commits beside the files
_ENTRY = re.compile(
    rb"([0-7]{6}) (blob|tree|commit) ([0-9a-f]{40}|[0-9a-f]{64}) +([0-9]+|-)\t(.+)", re.DOTALL
)
_HEADER = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64}) (blob|tree|commit) ([0-9]+)")


class DamagedCacheError(SourceError):
    """What was fetched earlier does not read as Git wrote it: the entry's repository must be made anew."""


class TooLargeError(SourceError):
    """What the server sends does not fit into what may be written of it."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file, link, folder or submodule of a revision; `size` is 0 for the latter two."""

    mode: int
    oid: str
    size: int
    path: bytes


def prepare(runner: GitRunner, repository: Path, *, oid_length: int) -> None:
    """Make the bare repository if there is none; without templates, so without hooks."""
    if (repository / "HEAD").is_file() and (repository / "objects").is_dir():
        return
    object_format = "sha256" if oid_length == 64 else "sha1"
    operation = "making the cache's repository"
    made = runner.run(
        ("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}"),
        operation=operation,
        repository=repository,
    )
    if made.status != 0:
        raise _damaged_or_known(runner, operation, made.stderr)


def fetch(
    runner: GitRunner,
    repository: Path,
    spec: SourceSpec,
    remote_ref: str,
    local_ref: str,
    *,
    largest: int,
) -> str:
    """Fetch one ref, or one commit by its id, without history; returns the commit it is now.

    `largest` is how many bytes the pack may have: TooLargeError for more, and nothing of it stays. Raises
    DamagedCacheError where the repository may be the cause, else SourceError.
    """
    operation = f"fetching {spec.ref_kind.value} {spec.ref}"
    options = ("--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
    fetched = runner.run(
        ("fetch", *options, "--no-auto-maintenance", "--", spec.url, f"+{remote_ref}:{local_ref}"),
        operation=operation,
        repository=repository,
        largest_file=largest,
    )
    if fetched.status != 0:
        _raise_if_too_large(runner, repository, operation, largest)
        raise _damaged_or_known(runner, operation, fetched.stderr)
    operation = "reading what was fetched"
    commit = commit_of(runner, repository, local_ref)
    if not commit:
        raise DamagedCacheError(
            runner.subject, operation, "the ref does not lead to a commit", "Name a branch, tag or commit."
        )
    if spec.ref_kind is RefKind.COMMIT and commit != remote_ref:
        raise SourceError(
            runner.subject, operation, "this is the id of a tag, not of a commit", f"Write commit: {commit}."
        )
    return commit


def _raise_if_too_large(runner: GitRunner, repository: Path, operation: str, largest: int) -> None:
    """Clear half a pack away; raise TooLargeError where it has grown as far as it may. Git itself does not say so."""
    halves = [*(repository / "objects" / "pack").glob("tmp_*")]
    size = max((half.stat().st_size for half in halves), default=0)
    for half in halves:
        half.unlink(missing_ok=True)
    if size >= largest // 512 * 512:
        raise TooLargeError(runner.subject, operation, f"it is larger than {largest} bytes")


def commit_of(runner: GitRunner, repository: Path, ref: str) -> str:
    """Return the commit that a ref of the repository leads to; empty where there is none."""
    parsed = runner.run(
        ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"),
        operation="reading what was fetched",
        repository=repository,
    )
    commit = parsed.output.decode("ascii", "replace").strip()
    is_commit = parsed.status == 0 and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit)
    return commit if is_commit else ""


def list_tree(runner: GitRunner, repository: Path, commit: str) -> tuple[TreeEntry, ...]:
    """Return everything that a commit's tree holds, folders before what is in them.

    Raises SourceError for more than `command.MAX_OUTPUT` bytes of listing.
    """
    operation = f"listing the files of {commit[:12]}"
    listed = runner.run(
        ("ls-tree", "-r", "-t", "-z", "-l", "--full-tree", commit), operation=operation, repository=repository
    )
    if listed.status != 0:
        raise _damaged_or_known(runner, operation, listed.stderr)
    entries: list[TreeEntry] = []
    for line in listed.output.split(b"\0")[:-1]:
        match = _ENTRY.fullmatch(line)
        if not match:
            raise DamagedCacheError(runner.subject, operation, "the listing does not read as a tree")
        size = int(match[4]) if match[4] != b"-" else 0
        entries.append(TreeEntry(int(match[1], 8), match[3].decode(), size, match[5]))
    return tuple(entries)


def read_objects(
    runner: GitRunner, repository: Path, oids: Sequence[str], *, most: int = _MOST_READ
) -> Generator[bytes, None, None]:
    """Yield each object's content, in the order asked; `most` bytes of them all, beside trees and commits.

    Git does not compare the hash of what it reads from a pack; here it is, so that a damaged cache is noticed and
    nothing but what the commit names is ever written out. Raises DamagedCacheError.
    """
    operation = "reading the files of a revision"
    names = "".join(f"{oid}\n" for oid in oids).encode()
    with runner.started(
        ("cat-file", "--batch", "--buffer"), operation=operation, repository=repository, stdin=names
    ) as process:
        answer = _Answer(process, limit=most + _OVERHEAD + 128 * len(oids))
        for oid in oids:
            yield _read_object(runner, answer, operation, oid)
        if not answer.at_end() or process.wait() != 0:
            raise DamagedCacheError(runner.subject, operation, f"Git failed: {process.stderr()}")


def _read_object(runner: GitRunner, answer: _Answer, operation: str, oid: str) -> bytes:
    match = _HEADER.fullmatch(answer.line())
    if match and match[1].decode() == oid:
        content = answer.exactly(int(match[3]) + 1)[:-1]
        algorithm = "sha256" if len(oid) == 64 else "sha1"
        digest = hashlib.new(algorithm, b"%s %s\0" % (match[2], match[3]), usedforsecurity=False)
        digest.update(content)
        if digest.hexdigest() == oid:
            return content
    raise DamagedCacheError(
        runner.subject,
        operation,
        f"object {oid[:12]} in the cache is damaged",
        "Run again: it is fetched anew.",
    )


class _Answer:
    """Lines and counted bytes from a process's output; after its end both come short."""

    def __init__(self, process: RunningGit, limit: int) -> None:
        self._chunks = process.chunks(limit)
        self._waiting = bytearray()

    def line(self) -> bytes:
        while (end := self._waiting.find(b"\n")) < 0 and self._more():
            pass
        return self._take(end + 1)[:-1] if end >= 0 else b""

    def exactly(self, count: int) -> bytes:
        while len(self._waiting) < count and self._more():
            pass
        return self._take(count)

    def at_end(self) -> bool:
        return not self._waiting and not self._more()

    def _more(self) -> bool:
        chunk = next(self._chunks, b"")
        self._waiting += chunk
        return bool(chunk)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._waiting[:count])
        del self._waiting[:count]
        return taken


def _damaged_or_known(runner: GitRunner, operation: str, stderr: str) -> SourceError:
    """Return the error of a failure that the remote caused, by the table; any other may be the cache's damage."""
    meaning = meaning_of(stderr)
    known = failure(runner.subject, operation, stderr, meaning)
    if meaning.remote:
        return known
    return DamagedCacheError(known.subject, known.operation, known.reason, known.next_step)
