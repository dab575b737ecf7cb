# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 on the connections of urllib3's pools: a request goes out in one piece, llhttp reads what comes back.

The pools connect, speak TLS, go through proxies and hand connections out as ever. A request and its answer cost a third
of the processor time that http.client takes for them (ADR 0014); a first apply makes thousands.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from ...http.deadline import Deadline, DeadlinePassed, join_exchange, run_within
from .optional_imports import (
    HTTPConnection,
    HTTPConnectionPool,
    HTTPSConnection,
    HTTPSConnectionPool,
    httptools,
    urllib3,
)

_CHUNK = 1 << 18
_LONGEST_HEAD = 1 << 16  # bytes


def _for_ever() -> float:
    return math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of one request.

    `before_sending` is called in the last moments before the request counts: the connection is taken and stands, and
    the body is not sent yet. A check made earlier would say nothing of a request that then waits for a connection, or
    whose process is paused after the headers: the server waits for the body, and carries out what it gets then.
    Its error ends the request. `left` returns the seconds that are left for all of it, and is called before each read.
    """

    before_sending: Callable[[], None] | None = None
    left: Callable[[], float] = _for_ever
    most_of_a_refusal: int = 1 << 20  # bytes read of the body of an answer that is not a 2xx


class InvalidResponse(HTTPException):
    """The answer is incomplete or not HTTP. The text says why and quotes nothing of it."""


class HttpResponse:
    """A whole answer. The names are urllib3's, whose pool sets and reads some."""

    __slots__ = (
        "_connection",
        "_pool",
        "data",
        "headers",
        "length_remaining",
        "retries",
        "status",
        "version_string",
    )

    def __init__(self, status: int, headers: dict[bytes, bytes], data: bytes) -> None:
        self.status = status
        self.headers = headers  # names in lower case; of several of one name the last
        self.data = data  # decompressed
        self.length_remaining = 0
        self.version_string = "HTTP/1.1"


class _LlhttpMixin:
    """The two methods of a connection that urllib3's pools call for a request and its answer."""

    terms = Terms()  # the pool sets those of the request under way

    def connect(self: Any) -> None:
        """Connect within the timeout: resolving the name, all addresses, a proxy's answer and TLS together."""

        def reach() -> None:
            join_exchange(self)
            super(_LlhttpMixin, self).connect()  # type: ignore[misc]
            join_exchange(self)

        try:
            run_within(Deadline.after(_seconds_left(self)), reach)
        except DeadlinePassed as exc:
            raise urllib3.exceptions.ConnectTimeoutError(self, str(exc)) from exc

    def request(
        self: Any,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str | tuple[str, ...]],
        **_: Any,
    ) -> None:
        """Send a request. `url` is percent-encoded by the pool; `headers` are all that are sent.

        The values of a header are a tuple; what the pool itself adds for a proxy is a text.
        """
        if self.sock is None:  # without TLS the pool leaves it to the request
            self.connect()
        lines = [f"{method} {url} HTTP/1.1"]
        for name, values in headers.items():
            lines += [f"{name}: {value}" for value in ((values,) if isinstance(values, str) else values)]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([*lines, "", ""]).encode("ascii")
        check = self.terms.before_sending
        if check is None:
            _send_all(self, head + (body or b""))
            return
        check()
        if body is not None:
            _send_all(self, head)
            head = body
            check()
        _send_all(self, head)

    def getresponse(self: Any) -> HttpResponse:
        """Return the whole answer. The connection is closed unless another request may follow."""
        terms = self.terms
        reader = _Reader()
        try:
            while not reader.complete:
                self.sock.settimeout(_seconds_left(self))
                data = self.sock.recv(_CHUNK)
                if not data:
                    reader.end()
                    break
                reader.feed(data)
                if reader.status >= 300 and reader.received > terms.most_of_a_refusal:
                    break
            answer = reader.answer(terms.most_of_a_refusal)
        finally:
            reader.release()
        if not (reader.complete and reader.keeps_open):
            self.close()
        return answer


def _seconds_left(connection: Any) -> float:
    """Return the seconds that the next step of a request may take. Raises TimeoutError where there are none."""
    left: float = connection.terms.left()
    if left <= 0:
        raise TimeoutError("the deadline of the request has passed")
    return left if connection.timeout is None else min(left, connection.timeout)


def _send_all(connection: Any, data: bytes) -> None:
    """Send data piece by piece: `sendall` begins its timeout anew with each record of TLS."""
    rest = memoryview(data)
    try:
        while rest:
            connection.sock.settimeout(_seconds_left(connection))
            rest = rest[connection.sock.send(rest) :]
    except TimeoutError as exc:
        raise urllib3.exceptions.ReadTimeoutError(
            connection, "", "the request was not taken in time"
        ) from exc


class LlhttpConnection(_LlhttpMixin, HTTPConnection):  # type: ignore[misc]
    """A connection without TLS."""


class LlhttpsConnection(_LlhttpMixin, HTTPSConnection):  # type: ignore[misc]
    """A connection with TLS."""


class _TermsMixin:
    """Takes `terms` beside the options that urllib3 has for a request, and gives them to its connection."""

    def _make_request(
        self, conn: Any, method: str, url: str, *, terms: Terms | None = None, **options: Any
    ) -> Any:
        conn.terms = terms if terms is not None else Terms()
        try:
            return super()._make_request(conn, method, url, **options)  # type: ignore[misc]
        finally:
            del conn.terms  # which hold the request; a connection outlives it


class LlhttpConnectionPool(_TermsMixin, HTTPConnectionPool):  # type: ignore[misc]
    """Connections without TLS to one server."""

    ConnectionCls: Any = LlhttpConnection


class LlhttpsConnectionPool(_TermsMixin, HTTPSConnectionPool):  # type: ignore[misc]
    """Connections with TLS to one server."""

    ConnectionCls: Any = LlhttpsConnection


# For a PoolManager's `pool_classes_by_scheme`. Requests need `release_conn=True`.
POOL_CLASSES = {"http": LlhttpConnectionPool, "https": LlhttpsConnectionPool}


class _Reader:
    """An answer while it is read; llhttp calls the methods whose names begin with `on_`."""

    def __init__(self) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._head = 0
        self._in_body = False
        self.received = 0  # bytes of the body
        self.status = 0  # once the head is read
        self.complete = False
        self.keeps_open = False

    def release(self) -> None:
        """Release the parser, which refers to this object: without garbage collection each answer would stay."""
        self._parser = None

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:  # trailers are ignored
            self._headers[name.lower()] = value.strip()

    def on_headers_complete(self) -> None:
        self._in_body = True
        self.status = self._parser.get_status_code()
        self.keeps_open = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        self._body.append(data)
        self.received += len(data)

    def on_message_complete(self) -> None:
        if 100 <= self.status < 200:  # an interim answer: another one follows (RFC 9110, 15.2)
            self._headers, self._in_body, self.status = {}, False, 0
        else:
            self.complete = True

    def on_message_begin(self) -> None:
        if self.complete:
            raise InvalidResponse("two answers to one request")

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            # What a method above raises arrives here, a KeyboardInterrupt too.
            raised = exc.__context__
            if raised is not None and not isinstance(raised, Exception):
                raise raised from None
            if not self.complete:
                raise InvalidResponse("it is not HTTP as it should be") from exc
            self.keeps_open = False
        if not self._in_body:
            self._head += len(data)
            if self._head > _LONGEST_HEAD:
                raise InvalidResponse(f"its headers have more than {_LONGEST_HEAD} bytes")

    def end(self) -> None:
        """Take the end of the connection: the end of a body that has no other (RFC 9112, 6.3), or an error."""
        if not self._in_body or b"content-length" in self._headers or b"transfer-encoding" in self._headers:
            raise InvalidResponse("the connection was closed")

    def answer(self, most_of_a_refusal: int) -> HttpResponse:
        data = b"".join(self._body)
        if self._headers.get(b"content-encoding", b"").lower() in (b"gzip", b"x-gzip"):
            data = self._unpacked(data, most_of_a_refusal)
        return HttpResponse(self.status, self._headers, data)

    def _unpacked(self, data: bytes, most_of_a_refusal: int) -> bytes:
        try:
            if self.status < 300:
                return gzip.decompress(data)
            return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data, most_of_a_refusal)
        except (EOFError, OSError, zlib.error) as exc:
            raise InvalidResponse("what is compressed in it cannot be read") from exc
