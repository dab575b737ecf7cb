# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bounded parts of a module's result: actions, their changes, the diff and the message. The report has all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from ...model.plan import Verb

_MOST_ACTIONS = 200  # in a module's result
_MOST_DIFF = 64 * 1024  # bytes of a module's `diff`
_MOST_CHANGES = 64 * 1024  # bytes of JSON of all `changes` of its actions
_MOST_LINES = 20  # of a message
_CUT = "\n… cut; the report file has all\n"


def bounded_actions(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a report has that is not unchanged, each action with its app: at most `_MOST_ACTIONS`."""
    actions = (
        {"app": app["name"], **{key: value for key, value in action.items() if key != "diff"}}
        for app in document["apps"]
        for action in app.get("actions", ())
        if action["action"] != Verb.UNCHANGED.value or action.get("drifted")
    )
    return _bounded_changes([*islice(actions, _MOST_ACTIONS)])


def _bounded_changes(actions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the actions; from the first that exceeds the bound on, each has `changes_cut` instead of its changes."""
    left, bounded = _MOST_CHANGES, []
    for action in actions:
        left -= len(json.dumps(action.get("changes", [])))
        fits = left >= 0 or "changes" not in action
        rest = {key: value for key, value in action.items() if key != "changes"}
        bounded.append(action if fits else {**rest, "changes_cut": True})
    return bounded


def bounded_text(text: str) -> str:
    """Return the text, or as much of it as `_MOST_DIFF` allows and a line that says so."""
    raw = text.encode()
    if len(raw) <= _MOST_DIFF:
        return text
    return raw[: _MOST_DIFF - len(_CUT.encode())].decode(errors="ignore") + _CUT


def bounded_message(lines: Sequence[str]) -> str:
    """Return the lines as a message of bounded length, with the number of lines left out."""
    rest = [f"… and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
    return "\n".join([*lines[:_MOST_LINES], *rest])
