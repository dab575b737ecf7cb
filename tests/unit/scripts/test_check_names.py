# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/check_names.py: each kind of binding of a name that says nothing, classes of one name, and a clean file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "check_names.py"

BINDINGS = {
    "assignment": "said = 1",
    "annotated assignment": "said: int = 1",
    "augmented assignment": "said += 1",
    "unpacking": "value, *said = [1, 2]",
    "named expression": "print(said := 1)",
    "attribute": "value.said = 1",
    "loop": "for said in (): pass",
    "comprehension": "values = [said for said in ()]",
    "context manager": "with open('x') as said: pass",
    "argument": "def read(said): pass",
    "keyword argument": "def read(*, said=1): pass",
    "variable arguments": "def read(*said): pass",
    "variable keywords": "def read(**said): pass",
    "argument of a lambda": "read = lambda said: 1",
    "function": "def said(): pass",
    "coroutine": "async def said(): pass",
    "class": "class said: pass",
    "import": "import os as said",
    "import of a name": "from os import path as said",
    "exception": "try: pass\nexcept OSError as said: pass",
    "global": "def read():\n    global said",
    "nonlocal": "def read():\n    value = 1\n    def inner():\n        nonlocal said",
    "capture": "match value:\n    case [said]: pass",
    "capture of the rest": "match value:\n    case [1, *said]: pass",
    "capture of a mapping's rest": "match value:\n    case {'a': 1, **said}: pass",
    "private name": "_said = 1",
}
CLEAN = """
from pathlib import Path

class Reader:
    def read(self, path: Path) -> str:
        '''What was said is kept there: words in strings and uses of others' names are no names of ours.'''
        return path.read_text(encoding="utf-8").replace("said", path.kept)
"""


def check(*paths: Path) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("source", BINDINGS.values(), ids=BINDINGS)
def test_every_binding_of_a_filler_is_a_fault(tmp_path: Path, source: str) -> None:
    file = tmp_path / "module.py"
    file.write_text(source, encoding="utf-8")
    code, lines = check(file)
    assert code == 1
    assert lines, "no fault"
    assert all("said" in line and line.startswith(f"{file}:") for line in lines), lines


def test_two_classes_of_one_name_are_a_fault_in_one_file_and_in_two(tmp_path: Path) -> None:
    first, second = tmp_path / "first.py", tmp_path / "second.py"
    first.write_text("class Reader: pass\nclass Writer: pass\n", encoding="utf-8")
    second.write_text("\nclass Reader: pass\nclass Reader: pass\n", encoding="utf-8")
    code, lines = check(tmp_path)
    assert code == 1
    assert [line.partition(": ")[0] for line in lines] == [f"{second}:2", f"{second}:3"]
    assert all("Reader" in line and f"{first}:1" in line for line in lines), lines


def test_classes_that_ansible_looks_for_may_have_one_name(tmp_path: Path) -> None:
    for name in ("first.py", "second.py"):
        (tmp_path / name).write_text("class ActionModule: pass\n", encoding="utf-8")
    assert check(tmp_path) == (0, ["check_names: no fault"])


def test_a_clean_file_has_no_fault(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(CLEAN, encoding="utf-8")
    assert check(tmp_path) == (0, ["check_names: no fault"])
