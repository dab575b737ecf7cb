# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's page over real HTTP, of clusters that are only known: it can be ended, and started again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from aiohttp import web

from ansible_collections.plumb.gitops.controller.core.config import Http
from ansible_collections.plumb.gitops.controller.http.auth import Authenticator
from ansible_collections.plumb.gitops.controller.http.page import PageData, add_page, harden

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PageServer:
    """Serves a page to who has the token. `made` makes what it shows; all of it happens in one thread of its own."""

    def __init__(self, token_file: Path, made: Callable[[], PageData]) -> None:
        self.requests: list[str] = []
        self._port = 0  # a free one, and the same again after a restart
        self._http = Http(token_file=token_file)
        self._made = made
        self._runner: web.AppRunner | None = None
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The address, once it has been started."""
        return f"http://127.0.0.1:{self._port}/"

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in the server's thread."""

        async def called() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result()

    def start(self) -> None:
        """Listen."""
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    def end(self) -> None:
        """End as the agent does: each connection is closed, and nobody listens."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()

    async def _start(self) -> None:
        application = web.Application(middlewares=[self._count])
        application.on_response_prepare.append(harden)
        add_page(application, Authenticator(self._http), self._made())
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def _end(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests.append(request.path_qs)
        return await handler(request)
