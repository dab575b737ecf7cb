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


def colour_of(line: str) -> str:
    """The setting that names a line's colour; empty for a line that has none."""
    sign, _space, rest = line.strip().partition(" ")
    return _COLOURS.get(sign, "") if rest and line.startswith("  ") else ""


def verdict(applied: Mapping[str, Any], fail_on: str) -> dict[str, Any]:
    """The result of the task that closes a run: failed as `fail_on` (drift, failure or never) says."""
    failed, drifted = bool(applied.get("failed")) or bool(applied.get("msg")), bool(applied.get("drifted"))
    closing: dict[str, Any] = {"changed": False, "drifted": drifted}
    if (fail_on != "never" and failed) or applied.get("stopped"):
        return {**closing, "failed": True, "msg": _shortened(str(applied.get("msg", "")))}
    if fail_on == "drift" and drifted:
        said = "The cluster had drifted from what Git says; the lines above marked ! say where."
        return {**closing, "failed": True, "msg": said}
    return closing


def _shortened(said: str) -> str:
    """The first of several failures; the lines of the report have them all."""
    first, *rest = said.splitlines() or [""]
    return f"{first} (and {len(rest)} more, marked x in the lines above)" if rest else first
