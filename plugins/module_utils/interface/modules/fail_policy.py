# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run makes its play fail, and how its lines are coloured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The first sign of a line, and the name of the colour that Ansible's settings have for it.
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

_APPS = 5  # that are named


def colour_of(line: str) -> str:
    """The setting that names a line's colour; empty for a line that has none."""
    sign, _space, rest = line.strip().partition(" ")
    return _COLOURS.get(sign, "") if rest and line.startswith("  ") else ""


def verdict(applied: Mapping[str, Any], fail_on: str) -> dict[str, Any]:
    """The result of the task that closes a run: failed as `fail_on` (drift, failure or never) says."""
    failed, drifted = bool(applied.get("failed")) or bool(applied.get("msg")), bool(applied.get("drifted"))
    closing: dict[str, Any] = {"changed": False, "drifted": drifted}
    if (fail_on != "never" and failed) or applied.get("stopped"):
        errors = applied.get("errors")  # of images: they stand in no line
        said = "\n".join(errors) if errors else _summed_up(applied)
        return {**closing, "failed": True, "msg": said}
    if fail_on == "drift" and drifted:
        said = "The cluster had drifted from what Git says; the lines above marked ! say where."
        return {**closing, "failed": True, "msg": said}
    return closing


def _summed_up(applied: Mapping[str, Any]) -> str:
    """How much failed, and of which apps. The lines above say what: a failure is told once."""
    count = len(str(applied.get("msg", "")).splitlines())
    apps = [str(app["name"]) for app in applied.get("apps") or () if app.get("failed")]
    of = f" of app {', '.join(apps[:_APPS])}" if apps else ""
    more = f" and {len(apps) - _APPS} more" if len(apps) > _APPS else ""
    what = "1 failure" if count < 2 else f"{count} failures"
    return f"{what}{of}{more}: the report above says what and how to go on."
