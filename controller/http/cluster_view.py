# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of all clusters as one JSON document: which is not in sync, and why. A pure function."""

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

from ..store.history import History
from .status import instant

KIND = "AgentState"
_MOST_REASONS = 5  # of a cluster

_ORDER = {row.state.value: index for index, row in enumerate(STATES)}  # the worst first
_PENDING = {"state": SyncState.PENDING.value, "since": "", "waits_for": "", "commit": ""}
_FAILURES = frozenset({"failed", "refused", "unhealthy"})  # what makes a run fail, or an app after it


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSnapshot:
    """What is known of one cluster: its part of the agent's status, its history, and where its apps come from."""

    status: Mapping[str, Any]  # status.cluster_status
    history: History
    apps: Sequence[Mapping[str, Any]]  # name, source, path


def overview(
    agent: Mapping[str, Any], clusters: Sequence[ClusterSnapshot], *, version: int, now: float
) -> dict[str, Any]:
    """Return the document. `agent` is the status of the agent itself; `now` is in seconds since the epoch."""
    return {
        **agent,
        "kind": KIND,
        "version": version,
        "time": instant(now),
        "clusters": [_cluster(snapshot, now) for snapshot in clusters],
    }


def _cluster(snapshot: ClusterSnapshot, now: float) -> dict[str, Any]:
    status, history = snapshot.status, snapshot.history
    apps = _apps(snapshot)
    last = status["last_run"]
    state = _state_of_cluster(status, apps)
    return {
        "name": status["name"],
        "state": state,
        "why": list(_reasons(status, apps))[:_MOST_REASONS] if state != "in sync" else [],
        "suspended": status["suspended"],
        "running_since": status["running_since"],
        "next_run": "" if status["suspended"] else instant(now + status["next_in"]),
        "backs_off_until": instant(now + status["backs_off"]) if status.get("backs_off") else "",
        "last_run": last,
        "last_successful_run": status["last_successful_run"],
        "failed_in_a_row": status["failed_in_a_row"],
        "sources": [dict(source) for source in history.sources] or status["sources"],
        "apps": apps,
        "unclaimed": list(history.unclaimed),
        "conflicts": list(status.get("conflicts", ())),
        "timeline": [_moment(moment) for moment in history.moments],
    }


def _apps(snapshot: ClusterSnapshot) -> list[dict[str, Any]]:
    ran = {app["name"]: app for app in snapshot.status["apps"]}
    options = {app["name"]: app for app in snapshot.apps}
    suspended = set(snapshot.status["suspended_apps"])
    states = snapshot.status["app_states"]
    shown = [
        {
            **_app(
                name,
                ran.get(name),
                options.get(name, {}),
                snapshot.history.apps.get(name, {}),
                name in suspended,
            ),
            **states.get(name, _PENDING),
        }
        for name in dict.fromkeys((*options, *ran))
    ]
    return sorted(shown, key=lambda app: _ORDER[app["state"]])


def _app(
    name: str,
    last: Mapping[str, Any] | None,
    app_options: Mapping[str, Any],
    history: Mapping[str, Any],
    suspended: bool,
) -> dict[str, Any]:
    findings = [_dated(finding) for finding in history.get("findings", ()) if finding["what"] != "reverted"]
    reverted = sum(finding["what"] == "reverted" for finding in history.get("findings", ()))
    return {
        "name": name,
        "source": app_options.get("source", ""),
        "path": app_options.get("path", ""),
        "suspended": suspended or bool(last and last.get("suspended")),
        "error": (last or {}).get("error", ""),
        "counts": (last or {}).get("counts", {}),
        "objects": (last or {}).get("objects", 0),
        "reverted": reverted,
        "findings": findings,
        "more_findings": history.get("more_findings", 0),
        "unhealthy": list(history.get("unhealthy", ())),
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
        yield _reason("suspended", text="suspended by command; nothing in it is changed")
        return
    has_reason = False
    for app in apps:
        for reason in _reasons_of_app(app):
            has_reason = True
            yield reason
    if not has_reason and status["last_run"]["result"] != "succeeded":
        for failure in status["last_run"]["failures"] or ("the last run did not end by itself",):
            yield _reason("failed", text=failure)


def _reasons_of_app(app: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    if app["error"]:
        yield _reason("failed", app["name"], text=app["error"])
    for finding in app["findings"]:
        if finding["what"] != "skipped":
            yield _reason(finding["what"], app["name"], finding["object"], _text_of(finding))
    if app["waits_for"] and app["state"] != "unhealthy":
        yield _reason(app["state"], app["name"], text=f"waits for {app['waits_for']}")
    for each in app["unhealthy"]:
        reason = brief_reason(each.get("reasons", ()))
        text = f"{each['status']}: {each.get('message') or 'not there yet'}{'; ' + reason if reason else ''}"
        yield _reason("unhealthy", app["name"], each["object"], text)


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
