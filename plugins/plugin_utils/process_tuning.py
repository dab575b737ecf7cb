# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Ansible's own process is tuned for the actions that work in it: their imports, and Python's garbage collector.

- Ansible's loader of collections compiles every module from its source at each start (ansible-core,
  `_collection_finder.py`, `get_code`), which took 0.15 s of each run. Python's own loader keeps what it compiled, or
  takes what `compileall` left, and looks at the source's time and size as it always does.
- Ansible loads an action in its own process and runs it in a fork. Unless what is imported by then is frozen out of
  the collector's sight, each fork looks through all of it, and so copies it; Ansible itself does so when it ends.
  That was a quarter of the processor time of a run with nothing to do.
- What a cluster answers has no cycles, and each search for them goes through all of it: half of the time that reading
  JSON takes. So the collector pauses during the work of a task, whose process ends with the task.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType

_ENGINE = f"{__name__.rpartition('.plugin_utils.')[0]}.module_utils"


def tune_process() -> None:
    """Have the engine's modules come with their bytecode, and freeze what is imported by now. May be called again."""
    gc.freeze()
    names = [type(finder).__name__ for finder in sys.meta_path]
    if "_AnsibleCollectionFinder" in names and _EngineFinder.__name__ not in names:
        sys.meta_path.insert(names.index("_AnsibleCollectionFinder"), _EngineFinder())


@contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Make no search for reference cycles within the block."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _EngineFinder:
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
