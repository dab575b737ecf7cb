# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry on loopback for tests, written from the OCI distribution specification; it can be made to misbehave.

What it does when it behaves is what tests/integration/test_registries.py sees of real ones.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from ansible_collections.plumb.gitops.tests.support.git.git_server import Reply, Request
from ansible_collections.plumb.gitops.tests.support.tls.loopback_server import LoopbackServer

OCI = "application/vnd.oci.image"


@dataclass(frozen=True)
class Dribble:
    """An answer of one byte now and then that never ends; in its header, or else in its body."""

    header: bool


@dataclass
class Stored:
    """What a repository holds: tags, and content by digest with its media type."""

    tags: dict[str, str] = field(default_factory=dict)
    content: dict[str, tuple[str, bytes]] = field(default_factory=dict)


class RegistryServer(LoopbackServer):
    """Serves `repositories`. `login` (USER, PASSWORD) is wanted as basic or, with `bearer`, for a token.

    `intercept` may return a Reply or a Dribble for a request, or None to let the registry answer.
    """

    def __init__(
        self, *, login: tuple[str, str] | None = None, bearer: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        self.repositories: dict[str, Stored] = {}
        self.requests: list[Request] = []
        self.login, self.bearer = login, bearer
        self.realm = ""  # default: /token here
        self.page = 1000  # tags a page at most
        self.etags = False
        self.tokens: set[str] = set()
        self.intercept: Callable[[Request], Reply | Dribble | None] = lambda _request: None
        super().__init__(_handler(self), kind=_RegistryHttpServer, tls=tls)

    @property
    def host(self) -> str:
        """Host and port, as image names begin."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The registry's address."""
        return f"{self.scheme}://{self.host}"

    def asked(self, part: str) -> list[Request]:
        """Return the requests whose path holds `part`."""
        return [request for request in self.requests if part in request.path]

    def push(
        self,
        repository: str,
        tags: Iterable[str],
        *,
        platforms: Iterable[str] = (),
        created: str = "2026-11-01T12:00:00Z",
        content: str = "",
    ) -> str:
        """Store an image, or with platforms an index of one for each; return its digest."""
        stored = self.repositories.setdefault(repository, Stored())
        children: list[dict[str, Any]] = []
        for platform in tuple(platforms) or ("linux/amd64",):
            digest, size = self._image(stored, platform, created, content)
            system, architecture, *variant = platform.split("/")
            platform_fields = {
                "os": system,
                "architecture": architecture,
                **({"variant": variant[0]} if variant else {}),
            }
            children.append(
                {
                    "mediaType": f"{OCI}.manifest.v1+json",
                    "digest": digest,
                    "size": size,
                    "platform": platform_fields,
                }
            )
        digest = str(children[0]["digest"])
        if platforms:
            attestation = {
                "mediaType": f"{OCI}.manifest.v1+json",
                "digest": f"sha256:{'a' * 64}",
                "size": 1,
                "platform": {"os": "unknown", "architecture": "unknown"},
            }
            index = {
                "schemaVersion": 2,
                "mediaType": f"{OCI}.index.v1+json",
                "manifests": [attestation, *children],
            }
            digest = _store(stored, f"{OCI}.index.v1+json", index)
        stored.tags.update(dict.fromkeys(tags, digest))
        return digest

    def _image(self, stored: Stored, platform: str, created: str, content: str) -> tuple[str, int]:
        system, architecture, *variant = platform.split("/")
        config = {
            "os": system,
            "architecture": architecture,
            "created": created,
            "config": {"Labels": {"c": content}},
        }
        if variant:
            config["variant"] = variant[0]
        digest = _store(stored, f"{OCI}.config.v1+json", config)
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": {"mediaType": f"{OCI}.config.v1+json", "digest": digest, "size": 1},
            "layers": [],
        }
        return _store(stored, f"{OCI}.manifest.v1+json", manifest), 1

    def answer(self, request: Request) -> Reply | Dribble:
        """Return the answer to a request that nothing intercepts."""
        parts = urlsplit(request.path)
        if parts.path == "/token":
            return self._token(request, parse_qs(parts.query))
        if not self._admits(request.authorization):
            realm = self.realm or f"{self.url}/token"
            challenge = (
                f'Bearer realm="{realm}",service="registry",scope="x:y:push"'
                if self.bearer
                else 'Basic realm="r"'
            )
            return Reply(401, {"WWW-Authenticate": challenge}, b"{}")
        path = parts.path.removeprefix("/v2/")
        for word, work in (
            ("/tags/list", self._tags),
            ("/manifests/", self._manifest),
            ("/blobs/", self._blob),
        ):
            repository, separator, rest = path.partition(word)
            if separator and repository in self.repositories:
                return work(self.repositories[repository], repository, rest, request)
        return Reply(404, {}, b'{"errors":[{"code":"NAME_UNKNOWN"}]}')

    def _admits(self, authorization: str) -> bool:
        if self.login is None:
            return True
        if self.bearer:
            return authorization.removeprefix("Bearer ") in self.tokens
        return authorization == basic(*self.login)

    def _token(self, request: Request, query: Mapping[str, list[str]]) -> Reply:
        form = parse_qs(request.body.decode())
        good = self.login is not None and (
            request.authorization == basic(*self.login) or form.get("refresh_token") == [self.login[1]]
        )
        if not good or not (query.get("scope") or form.get("scope") or [""])[0].endswith(":pull"):
            return Reply(401, {}, b"{}")
        token = f"bearer-token-{len(self.tokens)}"
        self.tokens.add(token)
        return json_reply({"token": token, "expires_in": 300})

    def _tags(self, stored: Stored, repository: str, _rest: str, request: Request) -> Reply:
        query = parse_qs(urlsplit(request.path).query)
        last, count = query.get("last", [""])[0], min(int(query.get("n", ["1000"])[0]), self.page)
        names = [tag for tag in sorted(stored.tags) if tag > last]
        reply = json_reply({"name": repository, "tags": names[:count] or None})
        headers = dict(reply.headers)
        if len(names) > count:
            headers["Link"] = (
                f'</v2/{repository}/tags/list?n={count}&last={quote(names[count - 1])}>; rel="next"'
            )
        return self._conditional(Reply(200, headers, reply.body), request)

    def _manifest(self, stored: Stored, _repository: str, reference: str, request: Request) -> Reply:
        digest = stored.tags.get(reference, reference)
        if digest not in stored.content:
            return Reply(404, {}, b"{}")
        kind, body = stored.content[digest]
        reply = Reply(
            200, {"Content-Type": kind, "Docker-Content-Digest": digest, "ETag": f'"{digest}"'}, body
        )
        if request.headers.get("if-none-match") == f'"{digest}"':
            return Reply(304, {"ETag": f'"{digest}"'})
        return reply

    def _blob(self, stored: Stored, _repository: str, digest: str, _request: Request) -> Reply:
        if digest not in stored.content:
            return Reply(404, {}, b"{}")
        return Reply(200, {"Content-Type": "application/octet-stream"}, stored.content[digest][1])

    def _conditional(self, reply: Reply, request: Request) -> Reply:
        if not self.etags:
            return reply
        mark = f'"{hashlib.sha256(reply.body).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == mark:
            return Reply(304, {"ETag": mark})
        return Reply(reply.status, {**reply.headers, "ETag": mark}, reply.body)


def basic(username: str, password: str) -> str:
    """Return the Authorization header of a login."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def json_reply(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return an answer with this document."""
    return Reply(
        status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(content).encode()
    )


def _store(stored: Stored, kind: str, content: Any) -> str:
    body = json.dumps(content).encode()
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    stored.content[digest] = (kind, body)
    return digest


class _RegistryHttpServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that give up: many tests want that."""


def _handler(server: RegistryServer) -> type[http.server.BaseHTTPRequestHandler]:
    class RegistryHandler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # header and body in one packet: two would wait for each other's receipt

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the parent's name)
            pass

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers.get("authorization", ""), headers, body)
            server.requests.append(request)
            reply = server.intercept(request) or server.answer(request)
            if isinstance(reply, Dribble):
                self._dribble(reply)
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def _dribble(self, how: Dribble) -> None:
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"X-Slow: " if how.header else b"\r\n"))
            for _byte in range(6000):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)

        do_GET = do_POST = _answer  # noqa: N815 - http.server's names

    return RegistryHandler
