# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report on disk: written whole or not at all, readable by its owner only."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..model.errors import PlumbError, printable
from ..state.file import ensure_space, write_whole

_ROOM = 1024 * 1024  # bytes; a report of some thousand objects


class ReportError(PlumbError):
    """The report could not be written."""


def report_file(path: str, cluster: str, started: str, suffix: str = ".json") -> Path:
    """Return the report's file: `path` itself if it has this suffix, else `path/<cluster>/<time><suffix>`.

    A run that started within the second of another has a number after the time, from 2: no report replaces another.
    """
    if path.endswith(suffix):
        return Path(path)
    folder = Path(path) / (cluster.replace("/", "_") or "cluster")
    stamp = started.replace("-", "").replace(":", "")
    names = itertools.chain([stamp], (f"{stamp}_{number}" for number in itertools.count(2)))
    return next(file for name in names if not (file := folder / f"{name}{suffix}").exists())


def ensure_report_space(target: Path) -> None:
    """Check that a report could be written there, before anything is done that it reports. Raises ReportError."""
    try:
        ensure_space(target, _ROOM)
    except OSError as error:
        raise _unusable(target, error) from error


def write_report(target: Path, report: Mapping[str, Any]) -> None:
    """Write a report document as JSON, mode 0600, atomically; its folder is made if it is missing.

    Raises ReportError where the folder or the file cannot be written.
    """
    # A line for each object, and not json's indentation, which takes the slow way. In a text, quotes are escaped.
    write_text(target, json.dumps(report, ensure_ascii=False).replace('{"', '\n{"').lstrip() + "\n")


def write_text(target: Path, text: str) -> None:
    """Write a report in another form, as `write_report` does. Raises ReportError."""
    try:
        write_whole(target, text.encode(errors="replace").decode())  # half of a surrogate pair is no UTF-8
    except OSError as error:
        raise _unusable(target, error) from error


def _unusable(target: Path, error: OSError) -> ReportError:
    return ReportError(
        f"report {target}",
        "writing it",
        printable(error.strerror or str(error)),
        "Set plumb_report_path (report_path), or plumb_markdown_path, to a writable place with free space.",
    )
