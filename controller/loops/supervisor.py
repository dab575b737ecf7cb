# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the agent's loops going: one that ends by a defect is begun again, and the others go on."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ..core.instants import instant
from ..core.log import Log
from ..core.schedule import doubled_pause

FIRST_PAUSE = 1.0  # seconds before a loop is begun again; doubled with each failure in a row
LONGEST_PAUSE = 300.0
_SETTLED = 900.0  # seconds after which a loop that goes on counts as healthy again


@dataclass(slots=True)
class LoopFailure:
    """A loop that ended by a defect: how often in a row, why, and when last (seconds since 1970)."""

    times: int
    why: str
    at: float


class Supervisor:
    """Runs loops for ever. `restarted` is called with a loop's name each time that one is begun again."""

    def __init__(self, log: Log, restarted: Callable[[str], None]) -> None:
        self._log = log
        self._restarted = restarted
        self._failures: dict[str, LoopFailure] = {}

    async def run_forever(self, name: str, loop: Callable[[], Awaitable[None]], cluster: str = "") -> None:
        """Run a loop, made anew by `loop` each time, until this is cancelled."""
        try:
            while True:
                began = time.monotonic()
                try:
                    await loop()
                    why = "it came to an end"
                except Exception as error:  # noqa: BLE001 - whatever the defect, the other loops go on
                    cause = _first_of(error)
                    why = f"{type(cause).__name__}: {cause}"
                await self._pause(name, why, cluster, lasted=time.monotonic() - began)
        finally:
            self._failures.pop(name, None)

    async def _pause(self, name: str, why: str, cluster: str, *, lasted: float) -> None:
        before = self._failures.get(name)
        times = before.times + 1 if before is not None and lasted < _SETTLED else 1
        self._failures[name] = LoopFailure(times, why, time.time())
        seconds = doubled_pause(FIRST_PAUSE, LONGEST_PAUSE, times, random.random())  # noqa: S311 - spreads load
        self._restarted(name)
        about = {"cluster": cluster} if cluster else {}
        self._log.error(
            "loop failed",
            loop=name,
            **about,
            why=why,
            instead=f"begun again in {seconds:.0f} s, the others go on; please report this as a defect of Plumb",
        )
        await asyncio.sleep(seconds)

    def status(self) -> list[dict[str, Any]]:
        """Return the loops that failed lately, as the agent's status shows them."""
        now = time.time()
        return [
            {
                "loop": name,
                "failures": failure.times,
                "why": failure.why,
                "at": instant(failure.at),
            }
            for name, failure in sorted(self._failures.items())
            if now - failure.at < _SETTLED
        ]


def _first_of(error: Exception) -> Exception:
    """Return the error, or the first one of a group: a loop may have several tasks."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def log_unhandled(log: Log) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """Return an exception handler for an event loop, which logs in a line what nobody has caught."""

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        why = f"{type(error).__name__}: {error}" if error is not None else context.get("message", "")
        log.error(
            "unexpected failure", why=why, instead="all else goes on; please report this as a defect of Plumb"
        )

    return handle
