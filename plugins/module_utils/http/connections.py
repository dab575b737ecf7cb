# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections of requests that a deadline can end: each tells the exchange under way that it is the one in use."""

from __future__ import annotations

from typing import Any

from .deadline import join_exchange
from .optional_imports import (
    HTTPAdapter,
    HTTPConnection,
    HTTPConnectionPool,
    HTTPSConnection,
    HTTPSConnectionPool,
)


class _ExchangeMixin:
    """The two methods of a connection with which an exchange begins."""

    def connect(self) -> None:
        """Connect; what stands only after the deadline is closed."""
        join_exchange(self)  # a proxy may be slow with its answer to CONNECT
        super().connect()  # type: ignore[misc]
        join_exchange(self)

    def request(self, *arguments: Any, **options: Any) -> None:
        """Send a request, unless its deadline has passed."""
        join_exchange(self)
        super().request(*arguments, **options)  # type: ignore[misc]


class _Connection(_ExchangeMixin, HTTPConnection):
    """A connection without TLS."""


class _TlsConnection(_ExchangeMixin, HTTPSConnection):
    """A connection with TLS."""


class _ConnectionPool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsConnectionPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOL_CLASSES = {"http": _ConnectionPool, "https": _TlsConnectionPool}


class ExchangeAdapter(HTTPAdapter):
    """The adapter of requests with these connections."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools for servers that are reached without a proxy."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOL_CLASSES

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Return the pools for a proxy. Those of SOCKS have connections of their own; their exchanges end unshut."""
        manager: Any = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOL_CLASSES
        return manager
