# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run tells what it came to, besides its result: the report's files and the audit trail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...model.app import AppSpec
from ...model.errors import PlumbError
from ...model.report import Report
from ...report.file import ensure_report_space, report_file, write_report, write_text
from ...report.markdown import markdown
from ...report.trail import ensure_trail_space, records, trail_file, write_trail
from .reported_state import reported_state_file, save_reported_state, unreported


@dataclass(slots=True)
class WrittenOutputs:
    """What was told where. `lines` are for people, `wrong` says what could not be told; `places` are results."""

    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    places: dict[str, Any] = field(default_factory=dict)

    def failed(self, error: PlumbError) -> None:
        """What the run did is told all the same, and that it could not be told here."""
        self.lines.append(f"  x {error}")
        self.wrong.append(str(error))


def see_places(options: Mapping[str, Any]) -> None:
    """See that all can be told, before anything is written to the cluster. Raises a PlumbError."""
    cluster = options.get("cluster") or ""
    if options.get("report_path"):
        ensure_report_space(report_file(options["report_path"], cluster, "room"))
    if options.get("markdown_path"):
        ensure_report_space(report_file(options["markdown_path"], cluster, "room", ".md"))
    if options.get("trail_path"):
        ensure_trail_space(trail_file(options["trail_path"], cluster))


def write_outputs(
    options: Mapping[str, Any], cache: Path, report: Report, whole: Mapping[str, Any], apps: Sequence[AppSpec]
) -> WrittenOutputs:
    """Tell of a run in the places that the options name; `whole` is the report's document."""
    telling = WrittenOutputs()
    if options.get("trail_path") and not report.check:
        _trail(telling, options, cache, report, apps)
    if options.get("report_path"):
        target = report_file(options["report_path"], report.cluster, report.started)
        try:
            write_report(target, whole)
        except PlumbError as error:
            telling.failed(error)
        else:
            telling.places["report"] = str(target)
            telling.lines.append(f"  Report: {target}")
    if options.get("markdown_path"):
        target = report_file(options["markdown_path"], report.cluster, report.started, ".md")
        try:
            write_text(target, markdown(report))
        except PlumbError as error:
            telling.failed(error)
        else:
            telling.places["markdown"] = str(target)
    return telling


def _trail(
    telling: WrittenOutputs, options: Mapping[str, Any], cache: Path, report: Report, apps: Sequence[AppSpec]
) -> None:
    target = trail_file(options["trail_path"], report.cluster)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    file = reported_state_file(cache, report.server, report.cluster, "trail", str(target.absolute()))
    fresh, standing = unreported(file, records(report, {app.name: app.source for app in apps}, now), report)
    try:
        head = write_trail(target, fresh)
    except PlumbError as error:
        telling.failed(error)
        return
    save_reported_state(file, standing)
    telling.places["trail"] = {"path": str(target), "seq": head.seq, "hash": head.hash}
