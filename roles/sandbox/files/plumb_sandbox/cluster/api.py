# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to servers on loopback, without proxies and without anything beyond the standard library."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from plumb_sandbox.errors import SandboxError

_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A server on loopback, the authority that signed its certificate, and our token."""

    url: str
    ca_cert: Path | None = None
    token: str = ""

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and body (parsed where it is JSON); status 0 where nothing answers yet."""
        return self.request("GET", path)

    def apply(self, path: str, manifest: dict[str, Any]) -> None:
        """Server-side apply of MANIFEST as field manager `sandbox`."""
        name = f"{manifest['kind']} {manifest['metadata']['name']}"
        query = "?fieldManager=sandbox&force=true"
        status, body = self.request("PATCH", path + query, manifest, "application/apply-patch+yaml")
        if status not in {200, 201}:
            message = body.get("message", "") if isinstance(body, dict) else str(body)
            raise SandboxError(
                f"applying {name}",
                f"the API server answered {status} {message}",
                "See logs/kube-apiserver.log.",
            )

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        """Return status and body of the answer, as for `get`; BODY is sent as JSON."""
        connection = self._connect()
        headers = {"Accept": "application/json", "Content-Type": content_type}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()
        return answer.status, _parsed(text)

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "127.0.0.1", parts.port
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=None if self.ca_cert is None else str(self.ca_cert))
            return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
