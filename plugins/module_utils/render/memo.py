# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renderings kept on disk, each with a digest of all that it was made of.

Reading YAML costs more than all else that a run with nothing to do does, and kustomize more than that. What an app was
rendered from is known: every path that its Tree was asked for, and the program that built it. Where each of them still
holds the same bytes, so does the rendering, whatever else of the revision has changed. The files hold what checkouts
hold, Secrets included, so they are as private. Losing them costs one slower run.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..model.objects import Manifest, Origin, ref_of
from ..model.version import VERSION
from ..state.file import keep, kept

_KIND = f"plumb.gitops/rendering/{VERSION}"  # another version may render otherwise
_FORMAT = 1
_UNUSED = 7 * 24 * 3600.0  # seconds after which a rendering that no run asked for is removed
_TOUCH = 24 * 3600.0  # seconds after which a use is noted on the file


class Memo:
    """The renderings below a folder. What cannot be read counts as not there, what cannot be kept is not kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folders: dict[str, str] = {}  # real paths; nothing moves in a checkout while a run reads it

    def recall(self, root: Path, source: str, path: str) -> tuple[Manifest, ...] | None:
        """What `path` of a source was rendered to, if all that it was made of is the same in the checkout `root`."""
        file = self._file(source, path)
        content = kept(file, _KIND, _FORMAT)
        if content is None:
            return None
        try:
            if content["digest"] != inputs_digest(
                root, content["inputs"], content["programs"], self._folders
            ):
                return None
            manifests = tuple(map(_manifest, content["manifests"]))
        except (KeyError, TypeError, ValueError, OSError):
            return None
        _note_use(file)
        return manifests

    def remember(
        self,
        root: Path,
        source: str,
        path: str,
        *,
        inputs: Sequence[str],
        programs: Sequence[str],
        manifests: Iterable[Manifest],
    ) -> None:
        """Keep a rendering. `inputs` are paths relative to `root`, `programs` absolute ones."""
        with suppress(OSError):
            content = {
                "inputs": list(inputs),
                "programs": list(programs),
                "digest": inputs_digest(root, inputs, programs, self._folders),
                "manifests": [[one.body, one.origin.file, one.origin.line, one.digest] for one in manifests],
            }
            keep(self._file(source, path), _KIND, _FORMAT, content, sort=False)

    def clear_unused(self) -> None:
        """Remove what no run has asked for in a week."""
        with suppress(OSError):
            for file in self._folder.glob("*.json"):
                if time.time() - file.stat().st_mtime > _UNUSED:
                    file.unlink(missing_ok=True)

    def _file(self, source: str, path: str) -> Path:
        named = hashlib.sha256("\0".join((source, path)).encode("utf-8", "surrogateescape")).hexdigest()
        return self._folder / f"{named[:32]}.json"


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


def _note_use(file: Path) -> None:
    with suppress(OSError):
        if time.time() - file.stat().st_mtime > _TOUCH:
            os.utime(file)
