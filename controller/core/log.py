# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's log: one line for each event, as text or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import printable

_LONGEST = 2000  # characters of a value


class Log(Protocol):
    """The agent's log: an event and values."""

    def info(self, event: str, **values: Any) -> None:
        """Log an event."""

    def warning(self, event: str, **values: Any) -> None:
        """Log an event that somebody should look at."""

    def error(self, event: str, **values: Any) -> None:
        """Log a failure."""


def open_log(form: str) -> Log:
    """Open the log on standard error, as `text` or `json`."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
            as_json if form == "json" else as_text,
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    log: Log = structlog.get_logger()
    return log


def as_text(_logger: object, _method: str, event: Mapping[str, Any]) -> str:
    """Return a line such as `2026-11-24T05:37:51Z info     reconciled  cluster=prod changed=1 cause="fleet moved"`."""
    head = ("timestamp", "level", "event")
    values = " ".join(f"{key}={_value(value)}" for key, value in event.items() if key not in head)
    return f"{event['timestamp']} {event['level']:<7} {printable(str(event['event']), _LONGEST)}  {values}".rstrip()


def as_json(_logger: object, _method: str, event: Mapping[str, Any]) -> str:
    """Return the line as one JSON object."""
    return json.dumps({key: _plain(value) for key, value in event.items()})


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float)) else printable(str(value), _LONGEST)


def _value(value: Any) -> str:
    text = str(_plain(value))
    return text if text and not any(c in ' "=' for c in text) else json.dumps(text, ensure_ascii=False)
