# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of one source, and when it is asked again. Values and arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .schedule import doubled_pause

LONGEST_SILENCE = (
    300.0  # seconds between two questions to a remote that does not answer, if polls are not rarer
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What the remote of one source answered. Times are seconds since the epoch, 0 where there was none."""

    asked: float = 0.0
    answered: float = 0.0
    silent_since: float = 0.0  # of the first question in a row that it did not answer
    why: str = ""  # it does not answer, or what it answered could not be pulled
    failures: int = 0  # questions in a row without an answer, since somebody last asked for an answer at once
    next_try: float = 0.0
    commit: str = ""  # the last answer


def silence_after(failures: int, poll_interval: float, chance: float) -> float:
    """Return the seconds until a remote is asked again, after `failures` questions in a row without an answer.

    They double from `poll_interval` on. `chance` is drawn from [0, 1); waits of many remotes differ by up to a fifth.
    """
    return doubled_pause(poll_interval, max(LONGEST_SILENCE, poll_interval), failures, chance)


def after_answer(state: SourceState, commit: str, now: float, poll_interval: float) -> SourceState:
    """Return the state after the remote answered `now` that its ref is at a commit."""
    return replace(
        state,
        answered=now,
        silent_since=0.0,
        why="",
        failures=0,
        next_try=now + poll_interval,
        commit=commit,
    )


def after_silence(
    state: SourceState, why: str, now: float, poll_interval: float, chance: float
) -> SourceState:
    """Return the state after a question that was not answered until `now`."""
    failures = state.failures + 1
    return replace(
        state,
        silent_since=state.silent_since or state.asked,
        why=why,
        failures=failures,
        next_try=now + silence_after(failures, poll_interval, chance),
    )
