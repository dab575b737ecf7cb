# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command's measure is of the command and what it started, not of the benchmark."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.bench.process import CommandFailed, Ran, run

_LARGE = "x = bytearray(60 << 20); x[::4096] = b'x' * len(x[::4096])"


def _python(folder: Path, program: str, good: frozenset[int] = frozenset({0})) -> Ran:
    words = [sys.executable, "-I", "-S", "-c", program]
    return run(words, environment=dict(os.environ), folder=folder, good=good)


def test_memory_is_that_of_the_largest_process(tmp_path: Path):
    mine = bytearray(200 << 20)
    mine[::4096] = b"x" * len(mine[::4096])
    small = _python(tmp_path, "print('said')")
    assert small.output == "said\n"
    assert small.peak_mib < 60
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_LARGE!r}], check=True)"
    assert 60 < _python(tmp_path, child).peak_mib < 200


def test_a_command_that_fails_says_why(tmp_path: Path):
    with pytest.raises(CommandFailed, match="no such fleet"):
        _python(tmp_path, "raise SystemExit('no such fleet')")
    assert _python(tmp_path, "raise SystemExit(3)", good=frozenset({3})).output == ""


def test_a_command_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(CommandFailed, match="exit code"):
        run([str(tmp_path / "nothing")], environment=dict(os.environ), folder=tmp_path)
