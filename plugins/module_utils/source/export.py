# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a revision's files out, and noticing when they are no longer as they were written.

The files are written here and not by `git checkout`, so that no attribute of the repository (filters, end of lines,
encodings, ident), hook or submodule can change a byte or run a program: a file is its blob.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..model.app import Checkout, Person, Revision, SourceSpec
from ..model.errors import SourceError
from ..state.file import read_private, write_whole
from .command import GitRunner
from .commit_object import CommitObject, parse_commit
from .repository import TreeEntry, list_tree, read_objects

FILES = "files"
RECORD = "revision.json"
IN_USE = "in-use"
_LINK, _SUBMODULE, _FOLDER = 0o120000, 0o160000, 0o040000
_EXECUTABLE = 0o100
_WRITING = "writing out a revision"


def export(runner: GitRunner, repository: Path, commit: str, destination: Path) -> None:
    """Write a commit as a checkout folder; `destination` must not exist.

    Symbolic links stay links (whoever reads decides whether to follow), submodules become empty folders. Raises
    DamagedCacheError for damaged objects and SourceError for a tree that cannot be written.
    """
    entries = list_tree(runner, repository, commit)
    for entry in entries:
        _check_path(runner.subject, entry.path)
    files = destination / FILES
    files.mkdir(mode=0o700, parents=True)
    about = _write_files(runner, repository, commit, entries, files)
    (destination / IN_USE).touch(mode=0o600)
    record = {
        "commit": commit,
        "author": asdict(about.author),
        "committer": asdict(about.committer),
        "authored": about.authored,
        "committed": about.committed,
        "subject": about.subject,
        "fingerprint": fingerprint(files),
    }
    write_whole(destination / RECORD, json.dumps(record, sort_keys=True))


def _check_path(subject: str, path: bytes) -> None:
    """Git's own check on arrival refuses these too; nothing is written where it was led around."""
    parts = path.split(b"/")
    if any(part in {b"", b".", b".."} or part.lower() == b".git" for part in parts):
        raise SourceError(
            subject,
            _WRITING,
            f"its tree names {os.fsdecode(path)!r}, which no file may be called",
            "Find who made this commit: Git itself does not write such a tree.",
        )


def _write_files(
    runner: GitRunner, repository: Path, commit: str, entries: Sequence[TreeEntry], files: Path
) -> CommitObject:
    """Folders first and links last, so that nothing is ever written through a link."""
    by_kind: dict[int, list[TreeEntry]] = {}
    for entry in entries:
        by_kind.setdefault(stat.S_IFMT(entry.mode), []).append(entry)
    for entry in (*by_kind.get(_FOLDER, ()), *by_kind.get(_SUBMODULE, ())):
        _path(files, entry).mkdir(mode=0o700)
    written = [*by_kind.get(stat.S_IFREG, ()), *by_kind.get(_LINK, ())]
    trees = [entry.oid for entry in by_kind.get(_FOLDER, ())]
    wanted = [commit, *trees, *(entry.oid for entry in written)]
    with contextlib.closing(read_objects(runner, repository, wanted)) as objects:
        about = parse_commit(next(objects))
        for _tree in trees:
            next(objects)  # only so that its hash is compared
        for entry, content in zip(written, objects, strict=True):
            _write(runner.subject, _path(files, entry), entry.mode, content)
    return about


def _path(files: Path, entry: TreeEntry) -> Path:
    return files / os.fsdecode(entry.path)


def _write(subject: str, path: Path, mode: int, content: bytes) -> None:
    if stat.S_IFMT(mode) == _LINK:
        if b"\0" in content:
            raise SourceError(subject, _WRITING, f"the link {path.name!r} leads to a name with a NUL in it")
        path.symlink_to(os.fsdecode(content))
        return
    permissions = 0o500 if mode & _EXECUTABLE else 0o400
    descriptor = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, permissions
    )
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def fingerprint(files: Path) -> str:
    """A digest of names, owners, kinds, sizes and times of change under a folder: what an edit or a cut would alter."""
    lines: list[bytes] = []
    waiting = [os.fsencode(files)]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            for item in found:
                if item.is_dir(follow_symlinks=False):
                    waiting.append(item.path)
                    status = item.stat(follow_symlinks=False)
                    lines.append(b"%s\0%o\0%d" % (item.path, status.st_mode, status.st_uid))
                    continue
                status = item.stat(follow_symlinks=False)
                lines.append(
                    b"%s\0%o\0%d\0%d\0%d"
                    % (item.path, status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns)
                )
    start = len(os.fsencode(files))
    return hashlib.sha256(b"\0\0".join(sorted(line[start:] for line in lines))).hexdigest()


def load(folder: Path, spec: SourceSpec, resolved: str) -> Checkout | None:
    """The checkout in a folder as this source's, or None where it is not there or not as it was written."""
    try:
        record: dict[str, Any] = json.loads(read_private(folder / RECORD))
        if record["fingerprint"] != fingerprint(folder / FILES):
            return None
        revision = Revision(
            source=spec.name,
            ref=spec.ref,
            commit=record["commit"],
            subject=record["subject"],
            author=Person(**record["author"]),
            committer=Person(**record["committer"]),
            authored=record["authored"],
            committed=record["committed"],
            resolved=resolved,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Checkout(revision, folder / FILES)
