# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys

from plumb_sandbox.process.children import Program, children_of, end, spawn
from plumb_sandbox.process.locks import hold_for_life, is_held


def test_a_stubborn_program_is_ended_all_the_same(tmp_path):
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(99)"
    program = Program(name="stubborn", argv=(sys.executable, "-c", script), env={})
    child = spawn(program, tmp_path, tmp_path / "log")
    while not child.log.read_text():
        assert child.process.poll() is None
    assert child.pid in children_of(os.getpid())
    end([child], 0.1)
    assert child.process.returncode == -9


def test_a_lock_ends_with_its_holder(tmp_path):
    path = tmp_path / "lock"
    script = (
        "from pathlib import Path; from plumb_sandbox.process.locks import hold_for_life;"
        f"print(hold_for_life(Path({str(path)!r}), '1'), flush=True); input()"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        (sys.executable, "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "True"
        assert is_held(path)
        assert not hold_for_life(path, "2")
        holder.kill()
    assert not is_held(path)
    assert path.read_text() == "1"
