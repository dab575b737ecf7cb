# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clone to write with: a branch and its near history, new commits on it, and pushes that are never forced."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..model.app import Person, SourceSpec
from ..model.errors import SourceError
from ..state.folder import private_folder
from .git.command import GitRunner
from .git.commit_object import CommitObject, parse_commit
from .git.git_errors import GitErrorMeaning, failure, meaning_of
from .git.remote import parse_refs
from .git.repository import TreeEntry, list_tree, prepare, read_objects
from .git.signing import Signing, signer
from .pulling import runner_of

DEPTH = 50  # commits of history that are fetched
_OUTPUT = 1 << 20
_PREFIX = "plumb-"
_LEFT_AFTER = 24 * 3600.0  # seconds
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_RAW = re.compile(rb":[0-7]{6} [0-7]{6} ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) [A-Z][0-9]*")
# What a server answers to a push that came second.
_RACE = re.compile(
    r"fetch first|non-fast-forward|stale info|cannot lock ref|failed to (?:update|lock) ref|incorrect old value"
    r"|reference already exists|is at [0-9a-f]+ but expected",
    re.IGNORECASE,
)
_REFUSALS = (
    GitErrorMeaning(
        r"protected branch|GH006|not allowed to push|protected by|branch.*protect",
        "the branch is protected",
        "Let this account push to it, or use pull_request.",
    ),
    GitErrorMeaning(
        r"hook declined|GH0\d\d",
        "the server refuses the commit",
        "See what the server's rules for commits are: an author's address, a signature, a message.",
    ),
    GitErrorMeaning(
        r"error: 403|denied to|Permission to .* denied|read.?only|not authorized|Unauthorized",
        "these credentials may not write",
        "Name a token_file or ssh_key_file for writing in the update.",
    ),
)


class PushRaceError(SourceError):
    """The branch has moved since it was fetched: nothing was pushed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCommit:
    """A commit that is to be made: on `parents`, with the tree of `tree` (a commit) but for `files`."""

    parents: tuple[str, ...]
    tree: str
    files: Mapping[bytes, tuple[int, bytes]]  # mode and content by path
    message: str
    author: Person
    signing: Signing | None = None


class Clone:
    """A bare repository for one piece of work."""

    def __init__(self, runner: GitRunner, spec: SourceSpec, folder: Path) -> None:
        self._runner = runner
        self._spec = spec
        self._folder = folder

    def fetch(self, *branches: str) -> dict[str, str]:
        """Fetch those of these branches that there are, with their near history; the commit of each."""
        operation = f"fetching {', '.join(branches)}"
        listed = self._runner.run(
            ("ls-remote", "--quiet", "--heads", "--", self._spec.url), operation=operation
        )
        if listed.status != 0:
            raise failure(self._runner.subject, operation, listed.stderr)
        refs = parse_refs(listed.output)
        present = [branch for branch in branches if f"refs/heads/{branch}" in refs]
        if present:
            prepare(self._runner, self._folder, oid_length=len(refs[f"refs/heads/{present[0]}"]))
            options = (
                "--quiet",
                f"--depth={DEPTH}",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-recurse-submodules",
            )
            wanted = [f"+refs/heads/{branch}:refs/plumb/{branch}" for branch in present]
            self._done(("fetch", *options, "--", self._spec.url, *wanted), operation)
        return {branch: self._oid(f"refs/plumb/{branch}^{{commit}}", operation) for branch in present}

    def files(self, commit: str) -> list[TreeEntry]:
        """Return the plain files of a commit."""
        return [
            entry
            for entry in list_tree(self._runner, self._folder, commit)
            if entry.mode in {0o100644, 0o100755}
        ]

    def read(self, oids: Sequence[str]) -> list[bytes]:
        """Return the content of each of these files, in order."""
        return list(read_objects(self._runner, self._folder, oids)) if oids else []

    def commit_object(self, commit: str) -> CommitObject:
        """Return who made a commit, and when."""
        (raw,) = self.read([commit])
        return parse_commit(raw)

    def history(self, commit: str, path: bytes) -> list[str]:
        """Return the blobs of a file along a branch's first parents, newest first, as far as they were fetched."""
        operation = "reading the history of a file"
        options = (
            "--first-parent",
            "-m",
            "--raw",
            "--no-abbrev",
            "--no-renames",
            "-z",
            "--format=",
            f"-n{DEPTH}",
        )
        with self._runner.started(
            ("--literal-pathspecs", "log", *options, commit, "--", path.decode("utf-8", "surrogateescape")),
            operation=operation,
            repository=self._folder,
        ) as process:
            output = b"".join(process.chunks(_OUTPUT))
            if process.wait() != 0:
                raise failure(self._runner.subject, operation, process.stderr())
        matches = [match for match in map(_RAW.fullmatch, output.split(b"\0")) if match]
        oids = [match[2].decode() for match in matches] + [match[1].decode() for match in matches[-1:]]
        return [oid for oid in oids if oid.strip("0")]

    def recent_history(self, commit: str) -> list[str]:
        """Return a commit and those before it, as far as they were fetched."""
        raw = self._stream(("rev-list", f"--max-count={DEPTH}", commit), b"", "reading the history")
        return raw.decode().split()

    def has_ancestor(self, commit: str, ancestor: str) -> bool:
        """Return whether a commit has another one in its history, as far as that was fetched."""
        answer = self._runner.run(
            ("merge-base", "--is-ancestor", ancestor, commit),
            operation="comparing branches",
            repository=self._folder,
        )
        return answer.status == 0

    def commit(self, wanted: NewCommit) -> str:
        """Make a commit and return its id. Raises SourceError, InputError for a signing key that cannot be used."""
        operation = "making a commit"
        self._stream(
            ("fast-import", "--quiet", "--done", "--force"), _import(wanted.tree, wanted.files), operation
        )
        tree = self._oid("refs/plumb-tree^{tree}", operation)
        person = {"user.name": wanted.author.name, "user.email": wanted.author.email}
        parents = [word for parent in wanted.parents for word in ("-p", parent)]
        with signer(self._runner, wanted.signing) as signing:
            made = self._stream(
                ("commit-tree", *signing.options, *parents, "-F", "-", tree),
                wanted.message.encode(),
                operation,
                settings={**person, **signing.settings},
                runner=signing.runner,
            )
        return made.decode().strip()

    def push(self, commit: str, branch: str) -> None:
        """Push a commit as a branch, only where that moves it forwards. Raises PushRaceError where it has moved."""
        operation = f"pushing to {branch}"
        pushed = self._runner.run(
            ("push", "--quiet", "--no-verify", "--", self._spec.url, f"{commit}:refs/heads/{branch}"),
            operation=operation,
            repository=self._folder,
        )
        if pushed.status == 0:
            return
        stderr = pushed.stderr
        if _RACE.search(stderr) and not _REFUSALS[0].fits(stderr):
            why = "the branch has moved meanwhile"
            raise PushRaceError(self._runner.subject, operation, why, "Nothing was pushed; run again.")
        meaning = next((row for row in _REFUSALS if row.fits(stderr)), meaning_of(stderr))
        raise failure(self._runner.subject, operation, stderr, meaning)

    def _done(self, words: tuple[str, ...], operation: str) -> None:
        ended = self._runner.run(words, operation=operation, repository=self._folder)
        if ended.status != 0:
            raise failure(self._runner.subject, operation, ended.stderr)

    def _oid(self, ref: str, operation: str) -> str:
        output = self._stream(("rev-parse", "--verify", "--quiet", "--end-of-options", ref), b"", operation)
        oid = output.decode("ascii", "replace").strip()
        if not _OID.fullmatch(oid):
            raise SourceError(self._runner.subject, operation, "the ref does not lead to a commit")
        return oid

    def _stream(
        self,
        words: tuple[str, ...],
        content: bytes,
        operation: str,
        *,
        settings: Mapping[str, str] | None = None,
        runner: GitRunner | None = None,
    ) -> bytes:
        with (runner or self._runner).started(
            words, operation=operation, repository=self._folder, settings=settings, stdin=content
        ) as process:
            output = b"".join(process.chunks(_OUTPUT))
            if process.wait() != 0:
                raise failure(self._runner.subject, operation, process.stderr())
            return output


@contextlib.contextmanager
def clone_for_writing(spec: SourceSpec, below: Path | None = None) -> Iterator[Clone]:
    """Yield an empty temporary repository below a folder (else where temporary files are).

    What a process that was killed left in the folder is removed after a day. Raises InputError, SourceError.
    """
    runner = runner_of(spec)
    try:
        if below is not None:
            private_folder(below)
            _clear(below)
        made = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=below)
    except OSError as exc:
        why, where = exc.strerror or str(exc), below or tempfile.gettempdir()
        next_step = "See that its disk has space, and that it belongs to the user who runs this."
        raise SourceError(runner.subject, f"making a clone in {where}", why, next_step) from exc
    with made as folder:
        yield Clone(runner, spec, Path(folder) / "r")


def _clear(folder: Path) -> None:
    for left in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_AFTER:
                shutil.rmtree(left, ignore_errors=True)


def _import(commit: str, files: Mapping[bytes, tuple[int, bytes]]) -> bytes:
    """Return a tree in the format of git-fast-import(1): that of a commit but for some files."""
    parts = [b"reset refs/plumb-tree\ncommit refs/plumb-tree\ncommitter plumb <plumb> 0 +0000\ndata 0\n"]
    parts.append(f"from {commit}\n".encode())
    for path, (mode, content) in sorted(files.items()):
        parts.append(b"M %o inline %s\ndata %d\n%s\n" % (mode, _quoted(path), len(content), content))
    return b"".join([*parts, b"done\n"])


def _quoted(path: bytes) -> bytes:
    """Return a path as a C string, so that nothing in it can end it."""
    escaped = b"".join(
        b"\\%03o" % byte if byte < 0x20 or byte >= 0x7F or byte in b'"\\' else bytes([byte]) for byte in path
    )
    return b'"' + escaped + b'"'
