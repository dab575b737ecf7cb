# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine in Ansible's process comes with its bytecode, and a changed source is noticed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops import plugins

_LOADS = """
import importlib, sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([sys.argv[1]])
importlib.import_module("ansible_collections.plumb.gitops.plugins.action.report")
mode = importlib.import_module("ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.mode")
print(mode.__cached__, getattr(mode, "ADDED", "as it was"))
"""


@pytest.fixture
def collections(tmp_path: Path) -> Path:
    """A folder of collections with a copy of this one's plugins."""
    (of_plugins,) = plugins.__path__
    left_out = shutil.ignore_patterns("__pycache__")
    target = tmp_path / "ansible_collections" / "plumb" / "gitops"
    shutil.copytree(of_plugins, target / "plugins", ignore=left_out)
    shutil.copytree(Path(of_plugins).parent / "meta", target / "meta")
    return tmp_path


def load(collections: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-c", _LOADS, str(collections)],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    return done.stdout.strip()


def test_the_engine_is_compiled_once_and_again_when_its_source_changes(collections: Path) -> None:
    place, state = load(collections).split(" ", 1)
    cached = Path(place)
    assert state == "as it was"
    assert cached.is_relative_to(collections)
    written = cached.stat().st_mtime_ns
    assert load(collections).endswith("as it was")
    assert cached.stat().st_mtime_ns == written
    source = cached.parents[1] / "mode.py"
    source.write_text(f"{source.read_text(encoding='utf-8')}\nADDED = 'changed'\n", encoding="utf-8")
    assert load(collections).endswith("changed")


def test_where_nothing_can_be_kept_it_is_loaded_all_the_same(collections: Path) -> None:
    for folder in (collections / "ansible_collections/plumb/gitops/plugins/module_utils").iterdir():
        if folder.is_dir():
            (folder / "__pycache__").write_text("in the way", encoding="utf-8")
    assert load(collections).endswith("as it was")
