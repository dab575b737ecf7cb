# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of one cluster as JSON types: which of its apps are not in sync, and why. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.app_state import (
    STATES,
    SyncState,
    worst_state,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.health import brief_reason

from ..core.causes import Problem
from ..core.instants import instant
from ..core.suspensions import suspension_text
from ..store.history import History
from ..store.reverts import SPANS, count_reverts

_MOST_REASONS = 5  # of a cluster

STATE_NAMES = tuple(row.state.value for row in STATES)  # the worst first
_ORDER = {state: index for index, state in enumerate(STATE_NAMES)}
_PENDING = {"state": SyncState.PENDING.value, "since": "", "waits_for": "", "commit": ""}
_FAILURES = frozenset({"failed", "refused", "unhealthy"})  # what makes a run fail, or an app after it
_NO_PROBLEM = frozenset({"suspended", "pending", "in progress", "waiting for dependency"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSnapshot:
    """What is known of one cluster: its part of the agent's status, its history, and where its apps come from."""

    status: Mapping[str, Any]  # status.cluster_status
    history: History
    apps: Sequence[Mapping[str, Any]]  # name, source, path


@dataclass(frozen=True, slots=True)
class ClusterView:
    """What is derived from a snapshot and does not change with time: its apps, the worst first, state and reasons."""

    snapshot: ClusterSnapshot
    apps: Sequence[Mapping[str, Any]]
    state: str
    reasons: Sequence[Mapping[str, str]]

    @property
    def name(self) -> str:
        """The cluster's name."""
        return str(self.snapshot.status["name"])

    @property
    def counts(self) -> dict[str, int]:
        """How many apps are in each state that some are in, the worst first."""
        states = [app["state"] for app in self.apps]
        return {state: states.count(state) for state in STATE_NAMES if state in states}

    def reverts(self, now: float) -> dict[str, int]:
        """Return how many objects were reverted in the last hour, day and week, of all apps."""
        counts = [count_reverts(slots, now) for slots in self.snapshot.history.reverts.values()]
        return {word: sum(each[word] for each in counts) for word in SPANS}


def view_of(snapshot: ClusterSnapshot) -> ClusterView:
    """Return the view of a cluster."""
    apps = _apps(snapshot)
    state = _state_of_cluster(snapshot.status, apps)
    reasons = list(_reasons(snapshot.status, apps)) if state != "in sync" else []
    return ClusterView(snapshot, apps, state, reasons)


def cluster_document(view: ClusterView, now: float) -> dict[str, Any]:
    """Return all of a cluster; `now` is in seconds since the epoch."""
    status, history = view.snapshot.status, view.snapshot.history
    none = count_reverts((), now)
    reverts = {app: count_reverts(slots, now) for app, slots in history.reverts.items()}
    return {
        **cluster_head(view, now),
        "apps": [{**app, "reverts": reverts.get(app["name"], none)} for app in view.apps],
        "unclaimed": list(history.unclaimed),
        "conflicts": list(status.get("conflicts", ())),
        "timeline": [_moment(moment) for moment in history.moments],
    }


def cluster_head(view: ClusterView, now: float) -> dict[str, Any]:
    """Return what an overview shows of a cluster: no app by name but in its first reasons."""
    status, history = view.snapshot.status, view.snapshot.history
    return {
        "name": view.name,
        "state": view.state,
        "why": list(view.reasons[:_MOST_REASONS]),
        "suspended": status["suspended"],
        "suspensions": list(status.get("suspensions", ())),
        "running_since": status["running_since"],
        "progress": status.get("progress", {}),
        "next_run": "" if status["suspended"] else instant(now + status["next_in"]),
        "backs_off_until": instant(now + status["backs_off"]) if status.get("backs_off") else "",
        "last_run": status["last_run"],
        "last_successful_run": status["last_successful_run"],
        "failed_in_a_row": status["failed_in_a_row"],
        "sources": [dict(source) for source in history.sources] or status["sources"],
        "counts": view.counts,
        "objects": sum(app["objects"] for app in view.apps),
        "reverts": view.reverts(now),
    }


def problems_of(view: ClusterView, *, with_waits: bool = False) -> Iterator[Problem]:
    """Yield the problems of a cluster, each with the commit that its app was rendered from.

    `with_waits`: also what is no problem but a reason not to be in sync, such as a wait or a suspension.
    """
    revisions = {source["name"]: source for source in view.snapshot.history.sources}
    sources = {app["name"]: app["source"] for app in view.apps}
    for reason in view.reasons:
        if reason["state"] in _NO_PROBLEM and not with_waits:
            continue
        source = sources.get(reason["app"], "")
        revision = revisions.get(source, {})
        yield Problem(
            cluster=view.name,
            app=reason["app"],
            object=reason["object"],
            state=reason["state"],
            reason=reason["text"],
            source=source if revision.get("commit") else "",
            commit=revision.get("commit", ""),
            subject=revision.get("subject", ""),
        )


def _apps(snapshot: ClusterSnapshot) -> list[dict[str, Any]]:
    ran = {app["name"]: app for app in snapshot.status["apps"]}
    options = {app["name"]: app for app in snapshot.apps}
    suspensions = {each["app"]: each for each in snapshot.status.get("suspensions", ())}
    states, conflicts = snapshot.status["app_states"], _conflicts(snapshot.status)
    waits = {
        wait["app"]: wait for wait in snapshot.status["health"] if wait["result"] in {"in progress", "failed"}
    }
    shown = [
        {
            **_app(
                name,
                ran.get(name),
                options.get(name, {}),
                snapshot.history.apps.get(name, {}),
                suspensions.get(name),
            ),
            **_health(waits.get(name, {})),
            **states.get(name, _PENDING),
            "conflicts": conflicts.get(name, []),
        }
        for name in dict.fromkeys((*options, *ran))
    ]
    return sorted(shown, key=lambda app: _ORDER[app["state"]])


def _health(wait: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an app shows of its wait for health: what it is unhealthy by, or why it is in progress still."""
    if not wait:
        return {}
    objects = wait["unhealthy"]
    if wait["result"] == "failed":
        return {"unhealthy": objects}
    return {"awaited_reasons": [reason for each in objects for reason in each.get("reasons", ())]}


def _conflicts(status: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Return by app the objects with a field conflict, each with its field and who writes it."""
    by_app: dict[str, list[dict[str, str]]] = {}
    for conflict in status.get("conflicts", ()):
        field = conflict["field"] or "the object"
        text = f"{field} is written again and again by {conflict['manager'] or 'someone who is not recorded'}"
        by_app.setdefault(conflict["app"], []).append({"object": conflict["object"], "text": text})
    return by_app


def _app(
    name: str,
    last: Mapping[str, Any] | None,
    app_options: Mapping[str, Any],
    history: Mapping[str, Any],
    suspension: Mapping[str, str] | None,
) -> dict[str, Any]:
    findings = [_dated(finding) for finding in history.get("findings", ()) if finding["what"] != "reverted"]
    return {
        "name": name,
        "source": app_options.get("source", ""),
        "path": app_options.get("path", ""),
        "suspended": suspension is not None or bool(last and last.get("suspended")),
        "suspension": suspension_text(suspension) if suspension is not None else "",
        "error": (last or {}).get("error", ""),
        "counts": (last or {}).get("counts", {}),
        "objects": (last or {}).get("objects", 0),
        "findings": findings,
        "more_findings": history.get("more_findings", 0),
        "unhealthy": list(history.get("unhealthy", ())),
        "awaited_reasons": [],
        "warnings": list(history.get("warnings", ())),
        "prune_blocked": history.get("prune_blocked", ""),
    }


def _state_of_cluster(status: Mapping[str, Any], apps: Sequence[Mapping[str, Any]]) -> str:
    if status["suspended"]:
        return "suspended"
    last = status["last_run"]
    if not last["ended"]:
        return "pending"
    of_apps = {app["state"] for app in apps}
    worst = worst_state(map(SyncState, of_apps)).value
    # A run fails for what its apps show, or for something else: a source, the cluster, the run itself.
    if last["result"] != "succeeded" and worst not in _FAILURES:
        return "failed"
    if worst in {"suspended", "pending"} and of_apps - {worst}:  # some of it only
        return "in sync"
    return worst


def _reasons(status: Mapping[str, Any], apps: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Yield why a cluster is not in sync, the worst first; `app` and `object` are empty where it is about more."""
    if status["suspended"]:
        whole: Mapping[str, str] = next(
            (each for each in status.get("suspensions", ()) if not each["app"]), {}
        )
        yield _reason("suspended", text=f"nothing in it is changed, {suspension_text(whole)}")
        return
    has_reason = False
    for app in apps:
        for reason in reasons_of_app(app):
            has_reason = has_reason or reason["state"] not in _NO_PROBLEM
            yield reason
    if not has_reason and status["last_run"]["result"] != "succeeded":
        for failure in status["last_run"]["failures"] or ("the last run did not end by itself",):
            yield _reason("failed", text=failure)


def reasons_of_app(app: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield why an app is not in sync, the worst first."""
    if app["error"]:
        yield _reason("failed", app["name"], text=app["error"])
    for finding in app["findings"]:
        if finding["what"] != "skipped":
            yield _reason(finding["what"], app["name"], finding["object"], _text_of(finding))
    if app["state"] == "conflicting":
        for conflict in app["conflicts"]:
            yield _reason("conflicting", app["name"], conflict["object"], conflict["text"])
    if app["waits_for"] and not (app["state"] == "unhealthy" and app["unhealthy"]):
        word = "waited" if app["state"] == "unhealthy" else "waits"
        why = brief_reason(app["awaited_reasons"])
        yield _reason(
            app["state"], app["name"], text=f"{word} for {app['waits_for']}{'; ' + why if why else ''}"
        )
    for each in app["unhealthy"]:
        reason = brief_reason(each.get("reasons", ()))
        text = f"{each['status']}: {each.get('message') or 'not there yet'}{'; ' + reason if reason else ''}"
        yield _reason("unhealthy", app["name"], each["object"], text)
    if app["suspension"]:
        yield _reason("suspended", app["name"], text=app["suspension"])


def _text_of(finding: Mapping[str, Any]) -> str:
    if text := finding.get("error") or finding.get("reason"):
        return str(text)
    paths = [change["path"] for change in finding["changes"]]
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}" if paths else "deleted"


def _reason(state: str, app: str = "", about: str = "", text: str = "") -> dict[str, str]:
    return {"state": state, "app": app, "object": about, "text": text}


def _dated(finding: Mapping[str, Any]) -> dict[str, Any]:
    return {**finding, "since": instant(finding["since"])}


def _moment(moment: Mapping[str, Any]) -> dict[str, Any]:
    return {**moment, "time": instant(moment["time"]), "since": instant(moment["since"])}
