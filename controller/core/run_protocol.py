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
    """What to run; variables hold paths and checked names only."""

    playbook: str
    inventory: str
    limit: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    report: str = ""  # where the playbook writes its report, if it does


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """What came of it: exit code, what failed (a line each), settings by host, and the report in brief."""

    code: int
    failures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()  # what could not be told to others
    pushed: tuple[str, ...] = ()  # the branches that got commits with new images
    settings: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] | None = None
    findings: Mapping[str, Any] | None = None  # see reports.findings_of
    story: Mapping[str, Any] | None = None
