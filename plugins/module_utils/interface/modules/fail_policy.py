# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run makes its play fail, and the colours of its lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

# By the first character of a line: Ansible's setting for its colour.
_COLOURS = {
    "+": "COLOR_OK",
    "~": "COLOR_CHANGED",
    "^": "COLOR_CHANGED",
    "*": "COLOR_CHANGED",
    "!": "COLOR_WARN",
    "?": "COLOR_WARN",
    "-": "COLOR_DIFF_REMOVE",
    "x": "COLOR_ERROR",
}

# The same of a diff, which begins with this text and ends with an empty line.
_DIFF = "--- "
_DIFF_COLOURS = {"+": "COLOR_DIFF_ADD", "-": "COLOR_DIFF_REMOVE", "@": "COLOR_DIFF_LINES", "#": "COLOR_WARN"}

_APPS = 5  # that are named


def _colour_of(line: str) -> str:
    """Return Ansible's setting for a line's colour; empty for a line without one."""
    sign, _space, rest = line.strip().partition(" ")
    return _COLOURS.get(sign, "") if rest and line.startswith("  ") else ""


def coloured(lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines by runs of one colour, each with Ansible's setting for it; empty for none."""
    for colour, run in groupby(_with_colours(lines), lambda pair: pair[0]):
        yield colour, [line for _colour, line in run]


def _with_colours(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    in_diff = False
    for line in lines:
        in_diff = line != "" and (in_diff or line.startswith(_DIFF))
        yield _DIFF_COLOURS.get(line[0], "") if in_diff else _colour_of(line), line


def closing_result(applied: Mapping[str, Any], fail_on: str) -> dict[str, Any]:
    """Return the result of the task that closes a run: failed as `fail_on` (drift, failure or never) says."""
    failed, drifted = bool(applied.get("failed")) or bool(applied.get("msg")), bool(applied.get("drifted"))
    closing: dict[str, Any] = {"changed": False, "drifted": drifted}
    if (fail_on != "never" and failed) or applied.get("stopped"):
        errors = applied.get("errors")  # of images: no line has them
        message = "\n".join(errors) if errors else _summary(applied)
        return {**closing, "failed": True, "msg": message}
    if fail_on == "drift" and drifted:
        message = "The cluster had drifted from what Git says; the lines above marked ! show where."
        return {**closing, "failed": True, "msg": message}
    return closing


def _summary(applied: Mapping[str, Any]) -> str:
    """Return how much failed, and of which apps. The lines above say what: no failure is printed twice."""
    count = len(str(applied.get("msg", "")).splitlines())
    apps = [str(app["name"]) for app in applied.get("apps") or () if app.get("failed")]
    of = f" of app {', '.join(apps[:_APPS])}" if apps else ""
    more = f" and {len(apps) - _APPS} more" if len(apps) > _APPS else ""
    what = "1 failure" if count < 2 else f"{count} failures"
    return f"{what}{of}{more}: the report above has the reasons and the next steps."
