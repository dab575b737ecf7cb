# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The retry of requests to the API server: tables of what may be tried again, how often, and after how long."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from ..errors import RequestError

LONGEST_RETRY_AFTER = 30.0  # seconds; a server that asks for more gets this
FIRST_PAUSE = 0.5  # seconds, doubled with each try
LONGEST_PAUSE = 8.0  # seconds
LONGEST_WAIT = 60.0  # seconds of pauses in one call


class Repeat(Enum):
    """What a second execution of a request would do."""

    SAFE = "safe"  # a read, or a write that names the state it expects or describes the whole result
    UNSENT_ONLY = "unsent only"  # a write that may run only once


class Trouble(Enum):
    """How far a failed attempt came."""

    UNSENT = "unsent"  # no connection: certainly not executed
    LOST = "lost"  # sent; the answer was cut off or could not be read
    SILENT = "silent"  # sent; no answer in time
    ANSWERED = "answered"  # the server refused


# Tries in all. After any other status there is no further try.
_TRIES_BY_STATUS = {429: 5, 500: 3, 502: 5, 503: 5, 504: 3}
_TRIES = {Trouble.UNSENT: 5, Trouble.LOST: 5, Trouble.SILENT: 2}
# After these the server, or the one behind the gateway that answered, may have carried the request out.
_MAYBE_EXECUTED = frozenset({408, 502, 504})


class RequestFailure(Exception):
    """A failed attempt: its error, and what the retry tables need to know."""

    def __init__(
        self, error: RequestError, trouble: Trouble, *, retry_after: float | None = None, final: bool = False
    ) -> None:
        super().__init__(error)
        self.error = error
        self.trouble = trouble
        self.retry_after = retry_after
        self.final = final

    @property
    def executed(self) -> bool:
        """Whether the server may have carried the request out."""
        if self.trouble is Trouble.ANSWERED:
            return self.error.status in _MAYBE_EXECUTED
        return self.trouble is not Trouble.UNSENT

    def tries(self, repeat: Repeat) -> int:
        """Return how many tries a request of this sort gets in all when it fails like this."""
        if self.final or self.error.answer.defect or (repeat is Repeat.UNSENT_ONLY and self.executed):
            return 1
        if self.trouble is Trouble.ANSWERED:
            return _TRIES_BY_STATUS.get(self.error.status, 1)
        return _TRIES[self.trouble]


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, which tests replace so that they need not wait."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform


def pause(tried: int, retry_after: float | None, clock: Clock) -> float:
    """Return seconds before the next try, after `tried` of them: exponential with full jitter, or what the server asks.

    Full jitter: Marc Brooker, "Exponential Backoff And Jitter". Retry-After is a minimum, so it gets a little on top.
    """
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (tried - 1))
    if retry_after is None:
        return clock.uniform(0.0, longest)
    return min(retry_after, LONGEST_RETRY_AFTER) + clock.uniform(0.0, FIRST_PAUSE)
