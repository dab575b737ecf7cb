# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of Ansible's events while a run goes on: failures, warnings, pushed branches, settings of clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import printable

MOST_LINES = 50_000  # of a check
_APPLY = "plumb.gitops.apply"
_CHECK = "plumb.gitops.check_inventory"
_REPORTING = frozenset({f"plumb.gitops.{name}" for name in ("commit_status", "images", "notify", "preview")})
_FAILED = frozenset({"runner_on_failed", "runner_on_unreachable", "runner_item_on_failed"})


@dataclass(slots=True)
class EventListener:
    """Collects what matters of Ansible's events. Of a result only the message is kept: the rest may quote anything.

    `keeps_lines`: also the lines of the report, which are for people, and whether something would change.
    """

    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    undelivered: dict[str, str] = field(default_factory=dict)
    pushed: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    keeps_lines: bool = False
    lines: list[str] = field(default_factory=list)
    changed: bool = False

    def handle(self, event: Mapping[str, Any]) -> bool:
        """Handle one event. Return False, so that ansible-runner does not keep it in a file."""
        kind, data = event.get("event"), event.get("event_data") or {}
        result = data.get("res") or {}
        if kind in _FAILED and not data.get("ignore_errors"):
            self._add_failure(f"{data.get('host')}: {data.get('task')}", result)
        elif kind == "runner_on_ok" and data.get("task_action") in _REPORTING:
            self.warnings += [printable(str(line)) for line in result.get("warnings") or ()]
            for entry in result.get("undelivered") or ():
                self.undelivered[str(entry["receiver"])] = printable(str(entry["error"]))
            self.pushed += [
                str(branch["branch"])
                for update in result.get("updates") or ()
                for branch in update["branches"]
                if branch["commit"]
            ]
        elif kind == "runner_on_ok" and data.get("task_action") == _CHECK:
            if isinstance(settings := result.get("settings"), Mapping):
                self.settings[str(data.get("host"))] = settings
        elif kind == "runner_on_ok" and data.get("task_action") == _APPLY and self.keeps_lines:
            self._keep_lines(result)
        elif kind in {"error", "verbose"}:
            self._add_error(str(event.get("stdout") or ""))
        return False

    def _add_failure(self, subject: str, result: Mapping[str, Any]) -> None:
        message = result.get("censored") or result.get("msg") or "it failed and gave no reason"
        lines = str(message).splitlines()[:5]
        self.failures += [f"{subject}: {printable(line)}" for line in lines if line.strip()]

    def _keep_lines(self, result: Mapping[str, Any]) -> None:
        lines = [str(line) for line in result.get("lines") or ()]
        self.lines += lines[:MOST_LINES]
        if len(lines) > MOST_LINES:
            self.lines.append(f"… and {len(lines) - MOST_LINES:,} more lines")
        self.changed = self.changed or bool(result.get("changed"))

    def _add_error(self, text: str) -> None:
        """Keep the first line of an error outside of tasks. Those below it quote the file, which may hold a secret."""
        first = printable(text.lstrip().partition("\n")[0])
        if "ERROR" in first[:20]:
            self.failures.append(first)
