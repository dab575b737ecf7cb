# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent serves over HTTP: health and metrics to all who reach it, status and commands to who has the token."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from ansible_collections.plumb.gitops.controller.audit import Sink
from ansible_collections.plumb.gitops.controller.commands import Commands
from ansible_collections.plumb.gitops.controller.config import Http
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

_MOST_BODY = 4096  # bytes
_WORDS = {"cluster", "app"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Served:
    """What is shown and done."""

    health: Callable[[], list[str]]  # what is wrong, a line each
    readiness: Callable[[], list[str]]
    metrics: Callable[[], bytes]
    status: Callable[[], Mapping[str, Any]]
    commands: Commands
    sink: Sink | None = None  # for audit events


async def listen(http: Http, served: Served) -> web.AppRunner:
    """Listen until the runner is cleaned up. Raises InputError where the address cannot be had."""
    runner = web.AppRunner(_application(http, served), access_log=None, handle_signals=False)
    await runner.setup()
    site = web.TCPSite(runner, http.host or None, http.port, shutdown_timeout=0.1)
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


def _application(http: Http, served: Served) -> web.Application:
    application = web.Application(client_max_size=_MOST_BODY)
    application.router.add_get("/healthz", _words(served.health))
    application.router.add_get("/readyz", _words(served.readiness))
    application.router.add_get("/metrics", _metrics(served.metrics))
    if http.token_file is not None:
        guard = _guard(http.token_file)
        application.router.add_get("/api/v1/status", guard(_status(served)))
        for name in ("sync", "suspend", "resume"):
            command = getattr(served.commands, name)
            application.router.add_post(f"/api/v1/{name}", guard(_command(command)))
    if served.sink is not None:
        for path in ("/audit/{cluster}", "/audit/{cluster}/{token}"):
            application.router.add_post(path, served.sink.receive)
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


def _status(served: Served) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(served.status())

    return answer


def _command(command: Callable[[str, str], dict[str, Any]]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            said = json.loads(await request.read() or b"{}")
        except (ValueError, RecursionError):
            return _wrong(400, 'the body is no JSON; send for example {"cluster": "prod", "app": "shop"}')
        if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
            return _wrong(400, "the body is no map of texts")
        if unknown := sorted(said.keys() - _WORDS):
            return _wrong(400, f"{unknown[0]!r} is unknown; the words are app and cluster")
        try:
            return web.json_response(command(said.get("cluster", ""), said.get("app", "")))
        except InputError as error:
            return _wrong(409, str(error))
        except OSError as error:
            return _wrong(500, f"it could not be kept: {error.strerror}")

    return answer


def _guard(token_file: Path) -> Callable[[Handler], Handler]:
    """Let through who has the token. The file is read each time, so that a new token needs no restart."""

    def guard(handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            token = _token(token_file)
            if token is None:
                return _wrong(503, f"the token file {token_file} cannot be read")
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not token or not hmac.compare_digest(given, b"Bearer " + token):
                return _wrong(401, "say the token: Authorization: Bearer ...")
            return await handler(request)

        return answer

    return guard


def _token(file: Path) -> bytes | None:
    try:
        return file.read_bytes().strip()
    except OSError:
        return None


def _wrong(status: int, why: str) -> web.Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return web.json_response({"error": why}, status=status, headers=headers)
