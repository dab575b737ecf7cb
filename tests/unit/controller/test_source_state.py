# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a remote is asked again (row 67): a silent one ever more rarely, one that answers at the interval."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.controller.core.source_state import (
    LONGEST_SILENCE,
    SourceState,
    after_answer,
    after_silence,
    silence_after,
)

CHANCES = st.floats(0, 1, exclude_max=True)


def test_a_silent_remote_is_asked_ever_more_rarely() -> None:
    waits = [silence_after(failures, 15, 0.5) for failures in range(1, 8)]
    assert waits == [15, 30, 60, 120, 240, 300, 300]
    assert silence_after(10**6, 15, 0.5) == LONGEST_SILENCE
    assert silence_after(3, 3600, 0.5) == 3600, "polls that are rarer stay as they are"


@given(st.integers(1, 10**9), st.floats(0.1, 86400), CHANCES)
def test_waits_of_many_remotes_differ_by_a_fifth_at_most(
    failures: int, interval: float, chance: float
) -> None:
    middle = silence_after(failures, interval, 0.5)
    assert 0.8 * middle * 0.999 <= silence_after(failures, interval, chance) <= 1.2 * middle * 1.001
    assert middle <= max(LONGEST_SILENCE, interval)


def test_the_state_says_since_when_a_remote_is_silent_and_forgets_it_with_the_answer() -> None:
    state = SourceState(asked=100.0)
    for number, (asked, now, next_try) in enumerate(((100.0, 120.0, 135.0), (135.0, 155.0, 185.0)), 1):
        state = after_silence(replace(state, asked=asked), "no end", now, 15, 0.5)
        assert (state.silent_since, state.failures, state.why, state.next_try) == (
            100.0,
            number,
            "no end",
            next_try,
        )
    state = after_answer(state, "c0ffee", 200.0, 15)
    assert (state.silent_since, state.failures, state.why) == (0.0, 0, "")
    assert (state.answered, state.next_try, state.commit) == (200.0, 215.0, "c0ffee")
    assert after_silence(state, "no end", 240.0, 15, 0.5).next_try == 255.0, "it begins anew"
