# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands to a running agent, over HTTP with its token."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.http.deadline import (
    Deadline,
    DeadlinePassed,
    run_within,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError

from ..core.config import Config

_TIMEOUT = 30.0  # seconds; a sync waits for the sources of its apps
_PAUSE = 0.5
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to connect to such a listener


class CommandError(PlumbError):
    """The agent was not reached, or refused."""


@dataclass(frozen=True, slots=True)
class AgentClient:
    """Sends commands to the agent that has this configuration."""

    config: Config

    def status(self) -> dict[str, Any]:
        """Return the agent's status. Raises CommandError."""
        return self._request("GET", "status")

    def command(self, name: str, words: Mapping[str, str], seconds: float = _TIMEOUT) -> dict[str, Any]:
        """Send a command with its words; empty ones are left out. Return the answer. Raises CommandError."""
        body = {key: value for key, value in words.items() if value}
        return self._request("POST", name, body, seconds)

    def history(self, cluster: str, app: str) -> list[dict[str, Any]]:
        """Return what happened, the newest first. Raises CommandError."""
        query = urllib.parse.urlencode({"cluster": cluster, "app": app})
        moments: list[dict[str, Any]] = self._request("GET", f"history?{query}")["moments"]
        return moments

    def follow(self, runs: Mapping[str, int]) -> Iterator[dict[str, Any]]:
        """Yield the status with the clusters of these runs (by cluster, its number since the start) again and again.

        Raises CommandError after twice the time that a run may take.
        """
        deadline = time.monotonic() + 2 * self.config.run_timeout
        while time.monotonic() < deadline:
            status = self.status()
            yield {**status, "clusters": [each for each in status["clusters"] if each["name"] in runs]}
            time.sleep(_PAUSE)
        raise self._failed("waiting for the run", "it has not ended", "Look at the agent's log.")

    def _request(
        self, method: str, name: str, body: Mapping[str, str] | None = None, seconds: float = _TIMEOUT
    ) -> dict[str, Any]:
        http = self.config.http
        if http.token_file is None:
            raise self._failed(
                "reading the token", "http.token_file is not set", "Set it, and restart the agent."
            )
        host = _EVERYWHERE.get(http.host, http.host)
        url = f"http://{f'[{host}]' if ':' in host else host}:{http.port}/api/v1/{name}"
        try:
            token = http.token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            why = (exc.strerror or "") if isinstance(exc, OSError) else "it is no text"
            raise self._failed(f"reading {http.token_file}", why, "Run this as its owner.") from exc
        request = urllib.request.Request(
            url,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {token}"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = Deadline.after(seconds)

        def exchange() -> dict[str, Any]:
            with opener.open(request, timeout=deadline.socket_timeout) as answer:
                document: dict[str, Any] = json.load(answer)
                return document

        try:
            return run_within(deadline, exchange)
        except DeadlinePassed as exc:
            raise self._failed(name, f"{exc} from {url}", "Check that the agent runs.") from exc
        except urllib.error.HTTPError as exc:
            raise self._failed(name.partition("?")[0], _reason(exc), "") from exc
        except (OSError, ValueError) as exc:
            why = str(getattr(exc, "reason", exc))
            raise self._failed(name, f"no answer from {url}: {why}", "Check that the agent runs.") from exc

    def _failed(self, doing: str, why: str, next_step: str) -> CommandError:
        return CommandError("the agent", doing, why, next_step)


def _reason(exc: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(exc.read(65536))["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"HTTP {exc.code}"
