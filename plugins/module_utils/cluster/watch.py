# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WATCH: the events of a collection, one a line, over connections of their own that stay open for minutes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .errors import DeadlineExceeded, TooLarge, Unreachable
from .requests.api_access import ApiAccess
from .requests.api_errors import api_error
from .requests.api_status import parse_status
from .requests.connection_errors import CONNECT_TIMEOUT, connection_failure
from .requests.optional_imports import urllib3
from .requests.retry import Clock
from .requests.transport import Request, headers_of, pool_of

# Bytes of one event. An object's metadata is smaller than the object, which etcd bounds at 1.5 MiB by default.
LONGEST_LINE = 4 << 20
# Seconds without data after which a stream counts as dead. Bookmarks come about once a minute (kube-apiserver's
# `defaultBookmarkFrequency`); where a server sends none, a new stream is opened, which costs a request.
QUIET = 150.0
_LATE = 30.0  # seconds that a server may go on beyond the requested end
_CHUNK = 1 << 16
_MOST_OF_A_REFUSAL = 1 << 16  # bytes
_MOST_STREAMS = 256


class WatchChange(Enum):
    """The type of an event; BOOKMARK: only how far the stream has come."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"  # or no longer selected
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One event; `item` is the object's metadata after it (of a deleted one: at last)."""

    change: WatchChange
    item: dict[str, Any]

    @property
    def resource_version(self) -> str:
        """The version from which the next stream goes on; empty where the server names none."""
        return str((self.item.get("metadata") or {}).get("resourceVersion") or "")


class Stop:
    """Ends the waits and streams of a thread, at once and for good. Safe to use from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._cuts: list[Callable[[], None]] = []

    @property
    def asked(self) -> bool:
        """Whether a stop was requested."""
        return self._event.is_set()

    def now(self) -> None:
        """Request the stop: streams under way are cut, waits end."""
        self._event.set()
        with self._lock:
            for cut in self._cuts:
                cut()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until a stop is requested; return whether it was."""
        return self._event.wait(seconds)

    @contextmanager
    def cuts(self, cut: Callable[[], None]) -> Iterator[None]:
        """Have a stop call `cut` within this block."""
        with self._lock:
            self._cuts.append(cut)
        try:
            if self.asked:
                cut()
            yield
        finally:
            with self._lock:
                self._cuts.remove(cut)


class Streams:
    """The streams from one server. Thread-safe; each has a connection of its own, so that no request waits for it."""

    def __init__(self, access: ApiAccess, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._pool = pool_of(access, _MOST_STREAMS, socket_options=_keepalive_options())

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def watch(self, request: Request, seconds: float, stop: Stop) -> Iterator[WatchEvent]:
        """Open a stream now; return its events until the server ends it, within `seconds`, or until `stop`.

        Raises a RequestError: Expired where the resourceVersion is too old, by status or by an event; Unreachable where
        the stream breaks off; DeadlineExceeded where nothing comes any more; TooLarge for a line beyond the bound.
        """
        ends = self._clock.now() + seconds + _LATE
        try:
            response = self._open(request)
        except urllib3.exceptions.HTTPError as exc:
            raise connection_failure(exc, request.target, self._access.server, QUIET).error from exc
        return self._events(response, request, ends, stop)

    def _events(self, response: Any, request: Request, ends: float, stop: Stop) -> Iterator[WatchEvent]:
        try:
            with stop.cuts(lambda: _shut_down(response)):
                for line in self._lines(response, request, ends, stop):
                    if stop.asked:  # what is read of a TLS connection after the cut may be its ciphertext
                        return
                    yield _parse_event(line, request)
        except urllib3.exceptions.HTTPError as exc:
            if not stop.asked:
                raise connection_failure(exc, request.target, self._access.server, QUIET).error from exc
        except ValueError:  # reading a TLS connection that was cut
            if not stop.asked:
                raise
        finally:
            response.close()
            response.release_conn()

    def _open(self, request: Request) -> Any:
        response = self._pool.request(
            request.method,
            self._access.server + request.url,
            headers=urllib3.HTTPHeaderDict(headers_of(self._access, request, "identity")),
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=QUIET),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        if 200 <= response.status < 300:
            return response
        try:
            data = response.read(_MOST_OF_A_REFUSAL)
        finally:
            response.close()
            response.release_conn()
        raise api_error(parse_status(response.status, data), request.target)

    def _lines(self, response: Any, request: Request, ends: float, stop: Stop) -> Iterator[bytes]:
        """Yield whole lines. A rest without an end is a stream that broke off."""
        rest: list[bytes] = []
        held = 0
        while chunk := response.read1(_CHUNK):
            *lines, tail = chunk.split(b"\n")
            for line in lines:
                _check_length(held + len(line), request)
                yield b"".join([*rest, line])
                rest, held = [], 0
            rest.append(tail)
            held += len(tail)
            _check_length(held, request)
            if self._clock.now() > ends:
                why = "the server does not end the stream at the time it was given"
                raise DeadlineExceeded(request.target.subject, request.target.operation, why)
        if held and not stop.asked:
            raise _broken_stream(request)


def _check_length(length: int, request: Request) -> None:
    if length > LONGEST_LINE:
        why = f"an event is longer than {LONGEST_LINE} bytes"
        step = "The object is looked at in each run all the same."
        raise TooLarge(request.target.subject, request.target.operation, why, step)


def _shut_down(response: Any) -> None:
    with suppress(OSError, RuntimeError, ValueError):  # it has ended by itself
        response.shutdown()


def _parse_event(line: bytes, request: Request) -> WatchEvent:
    """Return the event of a line. Raises the error in an ERROR event."""
    try:
        content = json.loads(line)
        kind, item = content["type"], content["object"]
    except (ValueError, RecursionError, KeyError, TypeError) as exc:
        raise _broken_stream(request) from exc
    if kind == "ERROR":
        code = item.get("code") if isinstance(item, Mapping) else None
        answer = parse_status(code if isinstance(code, int) else 500, json.dumps(item).encode())
        raise api_error(answer, request.target)
    if not isinstance(item, dict) or kind not in WatchChange.__members__:
        raise _broken_stream(request)
    return WatchEvent(WatchChange[kind], item)


def _broken_stream(request: Request) -> Unreachable:
    why = "the stream broke off, or what came is no event"
    return Unreachable(request.target.subject, request.target.operation, why)


def _keepalive_options() -> list[tuple[int, int, int]]:
    """Return socket options by which the kernel notices a peer that is gone."""
    return [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    ]
