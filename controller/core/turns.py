# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns: how many clusters have a run at once, and which is next. Never two turns of one cluster.

A run that has lasted `OVERTIME` seconds mostly waits for a server and needs little of the processors, so it no longer
counts against the number of turns; `MOST_IN_ALL` times that number is the bound of all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from .schedule import Urgency

OVERTIME = 10.0  # seconds
MOST_IN_ALL = 8  # times the number of turns


@dataclass(slots=True, eq=False)
class _Waiter:
    urgency: Callable[[], Urgency]
    since: float
    starved_at: float
    ready: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns:
    """Grants turns. `most` is asked each time: it may change with the configuration."""

    def __init__(self, most: Callable[[], int], overtime: float = OVERTIME) -> None:
        self._most = most
        self._overtime = overtime
        self._running: set[object] = set()
        self._late: set[object] = set()  # of those that run: in overtime
        self._waiting: list[_Waiter] = []

    @property
    def waiting(self) -> int:
        """How many clusters wait for a turn."""
        return len(self._waiting)

    @contextlib.asynccontextmanager
    async def turn(self, urgency: Callable[[], Urgency], patience: float) -> AsyncIterator[None]:
        """Wait for a turn and hold it. `urgency` is asked whenever a turn is free, since it may grow meanwhile.

        Who has waited `patience` seconds goes before all who have not, so that none starves.
        """
        clock = asyncio.get_running_loop()
        waiter = _Waiter(urgency, clock.time(), clock.time() + patience)
        self._waiting.append(waiter)
        self._grant()
        try:
            await waiter.ready
        except asyncio.CancelledError:
            if waiter.ready.done() and not waiter.ready.cancelled():
                self._end(waiter)
            else:
                self._waiting.remove(waiter)
            raise
        timer = clock.call_later(self._overtime, self._go_into_overtime, waiter)
        try:
            yield
        finally:
            timer.cancel()
            self._end(waiter)

    def _go_into_overtime(self, waiter: _Waiter) -> None:
        self._late.add(waiter)
        self._grant()

    def _end(self, waiter: _Waiter) -> None:
        self._running.discard(waiter)
        self._late.discard(waiter)
        self._grant()

    def _grant(self) -> None:
        most = self._most()
        now = asyncio.get_running_loop().time()
        while (
            self._waiting
            and len(self._running) - len(self._late) < most
            and len(self._running) < most * MOST_IN_ALL
        ):
            first = min(self._waiting, key=lambda waiter: _order(waiter, now))
            self._waiting.remove(first)
            self._running.add(first)
            first.ready.set_result(None)


def _order(waiter: _Waiter, now: float) -> tuple[int, float]:
    """Return what waiters are sorted by: those who starve, then by urgency, then by age."""
    return (-1 if now >= waiter.starved_at else waiter.urgency().value, waiter.since)
