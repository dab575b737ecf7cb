# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of a report, which is all that the agent keeps of it. It has a bound, whatever the size of the report.

Here are the findings, which people read on the page: what was not in sync, by whom, and what became of it. Secrets were
masked where the report was made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..core.run_protocol import ReportDigest
from .reports import summary_of, writes_of

_MOST_FINDINGS = 300  # of a run; the worst of each app come first
_MOST_CHANGES = 12  # of an object
_MOST_LINES = 5  # warnings, unhealthy objects, unclaimed sets; of each app
_LONGEST = 600  # characters of a text, and of a value as JSON

_REVISION = ("ref", "resolved", "commit", "subject", "author", "authored", "committed", "signer", "signature")
_WRITES = frozenset({"create", "update", "adopt", "recreate", "prune"})
_ACTION_FIELDS = ("object", "kind", "action", "origin", "reason", "error", "warning")


def digest_of(document: Mapping[str, Any]) -> ReportDigest:
    """Return the digest of a report's document."""
    return ReportDigest(
        summary=summary_of(document), writes=writes_of(document), findings=findings_of(document)
    )


def findings_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the findings of a report for people: its sources with their revisions, and each app with its findings."""
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
    revision_fields = {key: revision[key] for key in _REVISION if key in revision}
    if "author" in revision_fields:
        revision_fields["author"] = str(revision_fields["author"].get("name", ""))
    messages = {key: source[key] for key in ("error", "warning") if source.get(key)}
    return {"name": source["name"], **_cut(revision_fields), **_cut(messages)}


def _app(app: Mapping[str, Any], most: int) -> dict[str, Any]:
    findings = list(_findings(app))
    digest: dict[str, Any] = {"name": app["name"], "findings": findings[:most]}
    if len(findings) > most:
        digest["more_findings"] = len(findings) - most
    digest["written"] = sum(
        action.get("result") == "done" and action["action"] in _WRITES and not action["drifted"]
        for action in app.get("actions", ())
    )
    digest["reverted"] = sum(_what(action) == "reverted" for action in app.get("actions", ()))
    digest["warnings"] = _some(app.get("warnings", ()))
    digest["unhealthy"] = [_unhealthy(each) for each in app.get("unhealthy", ())[:_MOST_LINES]]
    if app.get("prune_blocked"):
        digest["prune_blocked"] = app["prune_blocked"][:_LONGEST]
    return digest


def _unhealthy(entry: Mapping[str, Any]) -> dict[str, Any]:
    digest = _cut({key: value for key, value in entry.items() if key != "reasons"})
    return {**digest, "reasons": [reason[:_LONGEST] for reason in entry.get("reasons", ())]}


def _findings(app: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the findings, the worst first, so that a bound cuts what matters least."""
    kinds = [(_what(action), action) for action in app.get("actions", ())]
    for kind in FINDING_KINDS:
        yield from (_finding(kind, action) for finding_kind, action in kinds if finding_kind == kind)


# What became of an object that was not, or could not be made, what Git says.
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
    if what in {"reverted", "drifted"}:  # a commit may come together with drift, and is no finding
        changes = [change for change in changes if change["cause"] != "git"]
    finding: dict[str, Any] = {
        "what": what,
        **_cut({key: action[key] for key in _ACTION_FIELDS if action.get(key)}),
    }
    if action.get("culprit"):  # who deleted it
        finding["culprit"] = _cut(action["culprit"])
    finding["changes"] = [_change(change) for change in changes[:_MOST_CHANGES]]
    if len(changes) > _MOST_CHANGES:
        finding["more_changes"] = len(changes) - _MOST_CHANGES
    return finding


def _change(change: Mapping[str, Any]) -> dict[str, Any]:
    digest: dict[str, Any] = {"path": change["path"][:_LONGEST], "cause": change["cause"]}
    for side in ("live", "desired"):
        if side in change:
            digest[side] = _value(change[side])
    if change.get("culprit"):
        digest["culprit"] = _cut(change["culprit"])
    return digest


def _value(value: Any) -> Any:
    """Return the value, or the beginning of it as text."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return value if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _cut(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _value(value) for key, value in values.items()}


def _some(lines: Sequence[str]) -> list[str]:
    cut = [line[:_LONGEST] for line in lines[:_MOST_LINES]]
    return [*cut, f"and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else cut
