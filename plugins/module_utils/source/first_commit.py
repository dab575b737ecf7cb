# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first commit of an empty repository: one commit, one push, and only where no branch is there yet."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..model.app import Person, SourceSpec
from ..model.errors import InputError
from .git.command import GitRunner, RunningGit
from .git.git_errors import failure
from .git.remote import parse_refs
from .pulling import runner_of

_FILE = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))(?!\.git(?:/|$))[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_BYTES = 1 << 20  # of all files together
_OUTPUT = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstCommit:
    """What is committed: texts by path, the subject of the message, and who is named as its author."""

    files: Mapping[str, str]
    subject: str
    author: Person


def check_first_commit(commit: FirstCommit) -> None:
    """Raise InputError for a path that may not stand in a repository, or for more text than is meant for this."""
    for path in commit.files:
        if not _FILE.fullmatch(path):
            raise InputError(
                f"file {path}",
                "reading the first commit's files",
                "it is not a path inside the repository of letters, digits, '.', '_' and '-'",
                "Write it like clusters/prod.yml.",
            )
    size = sum(len(text.encode()) for text in commit.files.values())
    if size > _BYTES:
        raise InputError(
            "the first commit",
            "reading its files",
            f"they are {size} bytes, more than {_BYTES}",
            "Commit large files by yourself.",
        )


def is_empty(spec: SourceSpec) -> bool:
    """Return whether the repository has neither branch nor tag: one round trip. Raises SourceError, InputError."""
    runner = runner_of(spec)
    operation = "asking the server for its refs"
    answer = runner.run(("ls-remote", "--quiet", "--heads", "--tags", "--", spec.url), operation=operation)
    if answer.status != 0:
        raise failure(runner.subject, operation, answer.stderr)
    return not parse_refs(answer.output)


def push_first_commit(spec: SourceSpec, commit: FirstCommit) -> str:
    """Push one commit with these files as the branch of `spec`; its id. Nothing is overwritten.

    A push is whole or not at all. Where the branch appeared meanwhile, it is refused: SourceError.
    """
    check_first_commit(commit)
    runner = runner_of(spec)
    with tempfile.TemporaryDirectory(prefix="plumb-") as folder:
        repository = Path(folder) / "r"
        made = runner.run(
            ("init", "--quiet", "--bare", "--template="), operation="making a commit", repository=repository
        )
        if made.status != 0:
            raise failure(runner.subject, "making a commit", made.stderr)
        oid = _commit(runner, repository, spec.ref, commit)
        branch = f"refs/heads/{spec.ref}"
        operation = f"pushing the first commit to {spec.ref}"
        pushed = runner.run(
            ("push", "--quiet", f"--force-with-lease={branch}:", "--", spec.url, f"{oid}:{branch}"),
            operation=operation,
            repository=repository,
        )
        if pushed.status != 0:
            raise failure(runner.subject, operation, pushed.stderr)
        return oid


def _commit(runner: GitRunner, repository: Path, branch: str, commit: FirstCommit) -> str:
    ref = f"refs/heads/{branch}"
    operation = "making a commit"
    with runner.started(
        ("fast-import", "--quiet", "--done"),
        operation=operation,
        repository=repository,
        stdin=_stream(ref, commit),
    ) as process:
        _ended(runner, process, operation)
    with runner.started(
        ("rev-parse", "--verify", ref), operation=operation, repository=repository
    ) as process:
        return _ended(runner, process, operation).decode().strip()


def _ended(runner: GitRunner, process: RunningGit, operation: str) -> bytes:
    output = b"".join(process.chunks(_OUTPUT))
    if process.wait() != 0:
        raise failure(runner.subject, operation, process.stderr())
    return output


def _stream(ref: str, commit: FirstCommit) -> bytes:
    """Return the commit in the format of git-fast-import(1)."""
    person = f"{_plain(commit.author.name)} <{_plain(commit.author.email)}> {int(time.time())} +0000"
    parts = [f"commit {ref}\ncommitter {person}\n".encode(), _data(commit.subject + "\n")]
    for path, text in sorted(commit.files.items()):
        parts += [f"M 100644 inline {path}\n".encode(), _data(text)]
    return b"".join([*parts, b"done\n"])


def _data(text: str) -> bytes:
    raw = text.encode()
    return b"data %d\n%s\n" % (len(raw), raw)


def _plain(text: str) -> str:
    """Return a name or address without characters that would end its line or its brackets."""
    return re.sub(r"[<>\x00-\x1f\x7f]", "", text)
