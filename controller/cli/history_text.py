# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history for people: a line for each moment, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .screen import Cell, Screen, Tone

_HEAD = [Cell(name, Tone.HEAD) for name in ("TIME", "APP", "WHAT", "OBJECT", "DETAILS")]
_TONES = {"failed": Tone.BAD, "refused": Tone.BAD, "ended": Tone.BAD, "applied": Tone.GOOD}
_FIELDS = 2  # that are named


def history_lines(moments: Sequence[Mapping[str, Any]], screen: Screen) -> list[str]:
    """Return the lines of moments (http.documents.moments_of)."""
    if not moments:
        return ["Nothing happened."]
    return screen.table([_HEAD, *map(_row, moments)])


def _row(moment: Mapping[str, Any]) -> list[Cell]:
    what = moment["what"]
    target = f"{moment['cluster']}/{moment['app']}" if moment["app"] else moment["cluster"]
    times = f" ({moment['times']} times, last {moment['time']})" if moment.get("times", 1) > 1 else ""
    return [
        Cell(moment["since"]),
        Cell(target),
        Cell(what, _TONES.get(what, Tone.WARN)),
        Cell("" if what in {"applied", "ended"} else moment.get("object", "")),
        Cell(f"{_DETAILS.get(what, _finding)(moment)}{times}"),
    ]


def _applied(moment: Mapping[str, Any]) -> str:
    subjects = moment.get("subjects", {})
    commits = [
        f'{source}@{commit[:7]} "{subjects.get(source, "")}"' for source, commit in moment["commits"].items()
    ]
    written = [f"{app} {number}" for app, number in moment["written"].items()]
    return f"{', '.join(commits)}: objects written: {', '.join(written)}"


def _ended(moment: Mapping[str, Any]) -> str:
    return f"{moment['result']}: {moment['error']}"


def _finding(moment: Mapping[str, Any]) -> str:
    if text := moment.get("error") or moment.get("reason"):
        return str(text)
    changes = moment.get("changes", ())
    if not changes:
        return f"deleted{_by(moment)}"
    more = f" and {len(changes) - _FIELDS} more" if len(changes) > _FIELDS else ""
    return ", ".join(map(_change, changes[:_FIELDS])) + more


def _change(change: Mapping[str, Any]) -> str:
    values = (
        f" {change['live']!r} instead of {change['desired']!r}"
        if {"live", "desired"} <= change.keys()
        else ""
    )
    return f"{change['path']}{values}{_by(change)}"


def _by(finding: Mapping[str, Any]) -> str:
    culprit = finding.get("culprit") or {}
    names = [culprit[key] for key in ("user", "manager") if culprit.get(key)]
    return f" by {' with '.join(names)}" if names else ""


_DETAILS = {"applied": _applied, "ended": _ended}
