# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one process knows of registries between questions: how long each wants to be left alone, and earlier answers."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_ROOM = 32 << 20  # bytes of answers, about


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer and the mark by which a registry says that it still holds; no mark: it holds for ever."""

    mark: str
    value: Any
    size: int


class Remembered:
    """Shared by all questions of a process, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, float] = {}  # by host, until when (time.monotonic())
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._size = 0
        self._under_way: set[str] = set()

    def hold(self, host: str, seconds: float) -> None:
        """Ask this host nothing for so many seconds."""
        with self._lock:
            self._held[host] = max(self._held.get(host, 0.0), time.monotonic() + seconds)

    def left(self, host: str) -> float:
        """For how many seconds this host is to be left alone; 0 where it is not."""
        with self._lock:
            return max(0.0, self._held.get(host, 0.0) - time.monotonic())

    @contextlib.contextmanager
    def alone(self, what: str) -> Iterator[bool]:
        """Whether nobody else asks this now: a question that never ends is not asked again and again beside itself."""
        with self._lock:
            first = what not in self._under_way
            self._under_way.add(what)
        try:
            yield first
        finally:
            if first:
                with self._lock:
                    self._under_way.discard(what)

    def recall(self, who: str, what: str) -> Kept | None:
        """An earlier answer. `who` keeps apart what is shown to one login and not to another."""
        with self._lock:
            found = self._kept.get((who, what))
            if found is not None:
                self._kept.move_to_end((who, what))
            return found

    def keep(self, who: str, what: str, kept: Kept) -> None:
        """Remember an answer; the ones that were not asked for the longest go where there is no room."""
        with self._lock:
            before = self._kept.pop((who, what), None)
            self._size += kept.size - (before.size if before else 0)
            self._kept[who, what] = kept
            while self._size > _ROOM and self._kept:
                _name, old = self._kept.popitem(last=False)
                self._size -= old.size
