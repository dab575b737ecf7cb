# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one process remembers of registries between requests: which of them want to be left alone, and their answers."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_LARGEST = 32 << 20  # bytes of answers, about


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An answer and its ETag, by which a registry confirms that it is still valid; without one it is valid for ever."""

    etag: str
    value: Any
    size: int  # bytes, about


class RegistryCache:
    """The answers and waits of a process, shared by all its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held_off: dict[str, float] = {}  # by host, until when (time.monotonic())
        self._answers: OrderedDict[tuple[str, str], CachedAnswer] = OrderedDict()
        self._size = 0
        self._under_way: set[str] = set()

    def hold_off(self, host: str, seconds: float) -> None:
        """Note that this host is to get no request for so many seconds."""
        with self._lock:
            self._held_off[host] = max(self._held_off.get(host, 0.0), time.monotonic() + seconds)

    def remaining_wait(self, host: str) -> float:
        """Return for how many seconds this host is to be left alone; 0 where it is not."""
        with self._lock:
            return max(0.0, self._held_off.get(host, 0.0) - time.monotonic())

    @contextlib.contextmanager
    def exclusive(self, key: str) -> Iterator[bool]:
        """Yield whether this is not under way already, so that a scan that never ends is not begun a second time."""
        with self._lock:
            first = key not in self._under_way
            self._under_way.add(key)
        try:
            yield first
        finally:
            if first:
                with self._lock:
                    self._under_way.discard(key)

    def get(self, login: str, address: str) -> CachedAnswer | None:
        """Return an earlier answer. `login` keeps apart what is shown to one account and not to another."""
        with self._lock:
            answer = self._answers.get((login, address))
            if answer is not None:
                self._answers.move_to_end((login, address))
            return answer

    def put(self, login: str, address: str, answer: CachedAnswer) -> None:
        """Remember an answer. Those that were not used for the longest time go where the cache becomes too large."""
        with self._lock:
            before = self._answers.pop((login, address), None)
            self._size += answer.size - (before.size if before else 0)
            self._answers[login, address] = answer
            while self._size > _LARGEST and self._answers:
                _key, oldest = self._answers.popitem(last=False)
                self._size -= oldest.size
