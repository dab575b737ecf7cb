# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of the HTTP listener: how many connections there are, and how long one may take to send its request.

A connection whose next request has not come with all its headers after HEADERS seconds is closed, whatever of it has
come; aiohttp sees to that. Bodies have their own deadline (request_body.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from aiohttp import web

HEADERS = 20.0  # seconds
MOST = 256  # connections
BACKLOG = 128  # connections that may come at once, and be more than MOST until the next one comes
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
)


class ConnectionLimits:
    """Counts the requests under way of each connection. The oldest connection without one makes room for a new one."""

    def __init__(self) -> None:
        self._answered: dict[object, int] = {}  # connections, with their requests under way

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Count the request as under way until it is answered."""
        connection = request.protocol
        self._answered[connection] = self._answered.get(connection, 0) + 1
        try:
            return await handler(request)
        finally:
            self._answered[connection] -= 1
            if not self._answered[connection]:
                del self._answered[connection]

    def connection(self, server: web.Server) -> asyncio.BaseProtocol:
        """Return the protocol for a new connection."""
        connections = [each for each in server.connections if each.transport is not None]
        too_many = len(connections) - MOST + 1  # more than one where several came at once
        waiting = [each for each in connections if each not in self._answered][: max(0, too_many)]
        if len(waiting) < too_many:
            return _Full()
        for each in waiting:
            each.force_close()
        return server()


class _Full(asyncio.Protocol):
    """Answers that there are too many connections."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the answer, and close."""
        stream = cast("asyncio.Transport", transport)
        stream.write(_FULL)
        stream.close()


class BoundedSite(web.BaseSite):
    """A TCP port with a limit on its connections."""

    def __init__(self, runner: web.AppRunner, host: str | None, port: int, bounds: ConnectionLimits) -> None:
        super().__init__(runner)
        self._host, self._port, self._bounds = host, port, bounds
        self._web = cast("web.Server", runner.server)

    @property
    def name(self) -> str:
        """The address."""
        return f"http://{self._host or '0.0.0.0'}:{self._port}"  # noqa: S104 - a name

    async def start(self) -> None:
        """Listen. Raises OSError."""
        await super().start()
        self._server = await asyncio.get_running_loop().create_server(
            lambda: self._bounds.connection(self._web), self._host, self._port, backlog=BACKLOG
        )
