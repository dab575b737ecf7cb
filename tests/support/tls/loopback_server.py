# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP server on loopback in a thread of its own, with TLS or without: what the tests' servers are made on."""

from __future__ import annotations

import http.server
import ssl
import threading
from types import TracebackType
from typing import Self


class LoopbackServer:
    """Serves with `handler` on a free port of loopback from `with` to its end."""

    def __init__(
        self,
        handler: type[http.server.BaseHTTPRequestHandler],
        *,
        kind: type[http.server.ThreadingHTTPServer] = http.server.ThreadingHTTPServer,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = kind(("127.0.0.1", 0), handler)
        self.scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        """The port on loopback."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()  # waits for the answers under way, where the kind of server does
        self._thread.join(10)
