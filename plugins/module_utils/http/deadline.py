# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One deadline over a whole exchange with a server: names, connecting, TLS, headers, body, redirects, retries.

A timeout of a socket is that of one read; a server that sends a byte now and then never meets it, and a resolver has no
timeout at all. So the exchange runs in a thread, and who wants the answer waits for it until the deadline:

    caller  ---- waits until the deadline ----> shuts the connection down, raises DeadlinePassed
       \\
        `-- thread: resolves, connects, sends, reads -- finds the connection shut down, and ends

What connects later all the same (a resolver that answers too late) is closed before anything is sent. See ADR 0028.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from ..model.duration import format_seconds

_SLACK = (
    1.0  # seconds beyond the deadline after which a socket ends a read by itself, where nobody shuts it down
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deadline:
    """When an exchange has to be over (`until`, of `time.monotonic()`), and how many seconds it had."""

    seconds: float
    until: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline in so many seconds."""
        return cls(seconds, time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """The seconds that are left; may be negative."""
        return self.until - time.monotonic()

    @property
    def socket_timeout(self) -> float:
        """The timeout for a socket, in seconds: so long that the deadline itself comes first."""
        return max(self.left, 0.0) + _SLACK

    def later(self, seconds: float) -> Deadline:
        """Return the deadline moved by seconds in which nobody waited for the server."""
        return replace(self, until=self.until + seconds)


class DeadlinePassed(Exception):
    """The exchange had not ended at its deadline. The text says so, for the reason of an error."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__(f"no whole answer within {format_seconds(deadline.seconds)}")


def run_within(deadline: Deadline, exchange: Callable[[], T]) -> T:
    """Return what `exchange` returns, called in a thread. Raises what it raises, and DeadlinePassed at the deadline.

    Connections that call `join_exchange` are shut down then, and also when the waiting is interrupted.
    """
    running = _Exchange(deadline, exchange)
    context = copy_context()
    context.run(_current.set, running)
    thread = threading.Thread(target=context.run, args=(running.run,), name="plumb-exchange", daemon=True)
    thread.start()
    try:
        running.ended.wait(max(deadline.left, 0.0))
    finally:
        running.stop()
    return running.result()


def join_exchange(connection: Any) -> None:
    """Name the connection (an object with `sock`) that this thread's exchange uses now; none is under way: do nothing.

    Raises DeadlinePassed where the exchange is over already.
    """
    running = _current.get()
    if running is not None:
        running.use(connection)


class _Exchange(Generic[T]):
    """An exchange under way, and the connection that it uses."""

    def __init__(self, deadline: Deadline, exchange: Callable[[], T]) -> None:
        self.ended = threading.Event()
        self._deadline = deadline
        self._exchange = exchange
        self._lock = threading.Lock()
        self._stopped = False
        self._connection: Any = None
        self._socket: Any = None
        self._results: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        """Make the exchange, and keep its result or error."""
        try:
            self._results.append(self._exchange())
        except BaseException as exc:  # noqa: BLE001 - raised again by the thread that waits
            self._error = exc
        finally:
            self.ended.set()

    def use(self, connection: Any) -> None:
        """Take a connection, and the socket that it has now: it forgets that before a body without a length ends."""
        with self._lock:
            if self._stopped:
                raise DeadlinePassed(self._deadline)
            self._connection, self._socket = connection, connection.sock

    def stop(self) -> None:
        """Let nothing more begin, and shut down what is under way."""
        with self._lock:
            if self.ended.is_set():
                return
            self._stopped = True
            for sock in (self._socket, getattr(self._connection, "sock", None)):
                _shut_down(sock)

    def result(self) -> T:
        """Return the result, or raise the error."""
        if self._stopped:
            raise DeadlinePassed(self._deadline)
        if self._error is not None:
            raise self._error
        return self._results[0]


_current: ContextVar[_Exchange[Any] | None] = ContextVar("plumb_exchange", default=None)


def _shut_down(sock: Any) -> None:
    """Shut a socket down below TLS, whose state belongs to the thread that reads; that finds the end of the data."""
    plain = sock if isinstance(sock, socket.socket) else getattr(sock, "socket", None)  # TLS within TLS
    if plain is not None:
        with contextlib.suppress(OSError):  # it has ended by itself
            socket.socket.shutdown(plain, socket.SHUT_RDWR)
