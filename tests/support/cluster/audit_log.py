# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's audit log: what Plumb wrote, as the server says it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_READS = frozenset({"get", "list", "watch"})


@dataclass(slots=True)
class Audit:
    """Reads the log from where the last reading ended."""

    log: Path
    _seen: int = 0

    def writes(self) -> list[str]:
        """Return verb and URI of each write by Plumb since the last reading, without dry-runs."""
        return [f"{event['verb']} {event['requestURI']}" for event in self.events()]

    def events(self) -> list[dict[str, Any]]:
        """Return each write by Plumb since the last reading, as the server logged it at its end, without dry-runs."""
        with self.log.open("rb") as file:
            file.seek(self._seen)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]  # the server may be in the middle of a line
        self._seen += len(whole)
        events = [json.loads(line) for line in whole.splitlines()]
        return [
            event
            for event in events
            if event.get("userAgent", "").startswith("plumb/")
            and event["verb"] not in _READS
            and "dryRun" not in event["requestURI"]
        ]
