# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page: its files, the state as JSON, and events about what has changed. Nothing here writes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from .auth import Authenticator, Handler, RefusedError, error_response, refusal_response
from .cluster_view import STATE_NAMES
from .event_broker import EventBroker, FullError, Subscriber
from .fleet_view import AppSearch
from .request_body import MOST_WORDS, READING, BodyRefused, read_body

_FOLDER = Path(__file__).parent / "assets"
_FILES = {  # by path; all that a browser asks for besides data
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/address.js": ("address.js", "text/javascript"),
    "/apps.js": ("apps.js", "text/javascript"),
    "/causes.js": ("causes.js", "text/javascript"),
    "/summary.js": ("summary.js", "text/javascript"),
    "/link.js": ("link.js", "text/javascript"),
    "/cluster.js": ("cluster.js", "text/javascript"),
    "/finding.js": ("finding.js", "text/javascript"),
    "/elements.js": ("elements.js", "text/javascript"),
    "/words.js": ("words.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
HEARTBEAT = 10.0  # seconds without a change after which a sign of life is sent
_PATIENCE = 10.0  # seconds for a subscriber to take what it is sent
_LONGEST_QUERY = 200  # characters
_MOST_DIGITS = 6  # of an offset
_SETTLE = 0.05  # seconds in which changes become one message


@dataclass(frozen=True, slots=True)
class PageData:
    """What the page shows: the state of one cluster or (empty) of all, None for an unknown one; changes of it; apps."""

    state: Callable[[str], Mapping[str, Any] | None]
    broker: EventBroker
    apps: Callable[[AppSearch], Mapping[str, Any]]


async def harden(_request: web.Request, response: web.StreamResponse) -> None:
    """Add the security headers to each answer."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")


def add_page(application: web.Application, authenticator: Authenticator, shown: PageData) -> None:
    """Serve the page to everybody who may read."""
    for path, (name, kind) in _FILES.items():
        application.router.add_get(path, _file(_FOLDER / name, kind))
    application.router.add_get("/api/v1/session", _session(authenticator))
    application.router.add_get("/api/v1/state", authenticator.read(_state(shown)))
    application.router.add_get("/api/v1/apps", authenticator.read(_apps(shown)))
    application.router.add_get("/api/v1/events", _events(authenticator, shown.broker), allow_head=False)
    application.router.add_post("/sign-in", _sign_in(authenticator))
    application.router.add_post("/sign-out", _sign_out(authenticator))

    async def end(_application: web.Application) -> None:
        shown.broker.end()

    application.on_shutdown.append(end)


def add_no_page(application: web.Application) -> None:
    """Serve a text that says what the page needs."""

    async def answer(_request: web.Request) -> web.Response:
        text = "The page is off, because nobody could sign in: set http.token_file, and restart the agent.\n"
        return web.Response(text=text, status=404)

    application.router.add_get("/", answer)


def _file(path: Path, kind: str) -> Handler:
    content = path.read_bytes()
    tag = hashlib.sha256(content).hexdigest()[:32]

    async def answer(request: web.Request) -> web.Response:
        known = request.if_none_match or ()
        is_known = any(each.value == tag for each in known)
        response = web.Response(status=304) if is_known else web.Response(body=content, content_type=kind)
        if not is_known:
            response.charset = "utf-8"
        response.etag = tag
        response.headers["Cache-Control"] = "no-cache"
        return response

    return answer


def _session(authenticator: Authenticator) -> Handler:
    """Serve who reads; `by` is empty for nobody, so that a browser learns without an error that it has to sign in."""

    async def answer(request: web.Request) -> web.Response:
        try:
            reader = authenticator.reader(request)
        except RefusedError as refused:
            if refused.status != 401:
                return refusal_response(refused)
            return web.json_response({"by": "", "sign_in": authenticator.http.token_file is not None})
        return web.json_response({"by": reader.by, "name": reader.name, "ends": reader.ends})

    return answer


def _state(shown: PageData) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        cluster = request.query.get("cluster", "")
        state = shown.state(cluster)
        if state is None:
            return error_response(404, "there is no such cluster")
        return await _json(state)

    return answer


def _apps(shown: PageData) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            query = parse_query(request.query)
        except ValueError as error:
            return error_response(400, str(error))
        return await _json(shown.apps(query))

    return answer


def parse_query(values: Mapping[str, str]) -> AppSearch:
    """Parse the parameters of a search for apps. Raises ValueError with what is wrong."""
    states = frozenset(filter(None, values.get("state", "").split(",")))
    if unknown := sorted(states - set(STATE_NAMES)):
        msg = f"there is no state {unknown[0][:40]!r}; the states are {', '.join(STATE_NAMES)}"
        raise ValueError(msg)
    offset = values.get("offset", "0")
    if not (offset.isascii() and offset.isdigit() and len(offset) <= _MOST_DIGITS):
        msg = "offset is not a number of apps"
        raise ValueError(msg)
    words = values.get("q", "")[:_LONGEST_QUERY].lower().split()
    return AppSearch(words=tuple(words), states=states, cluster=values.get("cluster", ""), offset=int(offset))


async def _json(document: Mapping[str, Any]) -> web.Response:
    text = await asyncio.to_thread(json.dumps, document, separators=(",", ":"))
    response = web.Response(text=text, content_type="application/json")
    response.enable_compression()
    return response


def _sign_in(authenticator: Authenticator) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            body = await read_body(request, most=MOST_WORDS, seconds=READING)
            form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
            return authenticator.sign_in(request, form.get("token", ""))
        except RefusedError as refused:
            return refusal_response(refused)
        except BodyRefused as refused:
            return error_response(refused.status, refused.why)

    return answer


def _sign_out(authenticator: Authenticator) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        try:
            return authenticator.sign_out()
        except RefusedError as refused:
            return refusal_response(refused)

    return answer


def _events(authenticator: Authenticator, broker: EventBroker) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            authenticator.reader(request)
            with broker.listening() as subscriber:
                return await _follow(request, subscriber, lambda: authenticator.reader(request), broker)
        except RefusedError as refused:
            return refusal_response(refused)
        except FullError:
            return error_response(503, "too many pages are open already", {"Retry-After": "10"})

    return answer


async def _follow(
    request: web.Request, subscriber: Subscriber, may_read: Callable[[], object], broker: EventBroker
) -> web.StreamResponse:
    """Send a subscriber what changes until the agent ends, it is gone, it is too slow, or it may no longer read."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    try:
        await response.prepare(request)
        await _send(response, "alive", broker.version, ())
        while not subscriber.is_over:
            clusters = await subscriber.take(HEARTBEAT)
            if clusters:
                await asyncio.sleep(_SETTLE)
                clusters = tuple(sorted({*clusters, *await subscriber.take(0)}))
            may_read()
            if not subscriber.is_over:
                await _send(response, "changed" if clusters else "alive", broker.version, clusters)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
    except (ConnectionResetError, RefusedError):
        pass
    return response


async def _send(response: web.StreamResponse, name: str, version: int, clusters: Sequence[str]) -> None:
    message = {"version": version, "time": int(time.time()), "clusters": clusters}
    text = json.dumps(message, separators=(",", ":"))
    async with asyncio.timeout(_PATIENCE):
        await response.write(f"id: {version}\nevent: {name}\ndata: {text}\n\n".encode())
