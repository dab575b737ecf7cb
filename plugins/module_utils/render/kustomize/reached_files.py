# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders that a kustomization refers to: looked at, read, and copied for kustomize to see."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...model.errors import printable
from ..location import Location
from ..tree import Tree
from .view import View

# Wider than what kustomize takes for a repository or an HTTP address, on purpose.
REMOTE = re.compile(
    r"://|::|^[\w.+-]+@|^(?:git@|gh:|github\.com[/:]|gitlab\.com[/:]|bitbucket\.org[/:])|\?(?:ref|version|timeout|submodules)="
    r"|\.git\?|/_git/",
    re.IGNORECASE,
)
_WEB = re.compile(r"https?:|://", re.IGNORECASE)  # where only a file is looked for
OFFLINE = "Commit what it names into the source and refer to it by its path."


class ReachedFiles:
    """What of a checkout is reached; the view has all of it, and nothing else."""

    def __init__(self, tree: Tree, view: View) -> None:
        self._tree, self._view = tree, view

    def named(
        self, name: str, written: Any, location: Location, base: Path, remote: re.Pattern[str] = _WEB
    ) -> Path:
        """Return the existing file or folder that a reference in the field `name` names, relative to `base`."""
        if not isinstance(written, str) or not written.strip():
            raise location.error(f"an entry of {name} is no path")
        shown = printable(written, 200)
        if remote.search(written):
            raise location.error(
                f"{name}: {_without_credentials(shown)!r} is remote, and nothing is fetched", OFFLINE
            )
        if Path(written).is_absolute() or not written.isprintable():
            raise location.error(f"{name}: {shown!r} is not a relative path", OFFLINE)
        path = base / written
        real = self._tree.inside(path, f"{shown} in {location.origin.file}")
        if not real.exists():
            raise location.error(f"{name}: {shown!r} is not in this revision", OFFLINE)
        self._view.add_links(path)
        if real.is_dir():
            self._tree.check_not_submodule(real)
            self._view.add_folder(real)
        return real

    def read(self, real: Path) -> bytes:
        """Return a file's bytes, and add the file to the view."""
        data = self._tree.read(real)
        self._view.add_file(real, data)
        return data

    def content(self, name: str, written: Any, location: Location, base: Path) -> tuple[bytes, str]:
        """Return a file's bytes, and its path for errors."""
        real = self.named(name, written, location, base)
        return self.read(real), self._tree.shown(real)


def _without_credentials(address: str) -> str:
    return re.sub(r"//[^/@]*@", "//***@", address)
