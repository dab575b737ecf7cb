# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A circuit breaker: when an API server fails for all objects, a run stops sending it a request for each.

Reads, dry-runs and writes have a circuit each, since a server may throttle or refuse one of them alone.

    closed --5 different paths fail in a row--> open --pause--> half open: one request is the probe
      ^                                           ^                 |          |
      +-------------- any request succeeds -------|-----------------+          |
                                                  +--- the probe fails --------+--4 probes, or 50 s--> stopped

While a circuit is open its requests wait; none of them uses up its own tries. Probes have different paths as far as
others wait, so that one bad object does not decide for the server. A breaker that has stopped lets nothing through any
more: a run has one connection, and the next run begins with a new one.

An error about one object (a validation, a policy, a webhook) is an answer, and counts as success here.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from ..errors import CircuitOpen, Forbidden, LeaseLost, RequestError, Unauthorized
from .retry import FIRST_PAUSE, LONGEST_PAUSE, LONGEST_RETRY_AFTER, Clock, RequestFailure, Trouble

TRIP = (
    5  # different paths that fail in a row, until requests wait; fewer where fewer requests are made at once
)
PROBES = 4  # that fail, until nothing is sent any more
LONGEST_OUTAGE = 50.0  # seconds from the first failure, until nothing is sent any more
_OF_THE_SERVER = frozenset({408, 429, 500, 502, 503, 504})

T = TypeVar("T")


class Traffic(Enum):
    """Requests that may fail together while others succeed."""

    READS = "reads"
    DRY_RUNS = "dry-runs"
    WRITES = "writes"


def blames_server(error: RequestError, traffic: Traffic) -> bool:
    """Return whether an error is of the server, the network or the credentials, and not of this one object."""
    if isinstance(error, Unauthorized) or not error.status:
        return True
    if isinstance(error, Forbidden):
        # An account that may only read plans without dry-runs, and lists by namespace what it may not list as a whole.
        return traffic is Traffic.WRITES and error.answer.rights_missing
    of_object = error.answer.defect or error.answer.webhook_failed
    return error.status in _OF_THE_SERVER and not of_object


@dataclass(slots=True)
class _Circuit:
    failing: set[str] = field(default_factory=set)  # paths that failed since the last success
    failures: int = 0  # since then
    began: float = 0.0  # when the first of them was sent
    is_open: bool = False
    is_probing: bool = False
    not_before: float = 0.0  # when the next probe is due
    probes: int = 0  # that failed
    probed: set[str] = field(default_factory=set)
    # Paths that failed while others succeeded, which is no sign of an outage.
    alone: set[str] = field(default_factory=set)
    waiting: Counter[str] = field(default_factory=Counter)  # paths

    def may_probe(self, path: str) -> bool:
        """Return whether a request to this path may be the next probe; a path that was one comes after the others."""
        worse = self.probed | self.alone
        return not self.is_probing and (path not in worse or not self.waiting.keys() - worse)

    def close(self) -> None:
        self.alone |= self.failing
        self.failing.clear()
        self.failures = 0
        self.probed.clear()
        self.is_open, self.probes = False, 0


class CircuitBreaker:
    """The circuits of one connection. Thread-safe."""

    def __init__(self, server: str, clock: Clock, concurrency: int = TRIP) -> None:
        self._server = server
        self._trip = max(2, min(TRIP, concurrency))
        self._clock = clock
        self._changed = threading.Condition()
        self._circuits = {traffic: _Circuit() for traffic in Traffic}
        self._stopped: CircuitOpen | None = None

    @property
    def stopped(self) -> CircuitOpen | None:
        """Why nothing is sent any more; None while requests are."""
        return self._stopped

    def is_open(self, traffic: Traffic) -> bool:
        """Return whether such requests wait, or are not sent any more."""
        return self._stopped is not None or self._circuits[traffic].is_open

    def call(self, traffic: Traffic, path: str, attempt: Callable[[], T], until: float | None) -> T:
        """Make an attempt as soon as one may be made, at the latest at `until`, and count its result.

        Raises what `attempt` raises, and CircuitOpen where none may be made any more.
        """
        is_probe = self._admit(traffic, path, until)
        sent = self._clock.now()
        try:
            result = attempt()
        except RequestFailure as failure:
            self._failed(traffic, path, failure, sent, is_probe=is_probe)
            raise
        finally:
            if is_probe:
                self._release(traffic)
        self._succeeded(traffic)
        return result

    def _admit(self, traffic: Traffic, path: str, until: float | None) -> bool:
        """Wait for the turn of a request; return whether it is a probe."""
        circuit = self._circuits[traffic]
        if not circuit.is_open and self._stopped is None:
            return False
        with self._changed:
            circuit.waiting[path] += 1
            try:
                while circuit.is_open and self._stopped is None and not circuit.may_probe(path):
                    left = None if until is None else until - self._clock.now()
                    if left is not None and left <= 0:
                        return False  # the attempt raises that the time is over
                    self._changed.wait(left)
            finally:
                circuit.waiting -= Counter({path: 1})
            if self._stopped is not None:
                raise self._stopped.copy()
            if not circuit.is_open:
                return False
            circuit.is_probing = True
            circuit.probed.add(path)
            pause = circuit.not_before - self._clock.now()
        if until is not None:
            pause = min(pause, until - self._clock.now())
        if pause > 0:
            self._clock.sleep(pause)
        return True

    def _release(self, traffic: Traffic) -> None:
        with self._changed:
            self._circuits[traffic].is_probing = False
            self._changed.notify_all()

    def _succeeded(self, traffic: Traffic) -> None:
        circuit = self._circuits[traffic]
        if circuit.failing or circuit.is_open:
            with self._changed:
                circuit.close()
                self._changed.notify_all()

    def _failed(
        self, traffic: Traffic, path: str, failure: RequestFailure, sent: float, *, is_probe: bool
    ) -> None:
        if isinstance(failure.error, LeaseLost) or (failure.final and failure.trouble is Trouble.UNSENT):
            return  # it was not sent
        if not blames_server(failure.error, traffic):
            self._succeeded(traffic)
            return
        with self._changed:
            circuit = self._circuits[traffic]
            if path in circuit.alone and not circuit.is_open:
                return
            if not circuit.failing:
                circuit.began = sent
            circuit.failing.add(path)
            circuit.failures += 1
            circuit.probes += is_probe
            if is_probe or (not circuit.is_open and self._trips(circuit)):
                self._open(traffic, circuit, failure)
                self._changed.notify_all()

    def _trips(self, circuit: _Circuit) -> bool:
        """Return whether enough different paths failed; one path alone is never enough, however often it fails."""
        paths = len(circuit.failing)
        return paths >= self._trip or (paths > 1 and circuit.failures >= 2 * self._trip)

    def _open(self, traffic: Traffic, circuit: _Circuit, failure: RequestFailure) -> None:
        """Open the circuit: set when the next probe is due, or that there is none any more."""
        circuit.is_open = True
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**circuit.probes)
        pause = self._clock.uniform(longest / 2, longest)
        pause = max(pause, min(failure.retry_after or 0.0, LONGEST_RETRY_AFTER))
        circuit.not_before = self._clock.now() + pause
        over = circuit.not_before - circuit.began > LONGEST_OUTAGE
        if self._stopped is None and (circuit.probes >= PROBES or over):
            self._stopped = CircuitOpen(
                f"cluster {self._server}",
                f"sending {traffic.value}",
                f"several in a row failed, of different objects, the last with: {failure.error.reason}",
                f"The run was stopped and writes nothing more. {failure.error.next_step}".strip(),
            )
