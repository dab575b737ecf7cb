# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a change is a fight, and how long its app waits then. The clock is the test's."""

from __future__ import annotations

from ansible_collections.plumb.gitops.controller.watch.conflicts import (
    FIRST_WAIT,
    LONGEST_WAIT,
    REVERTS,
    WAKES,
    WINDOW,
    ConflictKey,
    FieldConflicts,
)

IMAGE = ConflictKey(app="shop", object="Deployment shop/cart", path="spec.replicas", manager="kubectl")


def test_the_third_revert_within_ten_minutes_is_a_fight_and_is_said_once() -> None:
    fights = FieldConflicts()
    said = [fights.reverted(IMAGE, now) for now in (0.0, 100.0, 200.0, 300.0)]
    assert [bool(fight) for fight in said] == [False, False, True, False]
    (fight,) = fights.present(300.0)
    assert (fight.rival, fight.reverts, fight.since) == (IMAGE, REVERTS + 1, 0.0)


def test_reverts_far_apart_are_none() -> None:
    fights = FieldConflicts()
    assert not any(fights.reverted(IMAGE, number * WINDOW * 0.6) for number in range(20))


def test_another_field_object_or_manager_is_another_matter() -> None:
    fights = FieldConflicts()
    others = [
        ConflictKey(app="shop", object="Deployment shop/cart", path="spec.paused", manager="kubectl"),
        ConflictKey(app="shop", object="Deployment shop/web", path="spec.replicas", manager="kubectl"),
        ConflictKey(app="shop", object="Deployment shop/cart", path="spec.replicas", manager="keda"),
    ]
    assert not any(fights.reverted(one, now) for now, one in enumerate([IMAGE, *others] * (REVERTS - 1)))


def test_the_app_waits_longer_each_time_and_no_other_app_does() -> None:
    fights, now, waits = FieldConflicts(), 0.0, []
    for _revert in range(REVERTS + 8):
        fights.reverted(IMAGE, now)
        waits.append(fights.wait("shop", now))
        assert fights.wait("payments", now) == 0.0
        now += waits[-1]
    assert waits[: REVERTS + 3] == [0.0] * (REVERTS - 1) + [FIRST_WAIT, 60.0, 120.0, 240.0]
    assert waits[-1] == LONGEST_WAIT


def test_it_is_over_when_nothing_was_reverted_for_long() -> None:
    fights = FieldConflicts()
    for now in (0.0, 1.0, 2.0):
        fights.reverted(IMAGE, now)
    assert fights.wait("shop", 2.0) == FIRST_WAIT
    assert fights.wait("shop", 3.0 + FIRST_WAIT) == 0.0
    assert fights.present(2.0 + FIRST_WAIT + WINDOW)
    assert not fights.present(3.0 + FIRST_WAIT + WINDOW)
    assert not fights.reverted(IMAGE, 4.0 + FIRST_WAIT + WINDOW)


def test_an_object_that_wakes_the_agent_for_nothing_makes_its_app_wait_too() -> None:
    fights = FieldConflicts()
    said = [fights.woken("shop", "Deployment.apps shop/cart", float(now)) for now in range(WAKES)]
    assert [bool(fight) for fight in said] == [False] * (WAKES - 1) + [True]
    assert fights.present(WAKES)[0].reverts == 0
    assert fights.wait("shop", WAKES - 1.0) == FIRST_WAIT


def test_nothing_is_kept_for_ever() -> None:
    fights = FieldConflicts()
    for number in range(1000):
        fights.reverted(ConflictKey(app="shop", object=str(number)), float(number * 100))
    assert len(fights._times) <= WINDOW / 100 + 1
