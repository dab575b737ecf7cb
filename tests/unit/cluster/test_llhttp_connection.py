# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers as servers and gateways send them, byte for byte, and those that are none."""

from __future__ import annotations

import contextlib
import gc
import gzip
import socket
import threading
from collections import deque
from collections.abc import Iterator

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster import errors
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests import llhttp_connection

OK = b"HTTP/1.1 200 OK\r\n"
LIST = b'{"items": [], "metadata": {"resourceVersion": "7"}}'
ZIPPED = gzip.compress(LIST)
TWO_MEMBERS = gzip.compress(LIST[:9]) + gzip.compress(LIST[9:])


def sized(body: bytes, *headers: bytes) -> bytes:
    return OK + b"".join(h + b"\r\n" for h in headers) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(*pieces: bytes) -> bytes:
    return (
        OK
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (*pieces, b""))
    )


class Wire:
    """A server that answers each request with the next bytes of a script, over as many connections as it takes."""

    def __init__(self) -> None:
        self.script: deque[tuple[bytes, ...]] = deque()
        self.requests: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def says(self, *pieces: bytes) -> None:
        """The pieces of one answer, sent apart; the connection is closed after it if the last one is empty."""
        self.script.append(pieces)

    def close(self) -> None:
        self._listener.shutdown(
            socket.SHUT_RDWR
        )  # or the thread would go on accepting on what gets its number next
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _peer = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while request := connection.recv(1 << 16):
                self.requests.append(request)
                pieces = self.script.popleft()
                for piece in pieces:
                    connection.sendall(piece)
                if not pieces[-1]:
                    return


@pytest.fixture
def wire() -> Iterator[Wire]:
    server = Wire()
    yield server
    server.close()


@pytest.fixture
def wired(wire, pauses):
    with connect(ConnectionSpec(host=wire.url, request_timeout=5), clock=pauses.clock()) as cluster:
        yield cluster


WHOLE = {
    "sized": (sized(LIST),),
    "byte by byte": tuple(bytes([byte]) for byte in sized(LIST)),
    "chunked": (chunked(LIST[:5], LIST[5:]),),
    "chunked with a trailer": (chunked(LIST)[:-2] + b"X-Checked: yes\r\n\r\n",),
    "names in any case": (sized(ZIPPED, b"cOnTeNt-EnCoDiNg: gzip"),),
    "compressed": (sized(ZIPPED, b"Content-Encoding: gzip"),),
    "compressed, in capitals": (sized(ZIPPED, b"Content-Encoding: GZIP "),),
    "compressed in two members": (sized(TWO_MEMBERS, b"Content-Encoding: x-gzip"),),
    "after an interim answer": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + sized(LIST),),
}


@pytest.mark.parametrize("pieces", WHOLE.values(), ids=WHOLE.keys())
def test_whole_answers_leave_the_connection_open(wire, wired, config_map, pieces):
    wire.says(*pieces)
    wire.says(*pieces)
    assert wired.list(config_map).resource_version == "7"
    assert wired.list(config_map).resource_version == "7"
    assert wire.connections == 1


CLOSING = {
    "told": (sized(LIST, b"Connection: close"),),
    "HTTP/1.0": (sized(LIST).replace(b"1.1", b"1.0"), b""),
    "without a length": (OK + b"\r\n" + LIST, b""),
    "with more than was asked for": (sized(LIST) + b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",),
    "with rubbish after it": (sized(LIST) + b"\0\0",),
}


@pytest.mark.parametrize("pieces", CLOSING.values(), ids=CLOSING.keys())
def test_after_some_the_next_request_has_a_new_connection(wire, wired, config_map, pieces):
    wire.says(*pieces)
    wire.says(sized(LIST))
    assert wired.list(config_map).resource_version == "7"
    assert wired.list(config_map).resource_version == "7"
    assert wire.connections == 2


BROKEN = {
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n",),
    "nothing": (b"",),
    "a head without an end": (
        OK,
        b"X-Filler: " + b"x" * (1 << 17),
    ),
    "headers without an end": (OK, *[b"X-Filler: xxxxxxxxxx\r\n" * 4000] * 2),
    "cut in the head": (OK[:10], b""),
    "cut in the body": (sized(LIST)[:-1], b""),
    "cut between chunks": (chunked(LIST)[:-5], b""),
    "cut in what is compressed": (sized(ZIPPED[:-9], b"Content-Encoding: gzip"),),
    "no gzip": (sized(LIST, b"Content-Encoding: gzip"),),
    "two lengths": (sized(LIST, b"Content-Length: 3"),),
    "another protocol": (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", b""),
}


@pytest.mark.parametrize("pieces", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_answer_is_asked_for_again(wire, wired, config_map, pieces):
    wire.says(*pieces)
    wire.says(sized(LIST))
    assert wired.list(config_map).resource_version == "7"
    assert wire.connections == 2


def test_and_in_the_end_it_is_told(wire, wired, config_map):
    for _try in range(5):
        wire.says(sized(LIST)[:-1], b"")
    with pytest.raises(
        errors.Unreachable, match="broke before the answer was complete: the connection was closed"
    ):
        wired.list(config_map)


def test_an_answer_is_gone_when_it_is_read(wire, wired, config_map):
    """A run collects no garbage: a cycle would keep each answer until its end."""
    wire.says(sized(LIST))
    gc.collect()
    gc.disable()
    try:
        wired.list(config_map)
        assert not any(isinstance(value, llhttp_connection._Reader) for value in gc.get_objects())
    finally:
        gc.enable()


def test_a_stop_while_an_answer_is_read_is_no_broken_answer(wire, wired, config_map, monkeypatch):
    """As by Ctrl-C, or by the `timeout` of a task."""

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(llhttp_connection._Reader, "on_body", stop)
    wire.says(sized(LIST))
    with pytest.raises(KeyboardInterrupt):
        wired.list(config_map)
    assert len(wire.requests) == 1


def test_through_a_proxy_that_forwards(server, says, pauses, config_map):
    server.says(says(body={"items": []}))
    spec = ConnectionSpec(
        host="http://bücher.test:8080", proxy=server.url, impersonate_user="u", impersonate_groups=("g", "h")
    )
    with connect(spec, clock=pauses.clock()) as cluster:
        cluster.list(config_map)
    (seen,) = server.seen
    assert seen.groups == ["g", "h"]
    assert seen.headers["Host"] == "xn--bcher-kva.test:8080"


@pytest.mark.parametrize("header", [b"", b"Content-Encoding: gzip\r\n"])
def test_of_a_refusal_not_more_is_read_than_anyone_would(wire, wired, config_map, header):
    endless = b"x" * (64 << 20)
    body = gzip.compress(endless) if header else endless
    wire.says(b"HTTP/1.1 418 No\r\n" + header + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    with pytest.raises(errors.RequestError, match="418"):
        wired.list(config_map)
    assert wired.requests.bytes <= 2 << 20


def test_the_request_itself(wire, wired, config_map):
    wire.says(sized(b'{"metadata": {}}'))
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}}
    wired.apply(config_map, body, field_manager="plumb", force=False)
    head, _end, sent = wire.requests[0].partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    assert first.startswith(b"PATCH /api/v1/namespaces/n/configmaps/a?fieldManager=plumb&force=false")
    assert b"Host: " + wire.url.removeprefix("http://").encode() in headers
    assert b"Content-Length: %d" % len(sent) in headers
    assert len({h.partition(b":")[0].lower() for h in headers}) == len(headers)
