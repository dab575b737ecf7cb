# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trying again what may succeed a moment later: the loop of forges and registries, and the reader of Retry-After.

An attempt decides itself whether another one is worth it, since that depends on what failed. Requests to an API server
have a loop of their own (cluster/requests), which knows of writes that must not be repeated.
"""

from __future__ import annotations

import email.utils
import math
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import TypeVar

RETRIED = frozenset({429, 500, 502, 503, 504})  # statuses after which another try is worth it
_BUSY = frozenset({429, 503})  # those whose Retry-After counts
_LONGEST_WAIT = 3600.0  # seconds

T = TypeVar("T")


class TryAgain(Exception):
    """What an attempt raises where another one may succeed, after `wait` seconds; None: after the loop's pause."""

    def __init__(self, wait: float | None = None) -> None:
        super().__init__()
        self.wait = wait


def retry(attempt: Callable[[bool], T], *, tries: int, pause: float, until: float = math.inf) -> T:
    """Return what `attempt` returns. While it raises TryAgain it is called again, `tries` times in all.

    Its argument says whether it is the last call, which has to return or to raise an error of its own. The first pause
    takes about `pause` seconds, each further one twice as long; none is longer than half of what is left until `until`
    (`time.monotonic()`), so that the try after it has time too.
    """
    for tried in range(tries - 1):
        try:
            return attempt(False)
        except TryAgain as again:
            wait = again.wait
        if wait is None:
            jitter = random.uniform(0.5, 1.5)  # noqa: S311 - spreads load
            wait = min(pause * 2.0**tried * jitter, (until - time.monotonic()) / 2)
        time.sleep(max(0.0, wait))
    return attempt(True)


def requested_wait(status: int, headers: Mapping[str, str]) -> float | None:
    """Return the seconds, at most an hour, that a busy server asks to be left alone; None where it does not ask."""
    seconds = read_retry_after(headers.get("Retry-After")) if status in _BUSY else None
    return None if seconds is None else min(seconds, _LONGEST_WAIT)


def read_retry_after(text: str | None) -> float | None:
    """Return the seconds that a Retry-After asks for, a number or a date (RFC 9110, 10.2.3); None for anything else."""
    value = (text or "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = email.utils.parsedate_to_datetime(value)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0.0, seconds)
