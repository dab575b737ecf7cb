# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent serves over HTTP: health and metrics to everybody, the rest to whom auth.py lets through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

from ..core.config import Http
from ..loops.commands import CommandRequest, Commands
from .audit_sink import AuditSink
from .auth import Authenticator, Handler, error_response
from .connection_limits import HEADERS, BoundedSite, ConnectionLimits
from .page import PageData, add_no_page, add_page, harden
from .request_body import MOST_WORDS, READING, BodyRefused, read_body
from .webhook import WebhookReceiver

_LINGERING = (
    2.0  # seconds for which the rest of a refused body is thrown away, so that its sender gets the answer
)
_WORDS = {  # of each command's body, and what they are in a CommandRequest
    "sync": {"cluster": "cluster", "app": "app"},
    "suspend": {word: word for word in ("cluster", "app", "reason", "by", "until")} | {"for": "lasts"},
    "resume": {word: word for word in ("cluster", "app", "by")},
    "diff": {"cluster": "cluster", "app": "app"},
}


@dataclass(frozen=True, slots=True)
class HttpServices:
    """What the agent serves: functions that return it, and handlers of what is sent."""

    health: Callable[[], list[str]]  # what is wrong, a line each
    readiness: Callable[[], list[str]]
    metrics: Callable[[], bytes]
    status: Callable[[], Mapping[str, Any]]
    commands: Commands
    diff: Callable[[CommandRequest], Awaitable[dict[str, Any]]]
    history: Callable[[str, str], list[dict[str, Any]]]  # of a cluster and an app, empty: of all
    page: PageData
    sink: AuditSink | None = None  # for audit events
    receiver: WebhookReceiver | None = None  # of webhooks


async def listen(http: Http, services: HttpServices) -> web.AppRunner:
    """Listen until the runner is cleaned up. Raises InputError where the address cannot be had."""
    bounds = ConnectionLimits()
    runner = web.AppRunner(
        _application(http, services, bounds),
        access_log=None,
        handle_signals=False,
        keepalive_timeout=HEADERS,
        lingering_time=_LINGERING,
        shutdown_timeout=0.1,
    )
    await runner.setup()
    site = BoundedSite(runner, http.host or None, http.port, bounds)
    try:
        await site.start()
    except OSError as exc:
        await runner.cleanup()
        raise InputError(
            f"http.listen {http.host}:{http.port}",
            "listening",
            exc.strerror or str(exc),
            "Name another address or port.",
        ) from exc
    return runner


def _application(http: Http, services: HttpServices, bounds: ConnectionLimits) -> web.Application:
    application = web.Application(middlewares=[bounds.middleware])
    application.router.add_get("/healthz", _words(services.health))
    application.router.add_get("/readyz", _words(services.readiness))
    application.router.add_get("/metrics", _metrics(services.metrics))
    application.on_response_prepare.append(harden)
    authenticator = Authenticator(http)
    if http.token_file is not None:
        application.router.add_get("/api/v1/status", authenticator.command(_status(services)))
        application.router.add_get("/api/v1/history", authenticator.read(_history(services)))
        for name, known in _WORDS.items():
            command = services.diff if name == "diff" else getattr(services.commands, name)
            answer = _command(command, known)
            application.router.add_post(f"/api/v1/{name}", authenticator.command(answer))
    if services.sink is not None:
        for path in ("/audit/{cluster}", "/audit/{cluster}/{token}"):
            application.router.add_post(path, services.sink.receive)
    if services.receiver is not None:
        application.router.add_post("/webhook/{name}", services.receiver.receive)
    if http.token_file is not None or http.trusted_user_header:
        add_page(application, authenticator, services.page)
    else:
        add_no_page(application)
    return application


def _words(wrong: Callable[[], list[str]]) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        lines = wrong()
        return web.Response(text="\n".join(lines or ["ok"]) + "\n", status=503 if lines else 200)

    return answer


def _metrics(text: Callable[[], bytes]) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return answer


def _status(services: HttpServices) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(services.status())

    return answer


def _history(services: HttpServices) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            moments = services.history(request.query.get("cluster", ""), request.query.get("app", ""))
        except InputError as error:
            return error_response(404, str(error))
        text = await asyncio.to_thread(json.dumps, {"moments": moments}, separators=(",", ":"))
        return web.Response(text=text, content_type="application/json")

    return answer


def _command(
    command: Callable[[CommandRequest], Awaitable[dict[str, Any]]], known: Mapping[str, str]
) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            words = _words_of(await read_body(request, most=MOST_WORDS, seconds=READING), known)
            command_request = CommandRequest(**{known[word]: text for word, text in words.items()})
            return web.json_response(await command(command_request))
        except BodyRefused as refused:
            return error_response(refused.status, refused.why)
        except InputError as error:
            return error_response(409, str(error))
        except OSError as error:
            return error_response(500, f"it could not be written: {error.strerror}")

    return answer


def _words_of(body: bytes, known: Iterable[str]) -> Mapping[str, str]:
    """Return the words of a command's body. Raises BodyRefused."""
    try:
        words = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        why = 'the body is no JSON; send for example {"cluster": "prod", "app": "shop"}'
        raise BodyRefused(400, why) from None
    if not isinstance(words, dict) or not all(isinstance(value, str) for value in words.values()):
        raise BodyRefused(400, "the body is not a map of text")
    if unknown := sorted(words.keys() - set(known)):
        raise BodyRefused(400, f"{unknown[0][:80]!r} is unknown; valid names are {', '.join(sorted(known))}")
    return words
