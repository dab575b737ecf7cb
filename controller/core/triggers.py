# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wakeups: work that is done at an interval anyway may be asked for sooner."""

from __future__ import annotations

import asyncio
from enum import Enum


class Work(Enum):
    """Work that is done at an interval of its own."""

    PULL = "pull"  # asking remotes whether a ref has moved
    IMAGES = "images"  # asking registries for new tags
    PREVIEWS = "previews"  # previews of open pull requests


class Wakeups:
    """Ends the waits of loops early. Wakeups of the same work that come while it is being done count as one."""

    def __init__(self) -> None:
        self._events = {work: asyncio.Event() for work in Work}
        self._names: dict[Work, set[str]] = {work: set() for work in Work}

    def wake(self, work: Work, names: tuple[str, ...] = ()) -> None:
        """Have the work done now: for these names (the sources of a pull), or without names for all."""
        self._names[work] |= set(names) or {""}
        self._events[work].set()

    async def wait(self, work: Work, seconds: float | None = None) -> frozenset[str] | None:
        """Wait until a wakeup, at most `seconds`. Return its names, empty for all; None if the time is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._events[work].wait()
        except TimeoutError:
            return None
        self._events[work].clear()
        names, self._names[work] = self._names[work], set()
        return frozenset() if "" in names else frozenset(names)
