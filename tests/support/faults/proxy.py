# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy before the API server, or before the forge, that fails as a test says.

It speaks plain HTTP on a free loopback port. To the API server it forwards with the admin's credentials, so clients
need none; to the forge, with the client's own. A fault is tried against each request in the order in which faults were
added; the first that fits has its way with it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox

_PER_CONNECTION = frozenset({"connection", "host", "transfer-encoding", "content-length", "authorization"})
_DEADLINE = 60  # seconds for one exchange with the real server
WRITES = "writes"  # in place of a method: every request that is to change something


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """A request as it came in."""

    method: str
    target: str  # path and query
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def dry_run(self) -> bool:
        """Whether nothing of it is to be stored."""
        return "dryRun=All" in self.target

    @property
    def write(self) -> bool:
        """Whether it is to change something."""
        return self.method != "GET" and not self.dry_run


@dataclass(frozen=True, slots=True)
class ProxyResponse:
    """An answer as it goes out. Of a stream, which a watch is, the body comes while it is sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    stream: Iterator[bytes] | None = None


# Asks the real server; None where it is not there, or breaks off.
Forward = Callable[[ProxyRequest], ProxyResponse | None]
# What a fault does with a request: an answer of its own or the server's, or None to cut the connection.
Effect = Callable[[ProxyRequest, Forward], ProxyResponse | None]


def status(code: int, reason: str = "", *, retry_after: int | None = None) -> Effect:
    """Answer with a Status object, without asking the server."""
    document = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    document["message"] = f"the proxy answers {code}"
    headers = {"Content-Type": "application/json"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return lambda _asked, _forward: ProxyResponse(code, headers, json.dumps(document).encode())


def status_after(code: int) -> Effect:
    """Let the server carry the request out, and answer with a status and the page of a gateway."""

    def ill(asked: ProxyRequest, forward: Forward) -> ProxyResponse:
        forward(asked)
        return ProxyResponse(code, {"Content-Type": "text/html"}, b"<html>bad gateway</html>")

    return ill


def delay(seconds: float) -> Effect:
    """Forward, but only after a while."""

    def late(asked: ProxyRequest, forward: Forward) -> ProxyResponse | None:
        time.sleep(seconds)
        return forward(asked)

    return late


def cut_before() -> Effect:
    """Cut the connection; the server never sees the request."""
    return lambda _asked, _forward: None


def cut_after() -> Effect:
    """Let the server carry the request out, and cut the connection before its answer."""

    def cut(asked: ProxyRequest, forward: Forward) -> None:
        forward(asked)

    return cut


def silence(until: threading.Event) -> Effect:
    """Neither ask the server nor answer; cut the connection when the event comes."""

    def silent(_asked: ProxyRequest, _forward: Forward) -> None:
        until.wait()

    return silent


def pages_of(limit: int) -> Effect:
    """Ask the server for smaller pages of a list than the client did."""

    def fewer(asked: ProxyRequest, forward: Forward) -> ProxyResponse | None:
        return forward(replace(asked, target=re.sub(r"\blimit=\d+", f"limit={limit}", asked.target)))

    return fewer


def replay(answer: ProxyResponse) -> Effect:
    """Answer with an earlier answer."""
    return lambda _asked, _forward: answer


def first(act: Callable[[], object]) -> Effect:
    """Do something, such as what a person would do at this very moment, then forward."""

    def acted(asked: ProxyRequest, forward: Forward) -> ProxyResponse | None:
        act()
        return forward(asked)

    return acted


def at_write(nth: int, act: Effect) -> Effect:
    """Return the effect on the n-th write; all others are let through."""
    lock = threading.Lock()
    met = 0

    def acted(asked: ProxyRequest, forward: Forward) -> ProxyResponse | None:
        nonlocal met
        with lock:
            met += 1
            mine = met == nth
        return act(asked, forward) if mine else forward(asked)

    return acted


@dataclass(slots=True)
class Fault:
    """What happens to requests of a method (or WRITES) whose path and query match; `times`: how often, None: always."""

    method: str
    pattern: str  # a regular expression, searched in path and query
    effect: Effect
    times: int | None = None
    met: int = 0

    def fits(self, asked: ProxyRequest) -> bool:
        """Return whether the fault is for a request, and not used up."""
        left = self.times is None or self.met < self.times
        meant = asked.write if self.method == WRITES else asked.method == self.method
        return left and meant and re.search(self.pattern, asked.target) is not None


@dataclass(slots=True)
class Proxy:
    """A running proxy: where it is, its faults, and all that was asked through it."""

    url: str
    kubeconfig: Path  # that leads here, where it stands before an API server
    _upstream: Forward
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[ProxyRequest, ProxyResponse | None]] = field(default_factory=list)
    _streams: list[http.client.HTTPConnection] = field(default_factory=list)
    _under_way: int = 0
    _lock: threading.Condition = field(default_factory=threading.Condition)

    def fault(self, method: str, pattern: str, effect: Effect, *, times: int | None = None) -> Fault:
        """Add a fault; the returned one counts what it met."""
        made = Fault(method, pattern, effect, times)
        with self._lock:
            self.faults.append(made)
        return made

    def count(self, method: str, pattern: str) -> int:
        """Return how many requests of a method asked for a matching path and query."""
        with self._lock:
            return sum(
                asked.method == method and re.search(pattern, asked.target) is not None
                for asked, _answer in self.asked
            )

    def writes(self) -> list[str]:
        """Return method, path and query of each write that came through, in order, without dry-runs."""
        with self._lock:
            return [f"{asked.method} {asked.target}" for asked, _answer in self.asked if asked.write]

    def answer_to(self, method: str, pattern: str) -> ProxyResponse:
        """Return the last answer to a matching request, to be replayed."""
        with self._lock:
            answers = [
                answer
                for asked, answer in self.asked
                if answer is not None and asked.method == method and re.search(pattern, asked.target)
            ]
        return answers[-1]

    def handle(self, asked: ProxyRequest) -> ProxyResponse | None:
        """Answer a request by the first fault that fits, or by the server; None to cut the connection."""
        with self._lock:
            self._under_way += 1
            fault = next((fault for fault in self.faults if fault.fits(asked)), None)
            if fault is not None:
                fault.met += 1
        answer = None
        try:
            answer = fault.effect(asked, self._upstream) if fault is not None else self._upstream(asked)
        finally:
            with self._lock:
                self.asked.append((asked, answer))
                self._under_way -= 1
                self._lock.notify_all()
        return answer

    def cut_streams(self) -> None:
        """Cut all streams that are open, wherever they are."""
        for connection in tuple(self._streams):
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def settle(self) -> None:
        """Wait until no request is under way to the server any more."""
        with self._lock:
            self._lock.wait_for(lambda: not self._under_way)


class _ProxyServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # the client is gone: it was killed, or gave up
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def proxy_before(sandbox: Sandbox, folder: Path) -> Iterator[Proxy]:
    """Yield a proxy before the sandbox's API server, with a kubeconfig in `folder` that leads to it."""
    streams: list[http.client.HTTPConnection] = []
    with _serving(_forwarder(sandbox, streams), streams, folder) as running:
        yield running


@contextmanager
def proxy_before_forge(sandbox: Sandbox, folder: Path) -> Iterator[Proxy]:
    """Yield a proxy before the sandbox's forge: its API, Git and registry."""
    with _serving(_forge_forwarder(sandbox), [], folder) as running:
        yield running


@contextmanager
def _serving(forward: Forward, streams: list[http.client.HTTPConnection], folder: Path) -> Iterator[Proxy]:
    class ProxyHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked = ProxyRequest(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
            answer = proxy.handle(asked)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in _PER_CONNECTION:
                    self.send_header(name, value)
            if answer.stream is not None:
                self._send_stream(answer.stream)
                return
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def _send_stream(self, stream: Iterator[bytes]) -> None:
            """In chunks; one that breaks off breaks off here, too."""
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.close_connection = True
            try:
                for chunk in stream:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            except (OSError, http.client.HTTPException):
                return
            self.wfile.write(b"0\r\n\r\n")

        do_GET = do_PATCH = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the names of http.server

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of http.server
            return None

    with _ProxyServer(("127.0.0.1", 0), ProxyHandler) as server:
        port = server.server_address[1]
        proxy = Proxy(f"http://127.0.0.1:{port}", _kubeconfig(folder, port), forward, _streams=streams)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.cut_streams()
            server.shutdown()


def _kubeconfig(folder: Path, port: int) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "proxy",
        "clusters": [{"name": "proxy", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "proxy", "user": {}}],
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
    }
    file = folder / "proxy.kubeconfig"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return file


def _forwarder(sandbox: Sandbox, streams: list[http.client.HTTPConnection]) -> Forward:
    """Asks the real server as the admin; each thread keeps its connection. Connections of streams are in `streams`."""
    address = urlsplit(sandbox.server)
    tls = ssl.create_default_context(cafile=str(sandbox.ca_file))
    users = yaml.safe_load(sandbox.kubeconfig.read_text(encoding="utf-8"))["users"]
    token = users[0]["user"]["token"]
    local = threading.local()

    def forward(asked: ProxyRequest) -> ProxyResponse | None:
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPSConnection(
                address.hostname or "", address.port, context=tls, timeout=_DEADLINE
            )
        headers = {name: v for name, v in asked.headers.items() if name.lower() not in _PER_CONNECTION}
        headers["Authorization"] = f"Bearer {token}"
        try:
            local.connection.request(asked.method, asked.target, asked.body or None, headers)
            answer = local.connection.getresponse()
            if "watch=true" in asked.target and answer.status == 200:
                local.connection.sock.settimeout(None)
                return ProxyResponse(
                    answer.status, dict(answer.getheaders()), b"", _stream(local.connection, answer, streams)
                )
            return ProxyResponse(answer.status, dict(answer.getheaders()), answer.read())
        except (OSError, http.client.HTTPException):
            local.connection.close()
            return None

    return forward


def _forge_forwarder(sandbox: Sandbox) -> Forward:
    """Asks the real forge as whoever asks."""
    address = urlsplit(sandbox.forge_url)

    def forward(asked: ProxyRequest) -> ProxyResponse | None:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_DEADLINE)
        theirs = {name: v for name, v in asked.headers.items() if name.lower() not in _PER_CONNECTION}
        who = {name: v for name, v in asked.headers.items() if name.lower() == "authorization"}
        try:
            connection.request(asked.method, asked.target, asked.body or None, {**theirs, **who})
            answer = connection.getresponse()
            return ProxyResponse(answer.status, dict(answer.getheaders()), answer.read())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    return forward


def _stream(
    connection: http.client.HTTPConnection,
    answer: http.client.HTTPResponse,
    streams: list[http.client.HTTPConnection],
) -> Iterator[bytes]:
    """Yield what comes, as it comes."""
    streams.append(connection)
    try:
        while chunk := answer.read1(65536):
            yield chunk
    finally:
        streams.remove(connection)
        connection.close()
