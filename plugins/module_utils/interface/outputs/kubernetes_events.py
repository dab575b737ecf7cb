# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Events a run writes: for what others had changed, what is refused or fails, and what is pruned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...cluster.client import Cluster
from ...cluster.discovery import Discovery
from ...cluster.events import MOST, KubernetesEvent, Reason, write_events
from ...model.app import AppSpec
from ...model.errors import ClusterError
from ...model.objects import ObjectRef
from ...model.plan import Action, Outcome, Result, Verb
from ...model.report import Report
from ...report.trail import records
from .reported_state import save_reported_state, unreported

_MOST_FIELDS = 5  # fields that a note names


def write_kubernetes_events(
    cluster: Cluster, report: Report, apps: Sequence[AppSpec], file: Path
) -> tuple[str, ...]:
    """Write an Event for each object with news, one in a run; return warnings where that was not possible.

    `file` remembers what Events have reported: what stays as it is gets no second one. What Git changed is no news.
    """
    sources = {app.name: app.source for app in apps}
    fresh, reported = unreported(file, records(report, sources, "", _may_be_news), report)
    actions = {(a.plan.app, str(x.ref), x.ref.group): x for a in report.apps for x in a.plan.actions}
    discovery = cluster.discover() if fresh else None
    events = [
        _event(
            cluster,
            discovery,
            actions[record["app"], record["object"], record.get("group", "")],
            record,
            reason,
        )
        for record in fresh
        if discovery is not None and (reason := _reason(record)) is not None
    ]
    error = write_events(cluster, events, f"{report.cluster or 'plumb'}")
    if error is not None:
        return (f"Events could not be written: {error}. Set plumb_events: false if none are wanted.",)
    save_reported_state(file, reported)
    if len(events) > MOST:
        return (f"{len(events) - MOST} of {len(events)} objects got no Event; the report has them all",)
    return ()


def _may_be_news(action: Action, outcome: Outcome | None) -> bool:
    """Return false for what was done because Git says so, unless something was removed."""
    done = outcome is not None and outcome.result is Result.DONE
    return not done or action.drifted or action.verb in (Verb.PRUNE, Verb.REFUSED)


def _reason(record: Mapping[str, Any]) -> Reason | None:
    """Return why an object gets an Event; what was done because Git says so is no reason."""
    result = record["result"]
    if result == "done":
        pruned = Reason.PRUNED if record["action"] == "prune" else None
        return Reason.REVERTED if record["drifted"] else pruned
    if result == "left":
        return Reason.DRIFTED if record["drifted"] else None
    return {"refused": Reason.REFUSED, "failed": Reason.FAILED}.get(result)


def _event(
    cluster: Cluster, discovery: Discovery, action: Action, record: Mapping[str, Any], reason: Reason
) -> KubernetesEvent:
    uid = action.uid
    if not uid and reason is Reason.REVERTED:
        uid = _new_uid(cluster, discovery, action)
    return KubernetesEvent(
        ref=action.ref,
        api_version=action.api_version or _api_version(discovery, action.ref),
        uid=uid,
        reason=reason,
        note=_note(action, record, reason),
    )


def _new_uid(cluster: Cluster, discovery: Discovery, action: Action) -> str:
    """Return the uid of an object that this run has created again."""
    kind = discovery.find(action.api_version, action.ref.kind)
    try:
        live = kind and cluster.get(
            kind, namespace=action.ref.namespace, name=action.ref.name, metadata_only=True
        )
    except ClusterError:
        return ""
    return str(live["metadata"]["uid"]) if live else ""


def _api_version(discovery: Discovery, ref: ObjectRef) -> str:
    known = discovery.of(ref.group_kind)
    return known.api_version if known is not None else f"{ref.group}/v1" if ref.group else "v1"


def _note(action: Action, record: Mapping[str, Any], reason: Reason) -> str:
    """Return what happened, without any value: readers of an Event may not be allowed to read the object."""
    revision = record.get("revision", {}).get("commit", "")[:7]
    at = f"app {record['app']}, {record['source']}" + (f"@{revision}" if revision else "")
    why = record.get("error") or action.reason
    notes = {
        Reason.REVERTED: f"reverted to what Git says ({at}): {_what(action)}",
        Reason.DRIFTED: f"differs from what Git says ({at}) and stays so: {_what(action)}",
        Reason.REFUSED: f"refused ({at}): {why}",
        Reason.FAILED: f"failed ({at}): {why}",
        Reason.PRUNED: f"pruned ({at}): {why}",
    }
    return notes[reason]


def _what(action: Action) -> str:
    """Return the fields that others changed, and who did it."""
    if action.deleted_by_someone:
        return f"was deleted by {action.culprit or 'someone who is not recorded'}"
    drifted = [change for change in action.changes if change.cause.value != "git"]
    changes = [
        f"{c.path} by {c.culprit}" if c.culprit else f"{c.path} by someone" for c in drifted[:_MOST_FIELDS]
    ]
    more = [f"{len(drifted) - _MOST_FIELDS} more fields"] if len(drifted) > _MOST_FIELDS else []
    return ", ".join([*changes, *more])
