# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people are told of a run: what was not as Git says, by whom, and what became of it.

It is made from a report and has a bound, whatever the size of that. Secrets were masked where the report was made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_MOST_FINDINGS = 300  # of a run; the worst of each app come first
_MOST_CHANGES = 12  # of an object
_MOST_LINES = 5  # warnings, unhealthy objects, unclaimed sets; of each app
_LONGEST = 600  # characters of a text, and of a value as JSON

_REVISION = ("ref", "resolved", "commit", "subject", "author", "authored", "committed", "signer", "signature")
_WRITES = frozenset({"create", "update", "adopt", "recreate", "prune"})
_KEPT = ("object", "kind", "action", "origin", "reason", "error", "warning")


def digest_of_report(document: Mapping[str, Any]) -> dict[str, Any]:
    """The story of a report: its sources with their revisions, and each app with its findings."""
    apps, left = [], _MOST_FINDINGS
    for app in document["apps"]:
        apps.append(_app(app, left))
        left -= len(apps[-1]["findings"])
    return {
        "started": document["started"],
        "seconds": document["seconds"],
        "sources": [_source(source) for source in document["sources"]],
        "apps": apps,
        "unclaimed": _some(document.get("unclaimed", ())),
    }


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    revision = source.get("revision") or {}
    kept = {key: revision[key] for key in _REVISION if key in revision}
    if "author" in kept:
        kept["author"] = str(kept["author"].get("name", ""))
    said = {key: source[key] for key in ("error", "warning") if source.get(key)}
    return {"name": source["name"], **_cut(kept), **_cut(said)}


def _app(app: Mapping[str, Any], most: int) -> dict[str, Any]:
    findings = list(_findings(app))
    told: dict[str, Any] = {"name": app["name"], "findings": findings[:most]}
    if len(findings) > most:
        told["more_findings"] = len(findings) - most
    told["written"] = sum(
        action.get("result") == "done" and action["action"] in _WRITES and not action["drifted"]
        for action in app.get("actions", ())
    )
    told["warnings"] = _some(app.get("warnings", ()))
    told["unhealthy"] = [_cut(one) for one in app.get("unhealthy", ())[:_MOST_LINES]]
    if app.get("prune_blocked"):
        told["prune_blocked"] = app["prune_blocked"][:_LONGEST]
    return told


def _findings(app: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The worst first, so that a bound cuts what matters least."""
    found = [(_what(action), action) for action in app.get("actions", ())]
    for what in FINDING_KINDS:
        yield from (_finding(what, action) for said, action in found if said == what)


# What became of an object that was not, or could not be made, as Git says.
FINDING_KINDS = ("failed", "refused", "unverified", "drifted", "reverted", "skipped")


def _what(action: Mapping[str, Any]) -> str:
    if action.get("result") in {"failed", "skipped"}:
        return str(action["result"])
    if action["action"] == "refused":
        return "refused"
    if action["unverified"]:
        return "unverified"
    if action["drifted"]:
        return "reverted" if action.get("result") == "done" else "drifted"
    return ""


def _finding(what: str, action: Mapping[str, Any]) -> dict[str, Any]:
    changes = action.get("changes", ())
    if what in {"reverted", "drifted"}:  # a commit may come together with drift, and is not what is told here
        changes = [change for change in changes if change["cause"] != "git"]
    told: dict[str, Any] = {"what": what, **_cut({key: action[key] for key in _KEPT if action.get(key)})}
    if action.get("culprit"):  # who deleted it
        told["culprit"] = _cut(action["culprit"])
    told["changes"] = [_change(change) for change in changes[:_MOST_CHANGES]]
    if len(changes) > _MOST_CHANGES:
        told["more_changes"] = len(changes) - _MOST_CHANGES
    return told


def _change(change: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"path": change["path"][:_LONGEST], "cause": change["cause"]}
    for side in ("live", "desired"):
        if side in change:
            told[side] = _value(change[side])
    if change.get("culprit"):
        told["culprit"] = _cut(change["culprit"])
    return told


def _value(value: Any) -> Any:
    """The value, or the beginning of it as text."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return value if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _cut(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _value(value) for key, value in values.items()}


def _some(lines: Sequence[str]) -> list[str]:
    told = [line[:_LONGEST] for line in lines[:_MOST_LINES]]
    return [*told, f"and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else told
