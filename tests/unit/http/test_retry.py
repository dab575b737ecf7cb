# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that tries again, by a clock of its own, and what a Retry-After says."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.http.retry import (
    TryAgain,
    read_retry_after,
    requested_wait,
    retry,
)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    monkeypatch.setattr("random.uniform", lambda _low, high: high)
    return slept


class Attempts:
    """Attempts of which the first `failing` ask for another one."""

    def __init__(self, failing: int, wait: float | None = None) -> None:
        self.failing, self.wait = failing, wait
        self.made: list[bool] = []

    def __call__(self, last: bool) -> str:
        self.made.append(last)
        if len(self.made) > self.failing:
            return "done"
        if last:
            raise LookupError("its own error")
        raise TryAgain(self.wait)


def test_what_succeeds_is_not_tried_again(pauses):
    attempts = Attempts(failing=0)
    assert retry(attempts, tries=3, pause=1.0) == "done"
    assert (attempts.made, pauses) == ([False], [])


def test_pauses_double_and_are_jittered(pauses):
    attempts = Attempts(failing=3)
    assert retry(attempts, tries=4, pause=1.0) == "done"
    assert attempts.made == [False, False, False, True]
    assert pauses == [1.5, 3.0, 6.0]


def test_the_last_attempt_raises_its_own_error_and_nothing_is_waited_after_it(pauses):
    attempts = Attempts(failing=9)
    with pytest.raises(LookupError):
        retry(attempts, tries=3, pause=1.0)
    assert len(attempts.made) == 3
    assert len(pauses) == 2


def test_one_try_is_the_last(pauses):
    with pytest.raises(LookupError):
        retry(Attempts(failing=1), tries=1, pause=1.0)
    assert pauses == []


def test_a_pause_leaves_half_of_the_time_to_the_try_after_it(pauses):
    retry(Attempts(failing=2), tries=3, pause=100.0, until=time.monotonic() + 7)
    assert all(3 < seconds <= 3.5 for seconds in pauses)
    pauses.clear()
    retry(Attempts(failing=1), tries=2, pause=100.0, until=time.monotonic() - 7)
    assert pauses == [0.0]


def test_an_attempt_may_say_how_long_to_wait(pauses):
    retry(Attempts(failing=2, wait=4.0), tries=3, pause=100.0)
    assert pauses == [4.0, 4.0]


def test_other_errors_are_not_tried_again(pauses):
    with pytest.raises(ZeroDivisionError):
        retry(lambda _last: 1 // 0, tries=3, pause=1.0)
    assert pauses == []


def test_retry_after_is_read_as_seconds_or_as_a_date():
    assert read_retry_after("7") == 7.0
    soon = read_retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True))
    assert soon is not None
    assert 90 < soon <= 100
    assert read_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    for text in (None, "", "soon", "-1", "1e9", "٣"):
        assert read_retry_after(text) is None


@pytest.mark.parametrize(
    "text", ["Wed, 99 Oct 2015", "Wed, 21 Oct 99999999 07:28:00 GMT", "x" * 9999, "9" * 5000 + "x"]
)
def test_a_retry_after_that_is_none_is_none(text):
    assert read_retry_after(text) is None


def test_a_date_without_a_zone_is_in_utc():
    moment = (datetime.now(UTC) + timedelta(seconds=100)).strftime("%a, %d %b %Y %H:%M:%S -0000")
    assert 90 < (read_retry_after(moment) or 0) <= 100


def test_only_a_busy_server_is_waited_for_and_an_hour_at_most():
    assert requested_wait(503, {"Retry-After": "7"}) == 7.0
    assert requested_wait(429, {"Retry-After": "9" * 5000}) == 3600.0
    assert requested_wait(500, {"Retry-After": "7"}) is None
    assert requested_wait(429, {}) is None
