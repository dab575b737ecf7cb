# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sink for audit events: the API server sends them, and the last of each cluster are kept for its runs.

Of an event only who did what is kept, never the body of a request or an answer. Reads are left out.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from ansible_collections.plumb.gitops.plugins.module_utils.state.file import read_bounded
from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import make_folder
from ansible_collections.plumb.gitops.plugins.module_utils.state.rotated import WINDOW, rotated

from ..core.config import LARGEST_SECRET
from ..core.paths import audit_file
from .request_body import BodyRefused, read_body

MOST_BODY = 16 * 1024 * 1024  # bytes; the API server sends 400 events at once
_READING = 30.0  # seconds for a body
_LONGEST = 64 * 1024  # bytes of one event
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_FIELDS = (
    "auditID", "stage", "verb", "requestURI", "sourceIPs", "userAgent", "objectRef", "requestReceivedTimestamp",
    "stageTimestamp",
)  # fmt: skip
_OF_USER = ("username", "groups")


class AuditSink:
    """Keeps the events of each cluster in a file of its own below `folder`, and one older file."""

    def __init__(self, folder: Path, token_file: Path, clusters: Callable[[], Collection[str]]) -> None:
        self._folder = folder
        self._token_file = token_file
        self._clusters = clusters
        self._lock = asyncio.Lock()

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Handle a request with one EventList of audit.k8s.io/v1."""
        cluster = request.match_info["cluster"]
        try:
            self._admit(request, cluster)
            lines = lines_of(await read_body(request, most=MOST_BODY, seconds=_READING))
            async with self._lock:
                await asyncio.to_thread(_append, audit_file(self._folder, cluster), lines)
        except BodyRefused as refused:
            return web.json_response({"error": refused.why}, status=refused.status)
        except OSError as error:
            return web.json_response({"error": f"it could not be written: {error.strerror}"}, status=503)
        return web.json_response({"kept": len(lines)})

    def _admit(self, request: web.Request, cluster: str) -> None:
        """Raise BodyRefused for a request that may not send events."""
        if not self._has_token(request):
            raise BodyRefused(401, "send the token: Authorization: Bearer ..., or after the cluster's name")
        if cluster not in self._clusters():
            raise BodyRefused(404, "there is no such cluster")

    def _has_token(self, request: web.Request) -> bool:
        try:
            token = read_bounded(self._token_file, LARGEST_SECRET).strip()
        except OSError:
            return False
        header = request.headers.get("Authorization", "").removeprefix("Bearer ")
        text = header or request.match_info.get("token") or request.query.get("token", "")
        candidate = text.encode("utf-8", "surrogateescape")
        return bool(token) and hmac.compare_digest(candidate, token)


def lines_of(body: bytes) -> list[bytes]:
    """Return the lines to keep of an EventList. Raises BodyRefused for anything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    events = (
        document.get("items")
        if isinstance(document, Mapping) and document.get("kind") == "EventList"
        else None
    )
    if not isinstance(events, list):
        raise BodyRefused(400, "the body is no EventList of audit.k8s.io/v1")
    return [line for event in events if (line := _line(event))]


def _line(event: Any) -> bytes:
    if (
        not isinstance(event, Mapping)
        or event.get("verb") not in _WRITES
        or event.get("stage") != "ResponseComplete"
    ):
        return b""
    fields = {key: event[key] for key in _FIELDS if key in event}
    for key in ("user", "impersonatedUser"):
        if isinstance(event.get(key), Mapping):
            fields[key] = {word: event[key][word] for word in _OF_USER if word in event[key]}
    if isinstance(event.get("responseStatus"), Mapping):
        fields["responseStatus"] = {"code": event["responseStatus"].get("code")}
    line = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
    return line if len(line) <= _LONGEST else b""


def _append(file: Path, lines: list[bytes]) -> None:
    """Append to a file; a full one is set aside, named as the API server does it, and the one before it removed."""
    if not lines:
        return
    make_folder(file.parent)
    if file.exists() and file.stat().st_size >= WINDOW:
        for older in rotated(file):
            older.unlink()
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%f")[:-3]
        file.rename(file.with_name(f"{file.stem}-{stamp}{file.suffix}"))
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        data = b"".join(lines)
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)
