# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many intervals of the agent itself; its runs are answered at once, so that it is all there is to see.

Whole runs are soaked in tests/integration/test_controller.py.
"""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.plumb.gitops.tests.support.agent import instant_runs
from ansible_collections.plumb.gitops.tests.support.agent.process import AgentProcess, running, until


def test_many_intervals_leave_memory_descriptors_and_files_flat(tmp_path: Path) -> None:
    """PLUMB_SOAK is the number of intervals."""
    wanted = int(os.environ.get("PLUMB_SOAK", "60"))
    agent = AgentProcess(tmp_path / "agent", module=instant_runs.__name__)
    agent.inventory(dict.fromkeys(instant_runs.HOSTS))
    agent.configure(interval="1ms", keep_reports=5, runtime_dir=str(agent.folder / "run"))

    def measured() -> tuple[int, int, int]:
        files_kept = [file for file in agent.state.rglob("*") if not file.name.startswith(".")]
        return agent.resident(), len(list(Path(f"/proc/{agent.pid}/fd").iterdir())), len(files_kept)

    def count() -> int:
        return sum(len(agent.runs(name)) for name in instant_runs.HOSTS)

    with running(agent):
        until(lambda: count() >= wanted // 4, "the first runs", 600)
        memory, descriptors, files = measured()
        until(lambda: count() >= wanted, "the soak", 3600)
        after = measured()
        assert agent.series()['plumb_runs_total{cluster="one",result="succeeded"}'] >= wanted / 10
        assert agent.end() == 0
    assert after[0] - memory < 2 * 1024 * 1024
    assert after[1] <= descriptors + 12  # four for each run that is under way
    assert after[2] <= files + len(instant_runs.HOSTS)  # a report more, until the old one is removed
    assert not [line for line in agent.lines() if " error " in line]
    assert list(agent.runtime.iterdir()) == []
