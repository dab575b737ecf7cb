# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Git server over HTTP on loopback for tests: `git http-backend` behind a small front that can misbehave."""

from __future__ import annotations

import base64
import http.server
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ansible_collections.plumb.gitops.tests.support.tls.loopback_server import LoopbackServer


@dataclass(frozen=True)
class Request:
    """One request as it came in."""

    method: str
    path: str  # with the query
    authorization: str
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)  # names in lower case
    body: bytes = field(default=b"", compare=False, repr=False)

    @property
    def authorized(self) -> bool:
        """Whether it has credentials."""
        return bool(self.authorization)


@dataclass(frozen=True)
class Reply:
    """An answer that the server gives instead of Git's."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class GitServer(LoopbackServer):
    """Serves the bare repositories below `root`; a push is taken where a repository's `http.receivepack` is true.

    With `token`, every request needs it as the password of Basic authentication (and `username`, if that is given).
    `intercept` may return a Reply for a request, or None to let Git answer; `cut_after` cuts the answers to POSTs after
    so many bytes. `requests` is the log.
    """

    def __init__(
        self, root: Path, *, token: str = "", username: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self.root = root
        self.token = token
        self.username = username
        self.requests: list[Request] = []
        self.intercept: Callable[[Request], Reply | None] = lambda _request: None
        self.cut_after: int | None = None
        super().__init__(_handler(self), kind=_GitHttpServer, tls=tls)

    def url(self, name: str) -> str:
        """Return the address of the repository `name`, a path below the root."""
        return f"{self.scheme}://127.0.0.1:{self.port}/{name}"

    def admits(self, authorization: str) -> bool:
        """Return whether an Authorization header has the token, where one is needed."""
        if not self.token:
            return True
        scheme, _blank, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        username, _colon, password = base64.b64decode(encoded).decode().partition(":")
        return password == self.token and self.username in ("", username)


class _GitHttpServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that were killed or gave up, which many tests want; show all other errors."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _handler(server: GitServer) -> type[http.server.BaseHTTPRequestHandler]:
    class GitHandler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the parent's name)
            pass

        def _answer(self) -> None:
            body = _read_body(self)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers.get("authorization", ""), headers, body)
            server.requests.append(request)
            reply = server.intercept(request)
            if reply is None and not server.admits(request.authorization):
                reply = Reply(401, {"WWW-Authenticate": 'Basic realm="git"'})
            if reply is None:
                reply = _backend(server.root, self, body)
            self._send(reply)

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command == "POST" and server.cut_after is not None:
                self.wfile.write(reply.body[: server.cut_after])
                self.close_connection = True
                return
            self.wfile.write(reply.body)

        do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = _answer  # noqa: N815 - http.server's names

    return GitHandler


def _read_body(handler: http.server.BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
    body = b""
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


def _backend(root: Path, handler: http.server.BaseHTTPRequestHandler, body: bytes) -> Reply:
    address = urlsplit(handler.path)  # a whole one where this server is asked as a proxy
    path, query = address.path, address.query
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "REQUEST_METHOD": handler.command,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(
        ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
    )
    head, _blank, content = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line)
    status = int(headers.pop("Status", "200 OK").split()[0])
    return Reply(status, headers, content)
