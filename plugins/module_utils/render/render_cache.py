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
from ..state.folder import bound_folder, note_use
from ..state.record_store import RecordStore, record_file
from .bounds.memory_budget import memory_of_json

_RECORDS = RecordStore[Mapping[str, Any]](
    kind=f"plumb.gitops/rendering/{VERSION}",  # another release may render otherwise
    version=2,
    encode=dict,
    decode=dict,
    sort=False,  # keys of manifests keep their order
)
_CHUNK = 1024 * 1024  # bytes of a file that are read at once
_UNUSED = 7 * 24 * 3600.0  # seconds after which a rendering that no run asked for is removed
MAX_BYTES = 1024 * 1024 * 1024  # of all renderings; 10,000 objects take some 20 MB


@dataclass(frozen=True, slots=True)
class RenderSource:
    """What a rendering is of, and so the key of its record.

    `folder` is where the source's checkouts lie, one folder for each address and set of credentials; `source` is the
    source's name, `ref` the ref that it follows, and `path` the app's path in it.
    """

    folder: str
    source: str
    ref: str
    path: str

    def file(self, renderings: Path) -> Path:
        """Return the record's file below the folder of all renderings: one for each value of all four fields."""
        return record_file(renderings, self.folder, self.source, self.ref, self.path)


@dataclass(frozen=True, slots=True)
class Rendering:
    """What an app was rendered to, and what people should know of it."""

    manifests: tuple[Manifest, ...]
    remarks: tuple[str, ...] = ()


class RenderCache:
    """The renderings below a folder. What cannot be read counts as missing; what cannot be written is not kept.

    A cache that is not `writable` leaves the folder as it is and keeps new renderings in memory. With `afresh` all is
    rendered anew; `differing` are then the apps whose record says something else, which is a defect.
    """

    def __init__(self, folder: Path, *, writable: bool = True, afresh: bool = False) -> None:
        self._folder, self._writable, self.afresh = folder, writable, afresh
        # Real paths; nothing moves in a checkout while a run reads it.
        self._real_folders: dict[str, str] = {}
        self._in_memory: dict[RenderSource, Mapping[str, Any]] = {}
        self.differing: list[str] = []
        self.remarks: dict[str, tuple[str, ...]] = {}  # by the subject of what was rendered
        self._wrote = False

    def load(self, root: Path, source: RenderSource) -> Rendering | None:
        """Return the rendering, if all that it was made of is the same in the checkout `root`."""
        rendering = self._current(root, self._in_memory.get(source))
        if rendering is None:
            file = source.file(self._folder)
            rendering = self._current(root, _RECORDS.load(file))
            if rendering is not None and self._writable:
                note_use(file)
        return rendering

    def _current(self, root: Path, content: Mapping[str, Any] | None) -> Rendering | None:
        try:
            if content is None or not self._is_unchanged(root, content):
                return None
            return Rendering(tuple(map(_manifest, content["manifests"])), tuple(content["remarks"]))
        except (KeyError, TypeError, ValueError, OSError):
            return None

    def _made_of(self, root: Path, inputs: Sequence[str], programs: Sequence[str]) -> dict[str, Any]:
        """Return what a record says of the files and programs that it was made of."""
        digest = inputs_digest(root, inputs, programs, self._real_folders)
        return {"inputs": list(inputs), "programs": list(programs), "digest": digest}

    def _is_unchanged(self, root: Path, content: Mapping[str, Any]) -> bool:
        """Return whether all that a record was made of is the same in the checkout `root`."""
        made_of = self._made_of(root, content["inputs"], content["programs"])
        return bool(content["digest"] == made_of["digest"])

    def size(self, source: RenderSource) -> tuple[int, int]:
        """Return the bytes of a record, and the bytes of memory that its values take; zeros where there is none."""
        if source in self._in_memory:
            return 1, 0  # its values are in memory already
        size = values = 0
        with suppress(OSError), source.file(self._folder).open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                size, values = size + len(chunk), values + memory_of_json(chunk)
        return size, values

    def save(
        self,
        root: Path,
        source: RenderSource,
        *,
        inputs: Sequence[str],
        programs: Sequence[str],
        rendering: Rendering,
    ) -> None:
        """Keep a rendering. `inputs` are paths relative to `root`, `programs` absolute ones."""
        manifests = [
            [manifest.body, manifest.origin.file, manifest.origin.line, manifest.digest]
            for manifest in rendering.manifests
        ]
        with suppress(OSError, ValueError):
            content = {
                **self._made_of(root, inputs, programs),
                "manifests": manifests,
                "remarks": list(rendering.remarks),
            }
            if self._writable:
                self._write(source, content)
            else:
                self._in_memory[source] = content

    def load_failure(self, root: Path, source: RenderSource) -> RenderBoundError | None:
        """Return the error of an earlier render of the same files that went beyond a bound."""
        content = _RECORDS.load(source.file(self._folder))
        try:
            if content is None or "failed" not in content or not self._is_unchanged(root, content):
                return None
            return RenderBoundError.of(content["failed"])
        except (KeyError, TypeError, ValueError, OSError):
            return None

    def save_failure(
        self,
        root: Path,
        source: RenderSource,
        *,
        inputs: Sequence[str],
        programs: Sequence[str],
        error: RenderBoundError,
    ) -> None:
        """Keep that a render went beyond a bound, in the place of the app's rendering."""
        if self._writable:
            with suppress(OSError, ValueError):
                self._write(source, {**self._made_of(root, inputs, programs), "failed": error.document()})

    def _write(self, source: RenderSource, content: Mapping[str, Any]) -> None:
        self._wrote = True
        _RECORDS.save(source.file(self._folder), content)

    def evict(self) -> None:
        """Remove what no run has asked for in a week and, where this one wrote something, what is beyond MAX_BYTES."""
        if self._writable and (self._wrote or self.afresh):
            bound_folder(self._folder, largest=MAX_BYTES, unused=_UNUSED)


def inputs_digest(root: Path, inputs: Iterable[str], programs: Iterable[str], folders: dict[str, str]) -> str:
    """Return a digest of what paths lead to: a file's bytes, a folder's names, and a program's size and time.

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
    """Return the path without symbolic links; each folder is asked for once, as thousands of paths are in few."""
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
