# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last moment before a request leaves: the connection is taken and stands, and no byte is sent yet.

A check made earlier would say nothing of a request that then waits for a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from .library import urllib3

_check: ContextVar[Callable[[], None] | None] = ContextVar("plumb_cluster_before_sending", default=None)


@contextmanager
def before_sending(check: Callable[[], None]) -> Iterator[None]:
    """Within this block, each request of `checked_pools` calls `check` first; if that raises, it is not sent."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


@cache
def checked_pools() -> dict[str, Any]:
    """What a PoolManager takes as its `pool_classes_by_scheme`, for connections that check."""

    class Http(urllib3.connection.HTTPConnection):
        def request(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is None:
                self.connect()
            _see()
            super().request(*args, **kwargs)

    class Https(urllib3.connection.HTTPSConnection):
        def request(self, *args: Any, **kwargs: Any) -> None:
            _see()  # the pool has connected it, or it could not know whether the certificate verifies
            super().request(*args, **kwargs)

    class HttpPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Http

    class HttpsPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Https

    return {"http": HttpPool, "https": HttpsPool}


def _see() -> None:
    check = _check.get()
    if check is not None:
        check()
