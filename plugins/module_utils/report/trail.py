# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit trail: what runs changed, what they were refused, and what others had changed, a line each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..model.app import Revision
from ..model.errors import PlumbError, printable
from ..model.plan import Action, AppResult, Outcome, Verb
from ..model.report import Report
from .chain import Head, append, ensure_chain_space, is_of_newer_version
from .document import action_document, revision_document

SUFFIX = ".jsonl"
_MOST_FIELDS = 200  # fields of one object in one record; of more, the number
_LARGEST_VALUE = 2000  # characters of JSON of one value

_KEPT = ("object", "group", "kind", "namespace", "name", "action", "reason", "culprit", "result", "error")


class TrailError(PlumbError):
    """The audit trail cannot be written."""


def trail_file(path: str, cluster: str) -> Path:
    """Return the trail's file: `path` itself if it names a `.jsonl` file, else `path/<cluster>.jsonl`."""
    if path.endswith(SUFFIX):
        return Path(path)
    return Path(path) / f"{cluster.replace('/', '_') or 'cluster'}{SUFFIX}"


def ensure_trail_space(target: Path) -> None:
    """Check that the trail could be written now, before anything is done that it records. Raises TrailError."""
    _refuse_newer(target)
    try:
        ensure_chain_space(target)
    except OSError as error:
        raise _unusable(target, error) from error


def write_trail(target: Path, added: Sequence[Mapping[str, Any]]) -> Head:
    """Append records to the trail; where it ends then. Raises TrailError."""
    _refuse_newer(target)
    try:
        return append(target, added)
    except OSError as error:
        raise _unusable(target, error) from error


def records(
    report: Report,
    sources: Mapping[str, str],
    time: str,
    wanted: Callable[[Action, Outcome | None], bool] = lambda _action, _outcome: True,
) -> list[dict[str, Any]]:
    """Return a record for each change made or refused in a run, and for each object that had drifted, in order.

    `sources` names each app's source; `time` (RFC 3339, UTC) is when they are written. Values are masked as in the
    report. Where few of them matter, `wanted` says which.
    """
    revisions = {source.name: source.revision for source in report.sources}
    return [
        {
            "time": time,
            "run": report.started,
            "cluster": report.cluster,
            "server": report.server,
            "app": app.plan.app,
            **_revision(sources.get(app.plan.app, ""), revisions),
            **_action(action, outcome),
        }
        for app in report.apps
        for action, outcome in _recorded(app)
        if wanted(action, outcome)
    ]


def _recorded(app: AppResult) -> Iterator[tuple[Action, Outcome | None]]:
    outcomes = {outcome.action.ref: outcome for outcome in app.outcomes}
    for action in app.plan.actions:
        outcome = outcomes.get(action.ref)
        attempted = action.verb.writes and outcome is not None
        if attempted or action.verb is Verb.REFUSED or action.drifted:
            yield action, outcome


def _action(action: Action, outcome: Outcome | None) -> dict[str, Any]:
    whole = action_document(action, outcome)
    record: dict[str, Any] = {key: whole[key] for key in _KEPT if key in whole}
    record["drifted"] = action.drifted
    if action.verb is Verb.REFUSED:
        record["result"] = "refused"
    record.setdefault("result", "left")
    changes = whole.get("changes", [])
    if changes:
        record["fields"] = [
            {key: _cut(value) for key, value in change.items()} for change in changes[:_MOST_FIELDS]
        ]
    if len(changes) > _MOST_FIELDS:
        record["fields_left_out"] = len(changes) - _MOST_FIELDS
    return record


def _cut(value: Any) -> Any:
    text = json.dumps(value, sort_keys=True)
    return value if len(text) <= _LARGEST_VALUE else f"{text[:_LARGEST_VALUE]}… ({len(text)} characters)"


def _revision(source: str, revisions: Mapping[str, Revision | None]) -> dict[str, Any]:
    revision = revisions.get(source)
    if revision is None:
        return {"source": source}
    whole = revision_document(revision)
    fields = {key: whole[key] for key in ("ref", "commit", "subject", "author") if key in whole}
    return {"source": source, "revision": fields}


def _refuse_newer(target: Path) -> None:
    if is_of_newer_version(target):
        raise TrailError(
            f"audit trail {target}",
            "writing it",
            "it was written by a newer version",
            "Install that version again, or move the trail and its .head to an archive, so that a new one begins.",
        )


def _unusable(target: Path, error: OSError) -> TrailError:
    return TrailError(
        f"audit trail {target}",
        "writing it",
        printable(error.strerror or str(error)),
        "Set plumb_trail_path (trail_path) to a place this account can write, with free space.",
    )
