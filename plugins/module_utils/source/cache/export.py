# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing what apps name of a revision out, and noticing when it is no longer as it was written.

The files are written here and not by `git checkout`, so that no attribute of the repository (filters, end of lines,
encodings, ident), hook or submodule can change a byte or run a program: a file is its blob. A file that another
checkout has already is linked to instead: the disk holds it once, and only what changed is read and written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...model.app import Checkout, Person, Revision, SourceSpec
from ...model.errors import SourceError
from ...state.file import read_private, write_whole
from ..git.command import GitRunner
from ..git.commit_object import CommitObject, parse_commit
from ..git.repository import LINK, MAX_FILE_BYTES, SUBMODULE, TreeEntry, list_tree, read_objects
from .selection import References, Selection, select

FILES = "files"
RECORD = "revision.json"
LISTING = "listing"  # each plain file's object and path
IN_USE = "in-use"
_EXECUTABLE = 0o100
_BLOCK = 4096  # bytes that the smallest file or folder takes
_LARGEST_HOLE = 1 << 30
_WRITING = "writing out a revision"

Known = Mapping[tuple[str, bool], str]  # files of other checkouts by object and whether they are executable


@dataclass(frozen=True, slots=True)
class Export:
    """What is to be written for a commit. `known` are files that may be linked to."""

    commit: str
    selection: Selection
    known: Known = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes that it will take on disk, linked files left out."""
        return (
            4 * _BLOCK + sum(map(self._size, self.selection.entries)) + _BLOCK * len(self.selection.siblings)
        )

    def _size(self, entry: TreeEntry) -> int:
        if self.link_to(entry) or is_too_large(entry):
            return 128  # of a folder's list of names
        return 256 + -(-max(entry.size, 1) // _BLOCK) * _BLOCK

    def link_to(self, entry: TreeEntry) -> str | None:
        """Return the file of another checkout that an entry is, if one is known."""
        return self.known.get(_key(entry)) if stat.S_ISREG(entry.mode) else None


def is_too_large(entry: TreeEntry) -> bool:
    """Return whether an entry is a file that nothing reads: it gets its size, and no content."""
    return stat.S_ISREG(entry.mode) and entry.size > MAX_FILE_BYTES


def _key(entry: TreeEntry) -> tuple[str, bool]:
    return entry.oid, bool(entry.mode & _EXECUTABLE)


def choose_files(
    runner: GitRunner, repository: Path, commit: str, paths: Sequence[str] | None, references: References
) -> Selection:
    """Return what of a commit is to be checked out for these paths, all of it for None; raises SourceError."""
    entries = list_tree(runner, repository, commit)
    if paths is None:
        return Selection(entries)

    def read(oids: Sequence[str]) -> Iterable[bytes]:
        return read_objects(runner, repository, oids) if oids else ()

    return select(runner.subject, entries, paths, references, read)


def export(runner: GitRunner, repository: Path, wanted: Export, destination: Path) -> None:
    """Write a commit as a checkout folder; `destination` must not exist.

    Symbolic links stay links (whoever reads decides whether to follow), submodules become empty folders, files that are
    too large for any reader have their size and nothing in them. Raises DamagedCacheError for damaged objects and
    SourceError for a tree that cannot be written.
    """
    for entry in wanted.selection.entries:
        _check_path(runner.subject, entry.path)
    files = destination / FILES
    files.mkdir(mode=0o700, parents=True)
    about = _write_files(runner, repository, wanted, files)
    for sibling in wanted.selection.siblings:
        with contextlib.suppress(FileExistsError):
            (files / os.fsdecode(sibling)).mkdir(mode=0o700)
    _write_listing(destination / LISTING, wanted.selection.entries)
    (destination / IN_USE).touch(mode=0o600)
    record = {
        "commit": wanted.commit,
        "author": asdict(about.author),
        "committer": asdict(about.committer),
        "authored": about.authored,
        "committed": about.committed,
        "subject": about.subject,
        "fingerprint": fingerprint(files),
    }
    write_whole(destination / RECORD, json.dumps(record, sort_keys=True))


def _write_listing(file: Path, entries: Sequence[TreeEntry]) -> None:
    lines = [
        b"%s %d %s" % (entry.oid.encode(), bool(entry.mode & _EXECUTABLE), entry.path)
        for entry in entries
        if stat.S_ISREG(entry.mode) and not is_too_large(entry)
    ]
    write_whole(file, b"\0".join(lines).decode("latin-1"))


def files_of(folder: Path) -> dict[tuple[str, bool], str]:
    """Return the plain files of a checkout, to link to; none where its listing does not read as one."""
    files: dict[tuple[str, bool], str] = {}
    with contextlib.suppress(OSError, ValueError):
        for line in read_private(folder / LISTING).encode("latin-1").split(b"\0"):
            oid, executable, path = line.split(b" ", 2)
            files[oid.decode("ascii"), executable == b"1"] = f"{folder}/{FILES}/{os.fsdecode(path)}"
    return files


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


def _write_files(runner: GitRunner, repository: Path, wanted: Export, files: Path) -> CommitObject:
    """Folders first and links last, so that nothing is ever written through a link."""
    by_kind: dict[int, list[TreeEntry]] = {}
    for entry in wanted.selection.entries:
        by_kind.setdefault(stat.S_IFMT(entry.mode), []).append(entry)
    for entry in (*by_kind.get(stat.S_IFDIR, ()), *by_kind.get(SUBMODULE, ())):
        _path(files, entry).mkdir(mode=0o700)
    plain = [
        entry for entry in by_kind.get(stat.S_IFREG, ()) if not _put_without_reading(wanted, files, entry)
    ]
    written = [*plain, *by_kind.get(LINK, ())]
    trees = [entry.oid for entry in by_kind.get(stat.S_IFDIR, ())]
    oids = [wanted.commit, *trees, *(entry.oid for entry in written)]
    most = sum(entry.size for entry in written)
    with contextlib.closing(read_objects(runner, repository, oids, most=most)) as objects:
        about = parse_commit(next(objects))
        for _tree in trees:
            next(objects)  # only so that its hash is compared
        for entry, content in zip(written, objects, strict=True):
            _write(runner.subject, _path(files, entry), entry.mode, content)
    return about


def _put_without_reading(wanted: Export, files: Path, entry: TreeEntry) -> bool:
    """Link a file that is known, or make one that is too large without its content; whether that was done."""
    if is_too_large(entry):
        with os.fdopen(_created(_path(files, entry), entry.mode), "wb") as file:
            file.truncate(min(entry.size, _LARGEST_HOLE))
        return True
    known = wanted.link_to(entry)
    if known is None:
        return False
    try:
        os.link(known, f"{files}/{os.fsdecode(entry.path)}", follow_symlinks=False)
    except OSError:  # as many links as the file system allows, or one that has none
        return False
    return True


def _path(files: Path, entry: TreeEntry) -> Path:
    return files / os.fsdecode(entry.path)


def _write(subject: str, path: Path, mode: int, content: bytes) -> None:
    if stat.S_IFMT(mode) == LINK:
        if b"\0" in content:
            raise SourceError(subject, _WRITING, f"the link {path.name!r} leads to a name with a NUL in it")
        path.symlink_to(os.fsdecode(content))
        return
    with os.fdopen(_created(path, mode), "wb") as file:
        file.write(content)


def _created(path: Path, mode: int) -> int:
    permissions = 0o500 if mode & _EXECUTABLE else 0o400
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, permissions)


def fingerprint(files: Path) -> str:
    """Return a digest of names, owners, kinds, sizes and times of change under a folder: an edit would alter it."""
    lines: list[bytes] = []
    waiting = [os.fsencode(files)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for item in entries:
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


def is_intact(folder: Path) -> bool:
    """Return whether a checkout is as it was written."""
    return _intact_record(folder) is not None


def _intact_record(folder: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(read_private(folder / RECORD))
        return record if record["fingerprint"] == fingerprint(folder / FILES) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def load(folder: Path, spec: SourceSpec, resolved: str) -> Checkout | None:
    """Return the checkout in a folder as this source's, or None where it is missing or not as it was written."""
    record = _intact_record(folder)
    if record is None:
        return None
    try:
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
    except (KeyError, TypeError):
        return None
    return Checkout(revision, folder / FILES)
