# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A receiver of webhooks on loopback that answers, drips its answer byte by byte, or says nothing."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

_PACE = 0.5  # seconds between two bytes


class Answer(Enum):
    """How it answers."""

    AT_ONCE = "204, at once"
    DRIPPING_HEADER = "a header that never ends, a byte at a time"
    DRIPPING_BODY = "a whole header, then a body a byte at a time"
    SILENT = "nothing"
    UNAVAILABLE = "503, at once"


@dataclass(slots=True)
class SlowReceiver:
    """A running receiver; `answer` may be changed at any time. `messages` are those that it answered with 204."""

    port: int
    answer: Answer = Answer.AT_ONCE
    requests: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """The address to send messages to."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def titles(self) -> list[str]:
        """The titles of the messages that it took."""
        return [message["title"] for message in self.messages]

    def serve(self, client: socket.socket) -> None:
        """Read one request and answer it."""
        with client, contextlib.suppress(OSError):
            body = _read_request(client)
            answer = self.answer
            self.requests += 1
            if answer is Answer.AT_ONCE:
                self.messages.append(json.loads(body))
                client.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            elif answer is Answer.UNAVAILABLE:
                client.sendall(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            elif answer is Answer.SILENT:
                self.ended.wait()
            else:
                head = b"HTTP/1.1 503 Unavailable\r\n"
                if answer is Answer.DRIPPING_BODY:
                    client.sendall(head + b"Content-Length: 100000\r\n\r\n")
                self._drip(client, head if answer is Answer.DRIPPING_HEADER else b"")

    def _drip(self, client: socket.socket, begin: bytes) -> None:
        client.sendall(begin)
        while not self.ended.wait(_PACE):
            client.sendall(b"x")


def _read_request(client: socket.socket) -> bytes:
    """Return the body of a request that names its length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(65536) or b"\r\n\r\n"
    head, _blank, body = data.partition(b"\r\n\r\n")
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    length = next((int(value) for name, _colon, value in lines if name == b"content-length"), 0)
    while len(body) < length:
        body += client.recv(65536)
    return body


@contextmanager
def slow_receiver(answer: Answer = Answer.AT_ONCE) -> Iterator[SlowReceiver]:
    """Yield a running receiver."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        receiver = SlowReceiver(server.getsockname()[1], answer)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _address = server.accept()
                    threading.Thread(target=receiver.serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield receiver
        finally:
            receiver.ended.set()
            server.shutdown(socket.SHUT_RDWR)
