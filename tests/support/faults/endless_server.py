# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on loopback whose answers never end, and which counts how much of them was taken."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

_PIECE = b" " * (1 << 16)
_END = 1 << 30  # bytes: far more than anybody may take, and a test that fails ends


class EndlessServer:
    """Answers everything with `status`, `headers` and spaces without end."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.taken: list[int] = []  # bytes, by request
        self._server = _EndlessHttpServer(("127.0.0.1", 0), _handler(self, status, headers))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> EndlessServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()  # waits for the answers under way
        self._thread.join(10)


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
