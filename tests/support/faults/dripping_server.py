# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on loopback that answers a byte at a time, which no timeout of a single read ends, or hangs in TLS."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

LENGTH = 1 << 20  # bytes that it would send: more than half a day's, at its pace
_PACE = 0.05  # seconds between two bytes
_MOST_HEAD = 1 << 16  # bytes


class Drip(Enum):
    """What it drips, or does instead."""

    HEADER = "the header"
    BODY = "the body"
    CLOSED_BODY = "a body that only the end of the connection ends"
    AFTER_REDIRECT = "the body of what it redirects to"
    SECOND_PAGE = "the second page of a list"
    TOKEN = "the answer of the token service"
    GREETING = "the greeting of a mail server"
    HANDSHAKE = "nothing: it hangs in the handshake of TLS"


@dataclass(slots=True)
class DrippingServer:
    """A running server. `closed` is set once a client closed a connection before all was sent."""

    port: int
    drip: Drip
    requests: list[str] = field(default_factory=list)  # their targets
    sent: int = 0  # bytes that dripped, over all connections
    closed: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, scheme: str = "") -> str:
        """Return its address; without a scheme that of HTTP, with TLS where that hangs."""
        usual = "https" if self.drip is Drip.HANDSHAKE else "http"
        return f"{scheme or usual}://127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        """Answer the requests of one connection."""
        with client, contextlib.suppress(OSError):
            if self.drip in {Drip.GREETING, Drip.HANDSHAKE}:
                self._drip(client, b"220-" if self.drip is Drip.GREETING else b"")
                return
            while target := _read_request(client):
                self.requests.append(target)
                answer = self._whole_answer(target)
                if answer is None:
                    self._drip(client, self._begin())
                    return
                client.sendall(answer)

    def _whole_answer(self, target: str) -> bytes | None:
        """Return the answer to a request that is answered at once; None where it drips."""
        first = len(self.requests) == 1
        if self.drip is Drip.AFTER_REDIRECT and first:
            return b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
        if self.drip is Drip.SECOND_PAGE and first:
            return b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[{"i":1}]'
        if self.drip is Drip.TOKEN and not target.startswith("/token"):
            realm = f'Bearer realm="{self.url()}/token",service="shop"'
            return f"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {realm}\r\nContent-Length: 0\r\n\r\n".encode()
        return None

    def _begin(self) -> bytes:
        if self.drip is Drip.HEADER:
            return b"HTTP/1.1 200 OK\r\nX-Long: "
        if self.drip is Drip.CLOSED_BODY:
            return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        return f"HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n".encode()

    def _drip(self, client: socket.socket, begin: bytes) -> None:
        try:
            client.sendall(begin)
            while self.sent < LENGTH and not self.ended.is_set():
                readable, _w, _x = select.select([client], [], [], _PACE)
                if readable and not client.recv(_MOST_HEAD):
                    self.closed.set()
                    return
                if self.drip is not Drip.HANDSHAKE:
                    client.sendall(b"x")
                    self.sent += 1
        except OSError:  # reset
            self.closed.set()
            raise


def _read_request(client: socket.socket) -> str:
    """Return the target of a request; empty at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(_MOST_HEAD)
        if not piece:
            return ""
        data += piece
    head, _blank, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        body += client.recv(_MOST_HEAD)
    return head.split(b" ")[1].decode()


@contextmanager
def dripping_server(drip: Drip) -> Iterator[DrippingServer]:
    """Yield a running server."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        server = DrippingServer(listener.getsockname()[1], drip)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _address = listener.accept()
                    threading.Thread(target=server.serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server
        finally:
            server.ended.set()
            listener.shutdown(socket.SHUT_RDWR)
