# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renderings kept on disk, each with a digest of all that it was made of.

Reading YAML costs more than all else that a run with nothing to do does, and kustomize more than that. What an app was
rendered from is known: every path that its Tree was asked for, and the program that built it, which ran on a copy of
just those. Where each of them still holds the same bytes, so does the rendering, whatever else of the revision has
changed. The files hold what checkouts hold, Secrets included, so they are as private. Losing them costs one slower run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model.errors import RenderBoundError
from ..model.objects import Manifest, Origin, ref_of
from ..model.version import VERSION
from ..state.file import keep, kept
from ..state.folder import bound_folder, note_use
from .bounds.memory_budget import memory_of_json

_KIND = f"plumb.gitops/rendering/{VERSION}"  # another version may render otherwise
_FORMAT = 2
_PART = 1024 * 1024  # bytes of a file that are looked at together
_UNUSED = 7 * 24 * 3600.0  # seconds after which a rendering that no run asked for is removed
MAX_BYTES = 1024 * 1024 * 1024  # of all renderings; 10,000 objects take some 20 MB


@dataclass(frozen=True, slots=True)
class RenderSource:
    """What a rendering is of: where the source's revisions lie, which is a folder of its own for each address and set
    of credentials; its name, the ref that is followed, and the path in it.
    """

    place: str
    source: str
    ref: str
    path: str

    @property
    def file_name(self) -> str:
        """The name of its file: what differs in any of these never takes the place of another."""
        parts = (self.place, self.source, self.ref, self.path)
        return (
            f"{hashlib.sha256(chr(0).join(parts).encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.json"
        )


@dataclass(frozen=True, slots=True)
class Rendering:
    """What an app was rendered to, and what people should know of it."""

    manifests: tuple[Manifest, ...]
    remarks: tuple[str, ...] = ()


class Memo:
    """The renderings below a folder. What cannot be read counts as not there, what cannot be kept is not kept.

    One that is not `writable` leaves the folder as it is and keeps new renderings for itself. With `afresh` all is
    rendered anew; `differing` are then the apps of which something else was kept, which is a defect.
    """

    def __init__(self, folder: Path, *, writable: bool = True, afresh: bool = False) -> None:
        self._folder, self._writable, self.afresh = folder, writable, afresh
        self._folders: dict[str, str] = {}  # real paths; nothing moves in a checkout while a run reads it
        self._own: dict[str, Mapping[str, Any]] = {}
        self.differing: list[str] = []
        self.remarks: dict[str, tuple[str, ...]] = {}  # by the subject of what was rendered
        self._wrote = False

    def recall(self, root: Path, followed: RenderSource) -> Rendering | None:
        """What was rendered, if all that it was made of is the same in the checkout `root`."""
        file = self._folder / followed.file_name
        own = self._own.get(followed.file_name)
        known = self._current(root, own) if own is not None else None
        if known is None:
            known = self._current(root, kept(file, _KIND, _FORMAT))
            if known is not None and self._writable:
                note_use(file)
        return known

    def _current(self, root: Path, content: Mapping[str, Any] | None) -> Rendering | None:
        if content is None:
            return None
        try:
            if not self._is_unchanged(root, content):
                return None
            return Rendering(tuple(map(_manifest, content["manifests"])), tuple(content["remarks"]))
        except (KeyError, TypeError, ValueError, OSError):
            return None

    def _made_of(self, root: Path, inputs: Sequence[str], programs: Sequence[str]) -> dict[str, Any]:
        """Return what a record says of the files and programs that it was made of."""
        digest = inputs_digest(root, inputs, programs, self._folders)
        return {"inputs": list(inputs), "programs": list(programs), "digest": digest}

    def _is_unchanged(self, root: Path, content: Mapping[str, Any]) -> bool:
        """Return whether all that a record was made of is the same in the checkout `root`."""
        made_of = self._made_of(root, content["inputs"], content["programs"])
        return bool(content["digest"] == made_of["digest"])

    def memory(self, followed: RenderSource) -> tuple[int, int]:
        """The bytes of what was rendered, as it is kept, and of memory that its values take; 0 where there is none."""
        if followed.file_name in self._own:
            return 1, 0  # it is there already
        size = values = 0
        with suppress(OSError), (self._folder / followed.file_name).open("rb", buffering=0) as file:
            while part := file.read(_PART):
                size, values = size + len(part), values + memory_of_json(part)
        return size, values

    def remember(
        self,
        root: Path,
        followed: RenderSource,
        *,
        inputs: Sequence[str],
        programs: Sequence[str],
        rendering: Rendering,
    ) -> None:
        """Keep a rendering. `inputs` are paths relative to `root`, `programs` absolute ones."""
        with suppress(OSError, ValueError):
            content = {
                **self._made_of(root, inputs, programs),
                "manifests": [
                    [one.body, one.origin.file, one.origin.line, one.digest] for one in rendering.manifests
                ],
                "remarks": list(rendering.remarks),
            }
            if not self._writable:
                self._own[followed.file_name] = content
                return
            self._wrote = True
            keep(self._folder / followed.file_name, _KIND, _FORMAT, content, sort=False)

    def failure(self, root: Path, followed: RenderSource) -> RenderBoundError | None:
        """The bound that a render of the same files went beyond, in an earlier run."""
        content = kept(self._folder / followed.file_name, _KIND, _FORMAT)
        if content is None or "failed" not in content:
            return None
        try:
            if not self._is_unchanged(root, content):
                return None
            return RenderBoundError.of(content["failed"])
        except (KeyError, TypeError, ValueError, OSError):
            return None

    def remember_failure(
        self,
        root: Path,
        followed: RenderSource,
        *,
        inputs: Sequence[str],
        programs: Sequence[str],
        error: RenderBoundError,
    ) -> None:
        """Keep that a render went beyond a bound, in the place of what was rendered."""
        with suppress(OSError, ValueError):
            content = {
                **self._made_of(root, inputs, programs),
                "failed": error.document(),
            }
            if self._writable:
                self._wrote = True
                keep(self._folder / followed.file_name, _KIND, _FORMAT, content)

    def clear(self) -> None:
        """Remove what no run has asked for in a week, and, where this one kept something, what is beyond the bound."""
        if self._writable and (self._wrote or self.afresh):
            bound_folder(self._folder, largest=MAX_BYTES, unused=_UNUSED)


def inputs_digest(root: Path, inputs: Iterable[str], programs: Iterable[str], folders: dict[str, str]) -> str:
    """A digest of what these paths lead to: a file's bytes, a folder's names, and of a program its size and time.

    `folders` are those whose real path is known; more are added.
    """
    digest = hashlib.sha256()
    top = _real(str(root), folders)
    for name in inputs:
        real = _real(os.path.normpath(f"{top}/{name}"), folders)
        if real != top and not real.startswith(f"{top}/"):
            raise ValueError("a path leads out of the checkout now")
        digest.update(f"\0{name}\0{real[len(top) :]}\0".encode("utf-8", "surrogateescape"))
        digest.update(_state(real))
    for program in programs:
        status = os.stat(program)  # noqa: PTH116
        digest.update(f"\0{program}\0{status.st_size}\0{status.st_mtime_ns}".encode())
    return digest.hexdigest()


def _real(path: str, folders: dict[str, str]) -> str:
    """The path without symbolic links, asking for each folder once: a run has thousands of paths in few folders."""
    folder, _slash, name = path.rpartition("/")
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    joined = f"{folders[folder]}/{name}"
    return os.path.realpath(joined) if os.path.islink(joined) else joined  # noqa: PTH114


def _state(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return b"file" + hashlib.sha256(file.read()).digest()
    except IsADirectoryError:
        return b"folder" + "\0".join(sorted(os.listdir(path))).encode("utf-8", "surrogateescape")  # noqa: PTH208
    except FileNotFoundError:
        return b"nothing"


def _manifest(row: Sequence[Any]) -> Manifest:
    body, file, line, digest = row
    return Manifest(ref_of(body), body, Origin(file, line), digest)
