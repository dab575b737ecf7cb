# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on loopback whose answers never end, and which counts how much of them was taken."""

from __future__ import annotations

import http.server
from collections.abc import Mapping
from typing import Any

from ansible_collections.plumb.gitops.tests.support.tls.loopback_server import LoopbackServer

_PIECE = b" " * (1 << 16)
_END = 1 << 30  # bytes: far more than anybody may take, and a test that fails ends


class EndlessServer(LoopbackServer):
    """Answers everything with `status`, `headers` and spaces without end."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.taken: list[int] = []  # bytes, by request
        super().__init__(_handler(self, status, headers), kind=_EndlessHttpServer)

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"


class _EndlessHttpServer(http.server.ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that close the connection: the tests want that."""


def _handler(
    server: EndlessServer, status: int, headers: Mapping[str, str]
) -> type[http.server.BaseHTTPRequestHandler]:
    class EndlessHandler(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the parent's name)
            pass

        def _answer(self) -> None:
            number = len(server.taken)
            server.taken.append(0)
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            while server.taken[number] < _END:
                self.wfile.write(_PIECE)
                server.taken[number] += len(_PIECE)

        do_GET = do_POST = _answer  # noqa: N815 - http.server's names

    return EndlessHandler
