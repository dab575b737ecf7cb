# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the next run is due."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.controller.core.schedule import (
    Pace,
    Trigger,
    merge_triggers,
    wait_after,
)

PACES = st.builds(Pace, st.floats(0.001, 604800), st.integers(0, 100))
CHANCES = st.floats(0, 1, exclude_max=True)


def test_a_failure_is_tried_again_soon_and_then_ever_later() -> None:
    pace = Pace(300, 0)
    assert [wait_after(pace, failed, 0.5) for failed in range(8)] == [300, 10, 20, 40, 80, 160, 300, 300]


@given(PACES, st.integers(0, 10**9), CHANCES)
def test_a_wait_is_never_longer_than_the_interval_and_its_jitter(
    pace: Pace, failed: int, chance: float
) -> None:
    wait = wait_after(pace, failed, chance)
    assert 0 <= wait <= pace.interval * (1 + pace.jitter / 100) * 1.000001


@given(PACES, CHANCES)
def test_jitter_is_a_percentage_of_the_interval(pace: Pace, chance: float) -> None:
    assert abs(wait_after(pace, 0, chance) - pace.interval) <= pace.interval * pace.jitter / 100 + 1e-6


def test_what_asks_for_runs_meanwhile_is_answered_by_one() -> None:
    shop, cart = (
        Trigger("sync by request", frozenset({"shop"})),
        Trigger("sync by request", frozenset({"cart"})),
    )
    assert merge_triggers(None, shop) == shop
    assert merge_triggers(shop, cart) == Trigger("sync by request", frozenset({"shop", "cart"}))
    both = merge_triggers(merge_triggers(shop, Trigger("fleet moved")), Trigger("fleet moved"))
    assert both == Trigger("sync by request, fleet moved")
