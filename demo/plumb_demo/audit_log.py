# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's audit log: what an account really requested, independent of Plumb's own reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
# Questions in the form of a create: nothing is stored.
_REVIEWS = frozenset(
    {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews", "tokenreviews"}
)


@dataclass(frozen=True, slots=True)
class AgentTraffic:
    """The requests of one user in a span of time, without watches: the server logs these when they end."""

    reads: int
    dry_runs: int
    writes: tuple[str, ...]  # as `patch deployments shop/basket`
    renewals: int  # writes of the Lease, by which an agent shows that it is alive


@dataclass(frozen=True, slots=True)
class AgentAuditLog:
    """The log as a file of JSON lines; the server writes a line before it answers."""

    path: Path
    user: str

    def position(self) -> int:
        """Return a mark for `since`: the length of the log in bytes."""
        return self.path.stat().st_size

    def since(self, position: int) -> AgentTraffic:
        """Return all requests of our user from a mark on."""
        reads = dry_runs = renewals = 0
        writes: list[str] = []
        for event in self._events(position):
            if event["verb"] == "watch":
                continue
            if event.get("objectRef", {}).get("resource") == "leases":
                renewals += event["verb"] in _WRITES
            elif event["verb"] not in _WRITES or event.get("objectRef", {}).get("resource") in _REVIEWS:
                reads += 1
            elif parse_qs(urlsplit(event["requestURI"]).query).get("dryRun") == ["All"]:
                dry_runs += 1
            else:
                writes.append(_named(event))
        return AgentTraffic(reads, dry_runs, tuple(writes), renewals)

    def _events(self, position: int) -> Iterator[dict[str, Any]]:
        with self.path.open("rb") as log:
            log.seek(position)
            for line in log:
                if not line.endswith(b"\n"):  # the server is in the middle of it
                    return
                event = json.loads(line)
                if event["user"].get("username") == self.user and event["stage"] == "ResponseComplete":
                    yield event


def _named(event: dict[str, Any]) -> str:
    of = event.get("objectRef", {})
    where = "/".join(part for part in (of.get("namespace"), of.get("name")) if part)
    return f"{event['verb']} {of.get('resource', event['requestURI'])} {where}".strip()
