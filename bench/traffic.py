# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a contender asked of the API server, from the server's own audit log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
# Questions in the form of a create: nothing is stored.
_REVIEWS = frozenset(
    {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews", "tokenreviews"}
)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests by what they do. A dry-run is a write's request of which nothing is stored."""

    reads: int = 0
    dry_runs: int = 0
    writes: int = 0

    @property
    def requests(self) -> int:
        """The number of all requests."""
        return self.reads + self.dry_runs + self.writes


def count(lines: Iterable[bytes], user: str) -> Traffic:
    """Count all requests of a user that the server answered, failed ones too."""
    reads = dry_runs = writes = 0
    for line in lines:
        event = json.loads(line)
        if event["stage"] != "ResponseComplete" or event["user"].get("username") != user:
            continue
        resource = event.get("objectRef", {}).get("resource")
        if event["verb"] not in _WRITES or resource in _REVIEWS:
            reads += 1
        elif parse_qs(urlsplit(event["requestURI"]).query).get("dryRun") == ["All"]:
            dry_runs += 1
        else:
            writes += 1
    return Traffic(reads, dry_runs, writes)


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The log as a file of JSON lines. The server writes a line before it answers."""

    path: Path
    user: str

    def position(self) -> int:
        """Return a mark for `since`: the length of the log in bytes."""
        return self.path.stat().st_size

    def since(self, position: int) -> Traffic:
        """Count the user's requests since then."""
        with self.path.open("rb") as log:
            log.seek(position)
            return count(log, self.user)
