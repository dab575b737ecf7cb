# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last moment before a request counts: the connection is taken and stands, and its body is not sent yet.

A check made earlier would say nothing of a request that then waits for a connection, or whose process is paused after
the headers: the server waits for the body, and carries out what it gets then.
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
        def request(
            self, method: str, url: str, body: Any = None, headers: Any = None, **kwargs: Any
        ) -> None:
            if self.sock is None:
                self.connect()
            super().request(method, url, **_checking(body, headers), **kwargs)

    class Https(urllib3.connection.HTTPSConnection):
        def request(
            self, method: str, url: str, body: Any = None, headers: Any = None, **kwargs: Any
        ) -> None:
            # The pool has connected it: it wants to know first whether the certificate verifies.
            super().request(method, url, **_checking(body, headers), **kwargs)

    class HttpPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Http

    class HttpsPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Https

    return {"http": HttpPool, "https": HttpsPool}


def _checking(body: Any, headers: Any) -> dict[str, Any]:
    """The body and headers of a request; a body that has to be checked comes only when it is to be sent, and whole."""
    check = _check.get()
    if check is None:
        return {"body": body, "headers": headers}
    check()
    if not body:
        return {"body": body, "headers": headers}
    headers = headers.copy()  # a plain dict would make one of several of the same name
    headers["Content-Length"] = str(len(body))  # else urllib3 would send in chunks what comes piece by piece
    return {"body": _after(check, body), "headers": headers}


def _after(check: Callable[[], None], body: bytes) -> Iterator[bytes]:
    check()
    yield body
