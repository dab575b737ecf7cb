# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishes which clusters have changed, and never how, so that no subscriber can fall behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

MOST_LISTENERS = 64


class FullError(Exception):
    """There are as many subscribers as there may be."""


class Subscriber:
    """Collects the names of changed clusters until they are taken, each once."""

    def __init__(self) -> None:
        self._changed: set[str] = set()
        self._moved = asyncio.Event()
        self.is_over = False

    def add(self, cluster: str) -> None:
        """Add a cluster that has changed."""
        self._changed.add(cluster)
        self._moved.set()

    def end(self) -> None:
        """End the subscription."""
        self.is_over = True
        self._moved.set()

    async def take(self, seconds: float) -> tuple[str, ...]:
        """Return the clusters that have changed, as soon as there are any; none after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._moved.wait()
        self._moved.clear()
        taken = tuple(sorted(self._changed))
        self._changed.clear()
        return taken


class EventBroker:
    """All subscribers, and a number that grows with each change."""

    def __init__(self) -> None:
        self.version = 0
        self._versions: dict[str, int] = {}  # by cluster: that of its last change
        self._listeners: set[Subscriber] = set()
        self._is_over = False

    def changed(self, cluster: str) -> None:
        """Publish that a cluster has changed."""
        self.version += 1
        self._versions[cluster] = self.version
        for listener in self._listeners:
            listener.add(cluster)

    def version_of(self, cluster: str) -> int:
        """Return the number of a cluster's last change; 0 where it has not changed since the start."""
        return self._versions.get(cluster, 0)

    def end(self) -> None:
        """End all subscriptions, those to come too."""
        self._is_over = True
        for listener in self._listeners:
            listener.end()

    @contextlib.contextmanager
    def listening(self) -> Iterator[Subscriber]:
        """Yield a subscriber, as long as the block lasts. Raises FullError."""
        if len(self._listeners) >= MOST_LISTENERS:
            raise FullError
        listener = Subscriber()
        if self._is_over:
            listener.end()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
