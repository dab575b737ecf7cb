# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is of memory, and how renders that run side by side share it (row 69)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds.available_memory import (
    available_memory,
)
from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds.memory_budget import (
    MemoryBudget,
    MemoryShare,
    OverBudgetError,
)

MIB = 1024 * 1024
MACHINE = {
    "proc/meminfo": "MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n",
    "proc/self/status": "VmSize:\t 1024 kB\nVmData:\t 1024 kB\n",
}
V2 = "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw\n"
V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "36 31 0:33 {inner} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "37 31 0:34 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
)


def v2(folder: str, limit: str, used: int, inactive: int = 0) -> dict[str, str]:
    at = f"sys/fs/cgroup{folder}"
    return {
        f"{at}/memory.max": f"{limit}\n",
        f"{at}/memory.current": f"{used}\n",
        f"{at}/memory.stat": f"anon 1\ninactive_file {inactive}\n",
    }


def v1(folder: str, limit: int, used: int, inactive: int = 0) -> dict[str, str]:
    at = f"sys/fs/cgroup/memory{folder}"
    return {
        f"{at}/memory.limit_in_bytes": f"{limit}\n",
        f"{at}/memory.usage_in_bytes": f"{used}\n",
        f"{at}/memory.stat": f"inactive_file 5\ntotal_inactive_file {inactive}\n",
    }


UNIT = "/system.slice/plumb-agent.service"
LEFT = {
    "half of what the machine has": ({}, 2048),
    "a pod's limit": (
        {
            "proc/self/mountinfo": V2,
            "proc/self/cgroup": "0::/\n",
            **v2("", str(1024 * MIB), 300 * MIB, 100 * MIB),
        },
        824,
    ),
    "a unit's MemoryMax": (
        {"proc/self/mountinfo": V2, "proc/self/cgroup": f"0::{UNIT}\n", **v2(UNIT, str(512 * MIB), 12 * MIB)},
        500,
    ),
    "the limit of a slice above": (
        {
            "proc/self/mountinfo": V2,
            "proc/self/cgroup": f"0::{UNIT}\n",
            **v2(UNIT, "max", 12 * MIB),
            **v2("/system.slice", str(600 * MIB), 200 * MIB),
        },
        400,
    ),
    "a container's of the first version": (
        {
            "proc/self/mountinfo": V1.format(inner="/docker/abc"),
            "proc/self/cgroup": "5:pids:/docker/abc\n4:memory:/docker/abc\n",
            **v1("", 1024 * MIB, 24 * MIB),
        },
        1000,
    ),
    "one whose path only the outside knows": (
        {
            "proc/self/mountinfo": V1.format(inner="/"),
            "proc/self/cgroup": "4:memory:/../../docker/abc\n",
            **v1("", 1024 * MIB, 24 * MIB),
        },
        1000,
    ),
    "no limit of the first version": (
        {
            "proc/self/mountinfo": V1.format(inner="/"),
            "proc/self/cgroup": "4:memory:/a\n",
            **v1("/a", 0x7FFFFFFFFFFFF000, 24 * MIB),
        },
        2048,
    ),
    "a cgroup that is full": (
        {"proc/self/mountinfo": V2, "proc/self/cgroup": "0::/\n", **v2("", str(64 * MIB), 65 * MIB)},
        0,
    ),
    "files that nobody can read": ({"proc/self/mountinfo": V2, "proc/self/cgroup": "0::/gone\n"}, 2048),
    "something else altogether": ({"proc/self/mountinfo": "?\n", "proc/self/cgroup": "?\n"}, 2048),
}


@pytest.mark.parametrize("what", LEFT)
def test_row_69_the_limit_that_is_there_decides(tmp_path: Path, what: str) -> None:
    files, expected = LEFT[what]
    for name, text in {**MACHINE, **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert available_memory(tmp_path) == expected * MIB


def test_row_69_a_machine_without_proc_has_some_too(tmp_path: Path) -> None:
    assert available_memory(tmp_path) > 0


def test_row_69_this_machine_has_some() -> None:
    assert 0 < available_memory() < 1 << 50


def charging(amounts: Mapping[str, int], budget: MemoryBudget) -> dict[str, bool]:
    """Render side by side, each of which takes so much in ten parts and keeps half: who could."""

    def render(name: str) -> bool:
        def work(account: MemoryShare) -> tuple[bool, int]:
            for _part in range(10):
                account.charge(amounts[name] // 10)
            return True, amounts[name] // 2

        try:
            return budget.rendered(work)
        except OverBudgetError:
            return False

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(amounts, pool.map(render, amounts), strict=True))


@given(st.lists(st.integers(0, 2000), max_size=12))
def test_row_69_what_fits_is_rendered_and_no_more_than_there_is_is_ever_counted(sizes: list[int]) -> None:
    amounts = {str(index): size * 10 for index, size in enumerate(sizes)}
    budget = Watched(10_000, 1)
    done = charging(amounts, budget)
    assert budget.most <= budget.manifests
    if sum(amounts.values()) <= budget.manifests:
        assert all(done.values()), "none fails because of the others"
    assert not any(done[name] for name in amounts if amounts[name] > budget.manifests)
    if len(amounts) == 1 and amounts["0"] <= budget.manifests:
        assert done["0"]


class Watched(MemoryBudget):
    """A budget that remembers the most that was counted at one time."""

    most = 0

    def charge(self, account: MemoryShare, amount: int) -> None:
        super().charge(account, amount)
        self.most = max(self.most, self._held + self._charged)


def test_row_69_four_that_fit_only_alone_are_rendered_one_after_the_other() -> None:
    budget = MemoryBudget(1000, 1)
    assert charging(dict.fromkeys("abcd", 400), budget) == dict.fromkeys("abcd", True)


def test_row_69_programs_wait_for_memory_and_never_have_more_than_there_is() -> None:
    budget = MemoryBudget(1, 300)
    lock, running, most = threading.Lock(), 0, 0

    def run(wanted: int) -> int:
        nonlocal running, most
        with budget.program(wanted) as amount:
            with lock:
                running += amount
                most = max(most, running)
            threading.Event().wait(0.005)
            with lock:
                running -= amount
        return amount

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(run, [100] * 16)] == [100] * 16
        assert most <= 300
        assert [*pool.map(run, [512, 100, 512])] == [300, 100, 300]
    assert most <= 300
