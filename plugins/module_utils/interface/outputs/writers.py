# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outputs of a run besides its result: the report's files and the audit trail."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPaths:
    """Where a run's outputs are written: for each a file, or a folder for files by cluster. Empty: not at all."""

    report: str
    markdown: str
    trail: str


@dataclass(slots=True)
class WrittenOutputs:
    """What was written. `lines` are for people, `errors` why something could not be, `places` go to the result."""

    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    places: dict[str, Any] = field(default_factory=dict)

    def add_error(self, error: PlumbError) -> None:
        """Add why an output could not be written. What the run did is reported all the same."""
        self.lines.append(f"  x {error}")
        self.errors.append(str(error))


def check_outputs(paths: OutputPaths, cluster: str) -> None:
    """Raise a PlumbError where an output could not be written. This is checked before the cluster is written to."""
    if paths.report:
        ensure_report_space(report_file(paths.report, cluster, "check"))
    if paths.markdown:
        ensure_report_space(report_file(paths.markdown, cluster, "check", ".md"))
    if paths.trail:
        ensure_trail_space(trail_file(paths.trail, cluster))


def write_outputs(
    paths: OutputPaths, cache: Path, report: Report, document: Mapping[str, Any], apps: Sequence[AppSpec]
) -> WrittenOutputs:
    """Write the outputs of a run; `document` is the report's. Nothing is raised for one that could not be written."""
    written = WrittenOutputs()
    if paths.trail and not report.check:
        _write_trail(written, trail_file(paths.trail, report.cluster), cache, report, apps)
    if paths.report:
        target = report_file(paths.report, report.cluster, report.started)
        try:
            write_report(target, document)
        except PlumbError as error:
            written.add_error(error)
        else:
            written.places["report"] = str(target)
            written.lines.append(f"  Report: {target}")
    if paths.markdown:
        target = report_file(paths.markdown, report.cluster, report.started, ".md")
        try:
            write_text(target, markdown(report))
        except PlumbError as error:
            written.add_error(error)
        else:
            written.places["markdown"] = str(target)
    return written


def _write_trail(
    written: WrittenOutputs, target: Path, cache: Path, report: Report, apps: Sequence[AppSpec]
) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    file = reported_state_file(cache, report.server, report.cluster, "trail", str(target.absolute()))
    fresh, reported = unreported(file, records(report, {app.name: app.source for app in apps}, now), report)
    try:
        head = write_trail(target, fresh)
    except PlumbError as error:
        written.add_error(error)
        return
    save_reported_state(file, reported)
    written.places["trail"] = {"path": str(target), "seq": head.seq, "hash": head.hash}
