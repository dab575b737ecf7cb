# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that holds what was read of a checkout, and nothing else, for a program that is run on it.

A program cannot read what the check before it did not list: the list is true because there is nothing beside it. Each
file has the very bytes that were checked, and each symbolic link on the way to it leads to the same place as in the
checkout.
"""

from __future__ import annotations

import os
from pathlib import Path

from ...model.errors import RenderError, printable

_NAME = "files"  # as a checkout's own folder: kustomize adds the name of its folder to fields (ValueAddTransformer)


class View:
    """The part of the checkout `root` that was read, in a new folder below `parent`."""

    def __init__(self, root: Path, parent: Path, subject: str) -> None:
        self._root, self._subject = root, subject
        self.folder = Path(os.path.realpath(parent)) / _NAME
        self._make(self.folder)

    def path_of(self, real: Path) -> Path:
        """Return where a path of the checkout is in the view; `real` has no links in it."""
        return self.folder / real.relative_to(self._root)

    def add_file(self, real: Path, data: bytes) -> None:
        """Add a file with these bytes. Raises RenderError where the disk does not take it."""
        target = self.path_of(real)
        try:
            self._make(target.parent)
            target.write_bytes(data)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def add_folder(self, real: Path) -> None:
        """Add a folder without anything in it."""
        self._make(self.path_of(real))

    def add_links(self, written: Path) -> None:
        """Add the symbolic links on the way along a path, as it is written; none that leave the checkout."""
        current = self._root
        for part in Path(os.path.relpath(os.path.normpath(written), self._root)).parts:
            step = current / part
            if not step.is_symlink():
                current = step
                continue
            current = Path(os.path.realpath(step))
            if not current.is_relative_to(self._root):
                return
            self._link(step, current)

    def _link(self, step: Path, real: Path) -> None:
        link = self.path_of(step)
        if real.is_dir():
            self.add_folder(real)
        try:
            self._make(link.parent)
            if not link.is_symlink():
                link.symlink_to(self.path_of(real))
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def _unwritable(self, exc: OSError) -> RenderError:
        return RenderError(
            self._subject,
            f"copying what kustomize reads to {self.folder.parent.parent}",
            printable(exc.strerror or str(exc)),
            "Free space there, or set TMPDIR to a folder with free space that this account can write to.",
        )
