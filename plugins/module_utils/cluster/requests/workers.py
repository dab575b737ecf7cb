# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A function over many items at once, in a pool of threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Workers:
    """A pool of threads. A function that it runs may use the pool again: no call waits for a thread to come free.

    The calling thread works through its items itself, and threads that are free help it; so a call inside a call
    goes on even where all of them are taken.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="plumb-cluster")

    def close(self) -> None:
        """End the threads, after what they do now."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def map(
        self, function: Callable[[T], R], items: Iterable[T], asks: Callable[[T], bool] = lambda _item: True
    ) -> list[R]:
        """Return the results in the order of the items. Items that make no request come first, in the calling thread.

        After an exception nothing more is started; it is raised when what is under way has ended.
        """
        numbered = list(enumerate(items))
        results = {index: function(item) for index, item in numbered if not asks(item)}
        waiting = deque(pair for pair in numbered if pair[0] not in results)
        count = len(waiting)

        def work() -> None:
            while waiting:
                try:
                    index, item = waiting.popleft()
                except IndexError:  # another thread was faster
                    return
                try:
                    results[index] = function(item)
                finally:
                    if index not in results:
                        waiting.clear()

        # The deadline around this call holds in the helping threads as well.
        helpers = [
            self._pool.submit(copy_context().run, work) for _helper in range(min(count, self._threads) - 1)
        ]
        try:
            work()
        finally:
            # Nothing is left, unless this thread was interrupted. Helpers that have not begun are not needed any more.
            waiting.clear()
            helping = [helper for helper in helpers if not helper.cancel()]
            wait(helping)
        for helper in helping:
            helper.result()
        return [results[index] for index, _item in numbered]
