# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine with its bytecode, in Ansible's own process.

Ansible's loader of collections compiles every module from its source at each start (ansible-core,
`_collection_finder.py`, `get_code`), which took 0.15 s of each run. Python's own loader keeps what it compiled, or
takes what `compileall` left, and looks at the source's time and size as it always does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType

_ENGINE = f"{__name__.rpartition('.plugin_utils.')[0]}.module_utils"


class _Finder:
    """Finds the engine's modules where Ansible found the collection, and nothing else."""

    def __init__(self) -> None:
        self._folders: dict[str, FileFinder] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None or not f"{name}.".startswith(f"{_ENGINE}."):
            return None
        folder = next(iter(path))
        if folder not in self._folders:
            self._folders[folder] = FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES))
        return self._folders[folder].find_spec(name)


def use_bytecode() -> None:
    """Have the engine's modules that are imported from now on come with their bytecode, if Ansible imports them."""
    names = [type(finder).__name__ for finder in sys.meta_path]
    if "_AnsibleCollectionFinder" in names:
        sys.meta_path.insert(names.index("_AnsibleCollectionFinder"), _Finder())
