# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which entries of a revision's tree are checked out: the paths that apps name, and all that these reach.

They reach what their symbolic links lead to, and what their kustomizations refer to. A link whose target were missing
would be passed over in silence, and what it named would be pruned: links are followed as the kernel does it. A
reference too many costs a few files; one too few is an error of kustomize, never an app without some of its objects.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ...model.errors import SourceError
from ..git.repository import LINK, TreeEntry

_MOST_LINKS = 40  # that one path may lead through, as the kernel has it
_LINK_BYTES = 4096  # a longer one is no path
_LINKS_BYTES = 16 << 20  # of all links of a revision
_REFERRING_BYTES = 16 << 20  # a larger file is not read by any renderer either
_MOST_SIBLINGS = 1000

Read = Callable[[Sequence[str]], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class References:
    """How files refer to others: the names of files that do, and the texts in one that may be paths from its folder."""

    names: frozenset[str] = frozenset()
    texts: Callable[[bytes], Iterable[str]] = field(default=lambda _content: ())


NO_REFERENCES = References()


@dataclass(frozen=True, slots=True)
class Selection:
    """What is checked out. `siblings` are the names that stand where a path is missing: an error names them."""

    entries: tuple[TreeEntry, ...]
    siblings: tuple[bytes, ...] = ()


def select(
    subject: str, entries: Sequence[TreeEntry], paths: Iterable[str], references: References, read: Read
) -> Selection:
    """Return what of a tree is checked out for `paths`; `entries` is all of it, folders before what is in them.

    `read` gives the content of objects. Raises SourceError for more text in links than any real repository has.
    """
    links = [entry for entry in entries if stat.S_IFMT(entry.mode) == LINK and entry.size <= _LINK_BYTES]
    if sum(entry.size for entry in links) > _LINKS_BYTES:
        reason = f"its symbolic links hold more than {_LINKS_BYTES >> 20} MiB"
        raise SourceError(subject, "listing a revision's files", reason, "Remove links that nobody needs.")
    contents = dict(
        zip((entry.path for entry in links), read([entry.oid for entry in links]), strict=True)
        if links
        else ()
    )
    walk = _SelectionWalk(entries, contents)
    for path in paths:
        walk.add_path(path, references.names)
    while referring := walk.referring(references.names):
        for (folder, _entry), content in zip(
            referring, read([entry.oid for _folder, entry in referring]), strict=True
        ):
            for text in references.texts(content):
                walk.add_reference(folder, text)
    return Selection(walk.selected(), tuple(walk.siblings))


class _SelectionWalk:
    """A growing selection."""

    def __init__(self, entries: Sequence[TreeEntry], links: Mapping[bytes, bytes]) -> None:
        self._entries = entries
        self._links = links
        self._index = {entry.path: index for index, entry in enumerate(entries)}
        self._ends = _ends(entries)
        self._chosen = bytearray(len(entries))
        self._new: list[int] = []  # chosen, and not read yet
        self._texts: set[tuple[bytes, str]] = set()
        self.siblings: dict[bytes, None] = {}

    def selected(self) -> tuple[TreeEntry, ...]:
        return tuple(entry for entry, chosen in zip(self._entries, self._chosen, strict=True) if chosen)

    def add_path(self, path: str, referring: frozenset[str]) -> None:
        """Add what an app names; of a file that refers to others its whole folder. What is no path adds nothing."""
        raw = os.fsencode(path)
        if raw.startswith(b"/") or b".." in raw.split(b"/"):
            return  # whoever reads it refuses it
        target = self._resolve(raw)
        if target is None:
            self._add_siblings(raw)
            return
        if posixpath.basename(path) in referring:
            target = posixpath.dirname(target)
        self._choose(target)

    def add_reference(self, folder: bytes, text: str) -> None:
        """Add what a text in a file of a folder may refer to; `NAME=PATH` may be either."""
        for written in dict.fromkeys((text, text.partition("=")[2] or text)):
            if (
                (folder, written) in self._texts
                or not written
                or written.startswith("/")
                or len(written) > 4096
            ):
                continue
            self._texts.add((folder, written))
            joined = posixpath.normpath(posixpath.join(folder, os.fsencode(written)))
            if joined == b".." or joined.startswith(b"../"):
                continue
            target = self._resolve(joined)
            if target is not None:
                self._choose(target)

    def referring(self, names: frozenset[str]) -> list[tuple[bytes, TreeEntry]]:
        """Return the files that refer to others, with their folders, among what was chosen since the last call."""
        files: list[tuple[bytes, TreeEntry]] = []
        while self._new:
            index = self._new.pop()
            entry = self._entries[index]
            path = entry.path
            if stat.S_IFMT(entry.mode) == LINK:
                target = self._resolve(entry.path)
                if target is None:
                    continue
                self._choose(target)
                if not target:
                    continue
                entry = self._entries[self._index[target]]
            if os.fsdecode(posixpath.basename(path)) not in names or not stat.S_ISREG(entry.mode):
                continue
            if entry.size <= _REFERRING_BYTES:
                files.append((posixpath.dirname(path), entry))
        return files

    def _choose(self, path: bytes) -> None:
        """Choose an entry (the whole tree where the path is empty), what is below it, and the folders above it."""
        if not path:
            self._mark(range(len(self._entries)))
            return
        index = self._index[path]
        self._mark(range(index, self._ends[index]))
        self._choose_above(path)

    def _choose_above(self, path: bytes) -> None:
        while path := posixpath.dirname(path):
            self._mark((self._index[path],))

    def _mark(self, indexes: Iterable[int]) -> None:
        for index in indexes:
            if not self._chosen[index]:
                self._chosen[index] = 1
                mode = stat.S_IFMT(self._entries[index].mode)
                if mode in {LINK, stat.S_IFREG}:
                    self._new.append(index)

    def _resolve(self, path: bytes) -> bytes | None:
        """Return where a path leads, links followed and chosen on the way; None where that is nowhere in the tree."""
        todo, at, followed = [*reversed(path.split(b"/"))], list[bytes](), 0
        while todo:
            part = todo.pop()
            if part in {b"", b"."}:
                continue
            if part == b"..":
                if not at:
                    return None
                at.pop()
                continue
            at.append(part)
            here = b"/".join(at)
            index = self._index.get(here)
            if index is None:
                return None
            if stat.S_IFMT(self._entries[index].mode) == LINK:
                target = self._links.get(here)
                followed += 1
                self._mark((index,))  # whoever reads a link that leads outside says so
                self._choose_above(here)
                if target is None or target.startswith(b"/") or followed > _MOST_LINKS:
                    return None
                at.pop()
                todo.extend(reversed(target.split(b"/")))
        return b"/".join(at)

    def _add_siblings(self, path: bytes) -> None:
        """Remember what stands beside the first part of a path that is not there."""
        parts, above = path.split(b"/"), b""
        for part in parts:
            below = self._resolve(posixpath.join(above, part))
            if below is None:
                break
            above = below
        self._choose_folder(above)
        first = self._index[above] + 1 if above else 0
        end = self._ends[first - 1] if above else len(self._entries)
        while first < end and len(self.siblings) < _MOST_SIBLINGS:
            self.siblings[self._entries[first].path] = None
            first = self._ends[first]

    def _choose_folder(self, path: bytes) -> None:
        if path and stat.S_ISDIR(self._entries[self._index[path]].mode):
            self._mark((self._index[path],))
            self._choose_above(path)


def _ends(entries: Sequence[TreeEntry]) -> list[int]:
    """For each entry the index after it and all that is below it."""
    ends = [index + 1 for index in range(len(entries))]
    open_folders: list[tuple[bytes, int]] = []
    for index, entry in enumerate(entries):
        while open_folders and not entry.path.startswith(open_folders[-1][0]):
            ends[open_folders.pop()[1]] = index
        if stat.S_ISDIR(entry.mode):
            open_folders.append((entry.path + b"/", index))
    for _prefix, index in open_folders:
        ends[index] = len(entries)
    return ends
