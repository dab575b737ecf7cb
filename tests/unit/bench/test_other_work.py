# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other work took is what is left of the machine's seconds."""

from __future__ import annotations

import os

import pytest

from ansible_collections.plumb.gitops.bench.other_work import Mark, machine_seconds


def test_idle_and_waiting_are_no_work_and_guests_count_once():
    ticks = os.sysconf("SC_CLK_TCK")
    words = (1, 2, 3, 1000, 1000, 4, 5, 6, 50, 60)
    stat = f"cpu  {' '.join(str(word * ticks) for word in words)}\ncpu0 0 0"
    assert machine_seconds(stat) == 1 + 2 + 3 + 4 + 5 + 6


def test_others_have_what_neither_sandbox_nor_contender_had():
    cores = os.cpu_count() or 1
    before, after = Mark(0.0, 100.0, 50.0), Mark(10.0, 100.0 + 5.0 * cores, 50.0 + 2.0 * cores)
    assert after.others(before, 1.0 * cores) == pytest.approx(0.2)
    assert after.others(before, 9.0 * cores) == 0.0
