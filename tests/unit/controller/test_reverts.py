# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reverts are counted over time: in bounded room, over a restart, and by an agent of 0.1.0 that reads the file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.controller.store.history import (
    History,
    read_history,
    write_history,
)
from ansible_collections.plumb.gitops.controller.store.reverts import (
    MOST_APPS,
    Slots,
    add_reverts,
    count_reverts,
)

NOON = 1_800_000_000.0
HOUR, DAY = 3600.0, 86_400.0
AGES = [  # how long ago it was reverted, and where it counts
    (0.0, {"hour": 1, "day": 1, "week": 1}),
    (0.9 * HOUR, {"hour": 1, "day": 1, "week": 1}),
    (2.5 * HOUR, {"hour": 0, "day": 1, "week": 1}),
    (22 * HOUR, {"hour": 0, "day": 1, "week": 1}),
    (2 * DAY, {"hour": 0, "day": 0, "week": 1}),
    (6.5 * DAY, {"hour": 0, "day": 0, "week": 1}),
    (8 * DAY, {"hour": 0, "day": 0, "week": 0}),
]


@pytest.mark.parametrize(("age", "expected"), AGES)
def test_a_revert_counts_as_long_as_it_is_not_older(age: float, expected: dict[str, int]) -> None:
    slots = add_reverts({}, {"shop": 1}, NOON - age)
    assert count_reverts(slots["shop"], NOON) == expected
    later = add_reverts(slots, {"cart": 1}, NOON)  # a later run makes its slot wider
    assert count_reverts(later.get("shop", ()), NOON) == expected


def test_each_minute_for_two_weeks_takes_few_slots_and_counts_all() -> None:
    slots: dict[str, Slots] = {}
    for minute in range(14 * 24 * 60):
        slots = add_reverts(slots, {"shop": 2}, NOON + 60 * minute)
        assert len(slots["shop"]) <= 67
    counts = count_reverts(slots["shop"], NOON + 60 * minute)
    for word, seconds, width in (("hour", HOUR, 300), ("day", DAY, HOUR), ("week", 7 * DAY, 6 * HOUR)):
        assert abs(counts[word] - 2 * seconds / 60) <= 2 * width / 60, word


def test_an_app_that_was_never_reverted_has_no_slots() -> None:
    assert add_reverts({}, {"shop": 0}, NOON) == {}
    assert count_reverts((), NOON) == {"hour": 0, "day": 0, "week": 0}


def test_the_number_of_apps_is_bounded_and_the_last_ones_stay() -> None:
    slots = add_reverts({}, {f"old{number}": 1 for number in range(MOST_APPS)}, NOON - HOUR)
    slots = add_reverts(slots, {"new": 1}, NOON)
    assert len(slots) == MOST_APPS
    assert "new" in slots


def test_reverts_are_kept_on_disk_beside_what_0_1_0_reads(tmp_path: Path) -> None:
    history = History(reverts=add_reverts({}, {"shop": 3}, NOON))
    write_history(tmp_path, "prod", history)
    assert read_history(tmp_path, "prod") == history
    written = json.loads((tmp_path / "prod").read_text(encoding="utf-8").partition("\n")[0])
    assert (written["kind"], written["format"]) == ("plumb.gitops/history", 1)
    older = dataclasses.asdict(history)
    del older["reverts"]
    write_history(tmp_path, "older", History(**older))
    assert read_history(tmp_path, "older").reverts == {}
