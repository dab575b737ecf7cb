# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that takes connections and never says anything."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self


class SilentServer:
    """Listens on loopback from `with` to its end. `connections` counts those that were taken."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._taken: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        """The port on loopback."""
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """The address of a repository there."""
        return f"http://127.0.0.1:{self.port}/nothing.git"

    @property
    def connections(self) -> int:
        """How many connections were taken so far."""
        return len(self._taken)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the end
            while True:
                self._taken.append(self._listener.accept()[0])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        for connection in self._taken:
            connection.close()
