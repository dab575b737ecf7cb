# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what over HTTP: the token may do all, a browser's session and a proxy's user may read."""

from __future__ import annotations

import hmac
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import printable
from ansible_collections.plumb.gitops.plugins.module_utils.state.file import read_bounded

from ..core.config import LARGEST_SECRET, Http, is_loopback
from .login_throttle import LoginThrottle
from .session import LIFE, Sessions

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_BEARER = "Bearer "
_SHORTEST = 16  # characters of a token that cannot be guessed, at any pace
_HINT = "send the token: Authorization: Bearer ..."


class RefusedError(Exception):
    """The request may not do this: the status of the answer, and why."""

    def __init__(self, status: int, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.status = status
        self.wait = wait  # seconds until it is of use to try again


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: a name where one is known, by what (`token`, `session`, `proxy`), until when (0: no end)."""

    by: str
    name: str = ""
    ends: int = 0


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Lets requests through that may read or command. The token's file is read each time."""

    http: Http
    _throttle: LoginThrottle = field(default_factory=LoginThrottle)

    def command(self, handler: Handler) -> Handler:
        """Return the handler, with a check that the request has the token."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                self._bearer(request)
            except RefusedError as refused:
                return refusal_response(refused)
            return await handler(request)

        return answer

    def read(self, handler: Handler) -> Handler:
        """Return the handler, with a check that the request may read."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                self.reader(request)
            except RefusedError as refused:
                return refusal_response(refused)
            return await handler(request)

        return answer

    def reader(self, request: web.Request) -> Reader:
        """Return who reads. Raises RefusedError."""
        if "Authorization" in request.headers:
            self._bearer(request)
            return Reader("token")
        if name := self._user_of_proxy(request):
            return Reader("proxy", name)
        if self.http.token_file is None:
            raise RefusedError(401, f"the proxy has to name the user, in {self.http.trusted_user_header}")
        sessions = Sessions(self._token())
        ends = sessions.ends(request.cookies.get(sessions.cookie, ""), time.time())
        if not ends:
            raise RefusedError(401, _HINT)
        return Reader("session", ends=ends)

    def sign_in(self, request: web.Request, token: str) -> web.Response:
        """Begin a session with the token. Raises RefusedError."""
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise RefusedError(403, "sign in on the page itself")
        self._compare(request, token.encode("utf-8", "surrogatepass"))
        sessions = Sessions(self._token())
        answer = web.Response(status=204)
        is_secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
        answer.set_cookie(
            sessions.cookie,
            sessions.begin(time.time()),
            max_age=LIFE,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=is_secure,
        )
        return answer

    def sign_out(self) -> web.Response:
        """Have the browser forget its session. Raises RefusedError."""
        answer = web.Response(status=204)
        answer.del_cookie(Sessions(self._token()).cookie, path="/", httponly=True, samesite="Strict")
        return answer

    def _bearer(self, request: web.Request) -> None:
        header = request.headers.get("Authorization", "")
        if not header.startswith(_BEARER):
            raise RefusedError(401, _HINT)
        self._compare(request, header.removeprefix(_BEARER).encode("utf-8", "surrogateescape"))

    def _compare(self, request: web.Request, token: bytes) -> None:
        """Raise RefusedError for a wrong token.

        The comparison comes first, so that the right one is never refused for what others behind the same address have
        guessed. What keeps a token is its length, not how often one may try.
        """
        if hmac.compare_digest(token, self._token()):
            return
        address, now = request.remote or "", time.monotonic()
        wait = self._throttle.wait(address, now)
        if not wait:
            self._throttle.count_wrong(address, now)
            raise RefusedError(401, "this is not the token")
        raise RefusedError(
            429, "this is not the token, nor were earlier ones from this address; wait a little", wait
        )

    def _token(self) -> bytes:
        file = self.http.token_file
        if file is None:
            raise RefusedError(401, "no token is set: http.token_file")
        try:
            token = read_bounded(file, LARGEST_SECRET).strip()
        except OSError:
            raise RefusedError(503, f"the token file {file} cannot be read") from None
        if not token:
            raise RefusedError(503, f"the token file {file} is empty")
        return token

    def _user_of_proxy(self, request: web.Request) -> str:
        """Return the user that a proxy names, if it asks by the agent's own address.

        A page elsewhere whose name was made to resolve to this machine comes with that name, and could name any user.
        """
        header = self.http.trusted_user_header
        if not header or not is_loopback(_host(request.host)) or not is_loopback(request.remote or ""):
            return ""
        values = request.headers.getall(header, [])
        return printable(values[0], 200) if len(values) == 1 else ""


def short_token(http: Http) -> str:
    """Return why the token for commands could be guessed; empty where it could not, or cannot be read."""
    if http.token_file is None:
        return ""
    try:
        length = len(read_bounded(http.token_file, LARGEST_SECRET).strip())
    except OSError:
        return ""
    if length >= _SHORTEST:
        return ""
    step = f"Write a longer one into {http.token_file}, for example by: openssl rand -hex 32"
    return f"the token for commands has {length} characters, which can be guessed. {step}"


def refusal_response(refused: RefusedError) -> web.Response:
    """Return the answer to a refused request."""
    headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else {}
    if refused.wait:
        headers["Retry-After"] = str(math.ceil(refused.wait))
    return error_response(refused.status, str(refused), headers)


def error_response(status: int, why: str, headers: dict[str, str] | None = None) -> web.Response:
    """Return an answer with the reason of a failure."""
    return web.json_response({"error": why}, status=status, headers=headers)


def _host(address: str) -> str:
    """Return a request's host without its port."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.rpartition(":")[0] if address.count(":") == 1 else address
