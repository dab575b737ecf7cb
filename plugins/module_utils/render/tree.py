# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkout's files, and nothing outside of it.

Every path is resolved, links included, before it is opened; what then lies outside the checkout, under `.git`, or is
no regular file is refused. A refusal never says what a link leads to or whether that exists.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..model.errors import RenderError, printable
from ..model.nearest import nearest_names
from .bounds.limits import MAX_DEPTH, MAX_FILE_BYTES, Meter
from .other_tools import check_content, submodule_error

_PATH_MAX, _NAME_MAX = 4096, 255  # bytes, on Linux


class Tree:
    """The files of one revision as one app may read them; `meter` counts what it reads.

    `requested` are all paths that it was asked for, relative to the root, and `programs` what was run on them: the
    result depends on nothing else.
    """

    def __init__(self, root: Path, meter: Meter) -> None:
        self.root = Path(os.path.realpath(root))
        self.meter = meter
        self.requested: dict[str, None] = {}
        self.programs: dict[str, None] = {}
        self.passed_over: list[str] = []  # JSON that is no manifest
        self.others: list[str] = []  # files that are not read, by their names

    def shown(self, path: Path) -> str:
        """Return a path for people and origins: relative to the checkout."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name

    def find(self, path: str) -> Path:
        """Return the file or folder that an app's `path` names, resolved; RenderError where there is none."""
        parts = Path(path).parts
        if Path(path).is_absolute() or ".." in parts or not path.isprintable():
            raise self._refused(path, "a path starts at the top of the source and has no '..'")
        real = self.inside(self.root.joinpath(*parts), path)
        if not real.exists():
            raise self._missing(parts)
        return real

    def inside(self, path: Path, written: str) -> Path:
        """`path` with its links followed; RenderError, naming what was `written`, where that leaves the checkout."""
        self.meter.file(printable(written, 200))
        self._check_length(path, written)
        plain = os.path.normpath(path)
        self.requested[os.path.relpath(plain, self.root)] = None
        real = Path(os.path.realpath(plain))
        self._check_length(real, written)
        if not real.is_relative_to(self.root):
            raise self._refused(written, "it leads out of the source, by '..' or a symbolic link")
        if any(part.lower() == ".git" for part in real.relative_to(self.root).parts):
            raise self._refused(written, "it leads into .git")
        if real.is_symlink():
            raise self._refused(written, "its symbolic links lead in a circle")
        return real

    def _check_length(self, path: Path, written: str) -> None:
        """Refuse what the file system would refuse, and folders so deep that reading them takes long."""
        if len(os.fsencode(path)) >= _PATH_MAX or any(
            len(os.fsencode(part)) > _NAME_MAX for part in path.parts
        ):
            raise self._refused(written, "it is longer than a path can be")
        if len(path.parts) - len(self.root.parts) > MAX_DEPTH:
            raise self._refused(written, f"its folders are more than {MAX_DEPTH} deep")

    def has_file(self, path: Path) -> bool:
        """Return whether a path leads to a file. That counts as requested; its folder has to be requested by itself."""
        return os.path.lexists(path) and self.inside(path, self.shown(path)).is_file()

    def children(self, folder: Path) -> list[Path]:
        """Return the entries of a folder by name, hidden ones left out; links are not followed yet."""
        try:
            return sorted(child for child in folder.iterdir() if not child.name.startswith("."))
        except OSError as exc:
            reason = f"it cannot be listed ({exc.strerror})"
            raise self._refused(self.shown(folder), reason, "Check the permissions of the checkout.") from exc

    def read(self, path: Path) -> bytes:
        """Return the content of a regular file that `find` or `inside` returned."""
        shown = self.shown(path)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            raise self._refused(shown, f"it cannot be opened ({exc.strerror})", "Check the path.") from exc
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise self._refused(shown, "it is not a regular file")
            self.meter.content(shown, status.st_size)
            data = file.read(MAX_FILE_BYTES)
        check_content(data, self.meter.subject, shown)
        return data

    def check_not_submodule(self, folder: Path) -> None:
        """Raise RenderError for a folder without anything in it: Git has none but for submodules."""
        if not any(folder.iterdir()):
            raise submodule_error(self.meter.subject, self.shown(folder))

    def _refused(
        self, written: str, reason: str, next_step: str = "Use paths of files in the source."
    ) -> RenderError:
        return RenderError(self.meter.subject, f"reading path {printable(written, 200)!r}", reason, next_step)

    def _missing(self, parts: tuple[str, ...]) -> RenderError:
        """Return the error for a path, with how far it goes and what is there instead."""
        reached, rest = self.root, list(parts)
        while rest and (reached / rest[0]).is_dir():
            reached = self.inside(reached / rest.pop(0), "/".join(parts))
            self.check_not_submodule(reached)
        names = [child.name for child in self.children(reached)] if reached.is_dir() else []
        near = nearest_names(rest[0] if rest else "", names) or names[:5]
        prefix = "" if reached == self.root else self.shown(reached) + "/"
        nearest = ", ".join(printable(prefix + name, 80) for name in near) or "nothing"
        return self._refused(
            "/".join(parts),
            f"it is not in this revision; nearest: {nearest}",
            "Correct the app's path, or commit the folder.",
        )
