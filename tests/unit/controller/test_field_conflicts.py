# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a change is a conflict, and how long its app waits then. The clock is the test's."""

from __future__ import annotations

from ansible_collections.plumb.gitops.controller.watch.conflicts import (
    FIRST_WAIT,
    IDLE_RUNS,
    LONGEST_WAIT,
    REVERTS,
    WINDOW,
    ConflictKey,
    FieldConflicts,
)

IMAGE = ConflictKey(app="shop", object="Deployment shop/cart", path="spec.replicas", manager="kubectl")


def test_the_third_revert_within_ten_minutes_is_a_field_conflict_and_is_returned_once() -> None:
    conflicts = FieldConflicts()
    conflicts_begun = [conflicts.reverted(IMAGE, now) for now in (0.0, 100.0, 200.0, 300.0)]
    assert [bool(conflict) for conflict in conflicts_begun] == [False, False, True, False]
    (conflict,) = conflicts.present(300.0)
    assert (conflict.key, conflict.reverts, conflict.since) == (IMAGE, REVERTS + 1, 0.0)


def test_reverts_far_apart_are_none() -> None:
    conflicts = FieldConflicts()
    assert not any(conflicts.reverted(IMAGE, number * WINDOW * 0.6) for number in range(20))


def test_another_field_object_or_manager_is_another_matter() -> None:
    conflicts = FieldConflicts()
    others = [
        ConflictKey(app="shop", object="Deployment shop/cart", path="spec.paused", manager="kubectl"),
        ConflictKey(app="shop", object="Deployment shop/web", path="spec.replicas", manager="kubectl"),
        ConflictKey(app="shop", object="Deployment shop/cart", path="spec.replicas", manager="keda"),
    ]
    assert not any(conflicts.reverted(key, now) for now, key in enumerate([IMAGE, *others] * (REVERTS - 1)))


def test_the_app_waits_longer_each_time_and_no_other_app_does() -> None:
    conflicts, now, waits = FieldConflicts(), 0.0, []
    for _revert in range(REVERTS + 8):
        conflicts.reverted(IMAGE, now)
        waits.append(conflicts.wait("shop", now))
        assert conflicts.wait("payments", now) == 0.0
        now += waits[-1]
    assert waits[: REVERTS + 3] == [0.0] * (REVERTS - 1) + [FIRST_WAIT, 60.0, 120.0, 240.0]
    assert waits[-1] == LONGEST_WAIT


def test_it_is_over_when_nothing_was_set_back_for_long() -> None:
    conflicts = FieldConflicts()
    for now in (0.0, 1.0, 2.0):
        conflicts.reverted(IMAGE, now)
    assert conflicts.wait("shop", 2.0) == FIRST_WAIT
    assert conflicts.wait("shop", 3.0 + FIRST_WAIT) == 0.0
    assert conflicts.present(2.0 + FIRST_WAIT + WINDOW)
    assert not conflicts.present(3.0 + FIRST_WAIT + WINDOW)
    assert not conflicts.reverted(IMAGE, 4.0 + FIRST_WAIT + WINDOW)


def test_an_object_that_wakes_the_agent_for_nothing_makes_its_app_wait_too() -> None:
    conflicts = FieldConflicts()
    conflicts_begun = [
        conflicts.ran_for_nothing("shop", "Deployment.apps shop/cart", float(now)) for now in range(IDLE_RUNS)
    ]
    assert [bool(conflict) for conflict in conflicts_begun] == [False] * (IDLE_RUNS - 1) + [True]
    assert conflicts.present(IDLE_RUNS)[0].reverts == 0
    assert conflicts.wait("shop", IDLE_RUNS - 1.0) == FIRST_WAIT


def test_nothing_is_kept_for_ever() -> None:
    conflicts = FieldConflicts()
    for number in range(1000):
        conflicts.reverted(ConflictKey(app="shop", object=str(number)), float(number * 100))
    assert len(conflicts._times) <= WINDOW / 100 + 1
