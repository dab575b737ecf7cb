# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A function over many items at once, without waiting for those that do not end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_GRACE = 5.0  # seconds: `work` notices its own deadline first, and says more


def side_by_side(
    work: Callable[[_Item], _Result], items: Sequence[_Item], *, width: int, until: float
) -> dict[int, _Result]:
    """Return the results by the item's number, without those that did not come by `until` (`time.monotonic()`).

    The first error of `work` is raised here, once all others have ended. The threads are daemons, unlike those of a
    pool, so that a server that sends its answer byte by byte does not keep the process from ending.
    """
    results: dict[int, _Result] = {}
    raised: list[BaseException] = []
    waiting = list(enumerate(items))[::-1]
    lock = threading.Lock()

    def run() -> None:
        while True:
            with lock:
                if not waiting or raised:
                    return
                number, item = waiting.pop()
            try:
                result = work(item)
            except BaseException as error:  # noqa: BLE001 - it is raised again, in the calling thread
                with lock:
                    raised.append(error)
                return
            with lock:
                results[number] = result

    threads = [threading.Thread(target=run, daemon=True) for _thread in range(min(width, len(items)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until + _GRACE - time.monotonic()))
    with lock:
        if raised:
            raise raised[0]
        return dict(results)
