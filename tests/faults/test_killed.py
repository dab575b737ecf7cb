# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed at any write: the next one puts it right (rows 1 and 2 of the list of faults).

A stage's first writes widen the inventory, its last ones narrow it or drop it; both sides of these are always taken,
and of the others some.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from ansible_collections.plumb.gitops.tests.support.faults.app_life import (
    FIRST,
    LIFETIME,
    PRUNE,
    REMOVAL,
    UPGRADE,
    Life,
    Stage,
    forty,
)
from ansible_collections.plumb.gitops.tests.support.faults.killing import Point, killed_apply, sweep
from ansible_collections.plumb.gitops.tests.support.faults.proxy import Proxy

INVENTORY = ("configmaps/plumb-members.", "configmaps/plumb-app")  # the record of the app, and its parent

# What Git goes back to in row 2: three kinds of the first apply, and the new kinds of the upgrade, are none of it.
LESS = Stage(
    "less", tuple(b for b in forty("1") if not b["kind"].startswith(("ServiceAccount", "Role", "Deploy")))
)


def _is_of_inventory(write: str) -> bool:
    return any(name in write for name in INVENTORY)


def points(life: Life, proxy: Proxy, sample: int) -> Mapping[str, deque[Point]]:
    """Where to kill each stage, after a life in which nothing is killed and every write is counted."""
    drawn = {}
    life.begin()
    for stage in LIFETIME:
        proxy.asked.clear()
        life.engine.apply(life.commit(stage), kubeconfig=proxy.kubeconfig)
        life.check(stage)
        writes = [write for write in proxy.writes() if "/namespaces/plumb-system?" not in write]
        assert _is_of_inventory(writes[-1]), "a stage ends with its inventory"
        grows = stage not in (PRUNE, REMOVAL)
        assert all(map(_is_of_inventory, writes[:2])) or not grows, "and begins with it, where that grows"
        drawn[stage.name] = deque(sweep(len(writes), (1, 2, len(writes) - 1, len(writes)), sample))
    return drawn


def test_row_1_killed_at_any_write_the_next_run_converges(life: Life, proxy: Proxy) -> None:
    left = points(life, proxy, sample=2)
    while any(left.values()):
        life.begin()
        for stage in LIFETIME:
            if left[stage.name]:
                point = left[stage.name].popleft()
                killed_apply(life.engine, life.commit(stage), proxy, point)
                life.parent_lists_all_kinds()
            life.converges(stage)


def test_row_2_killed_and_then_the_new_objects_leave_git(life: Life, proxy: Proxy) -> None:
    left = points(life, proxy, sample=2)
    while left[FIRST.name] or left[UPGRADE.name]:
        life.begin()
        for stage in (FIRST, UPGRADE):
            if left[stage.name]:
                point = left[stage.name].popleft()
                killed_apply(life.engine, life.commit(stage), proxy, point)
            life.converges(LESS)
        life.converges(REMOVAL)
