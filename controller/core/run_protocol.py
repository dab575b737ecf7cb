# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes between the agent and its fork server: the job of a run, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob:
    """The playbook of a run and its options; variables hold paths and checked names only.

    `check`: nothing is written, and what would be is in the lines of the outcome.
    """

    playbook: str
    inventory: str
    limit: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    report: str = ""  # where the playbook writes its report, if it does
    check: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDigest:
    """What the agent takes from a report, of bounded size. Each part is described where it is made."""

    summary: Mapping[str, Any]  # for the log, the metrics and the status: reports.summary_of
    writes: Mapping[str, Any]  # for the watch: reports.writes_of
    findings: Mapping[str, Any]  # for people: report_digest.findings_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended: exit code, what failed (a line each), settings by host, and the digest of its report.

    Of a check, `lines` are those that the playbook printed, and `changed` is whether a run would change something.
    """

    code: int
    failures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()  # what could not be reported to others
    undelivered: Mapping[str, str] = field(default_factory=dict)  # why, by receiver; see store.deliveries
    pushed: tuple[str, ...] = ()  # the branches that got commits with new images
    lines: tuple[str, ...] = ()
    changed: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    digest: ReportDigest | None = None  # None where the run wrote no report

    @property
    def summary(self) -> Mapping[str, Any]:
        """The summary of the report; empty where the run wrote none."""
        return self.digest.summary if self.digest is not None else {}
