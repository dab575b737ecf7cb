# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of each app of a cluster (model/app_state.py), since when, and its revision in force. Kept on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.app_state import STATES, SyncState
from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import Trust
from ansible_collections.plumb.gitops.plugins.module_utils.state.record_store import RecordStore

from .health_waits import HealthWait, HealthWaits
from .history import History
from .run_state import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class AppStatus:
    """The state of one app.

    `since` is in seconds since the epoch. `commit` is the revision in force: the one that was applied last without a
    failure, which may be older than that of the app's source.
    """

    state: SyncState = SyncState.PENDING
    since: float = 0.0
    waits_for: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFacts:
    """What the state of an app follows from: its last run, what that found, its wait for health, and the operator."""

    last: Mapping[str, Any] | None = None  # the summary of its last run (reports.summary_of)
    findings: frozenset[str] = frozenset()  # their kinds (report_digest.FINDING_KINDS)
    unhealthy: bool = False  # by a run that waited
    wait: HealthWait | None = None
    suspended: bool = False
    conflicting: bool = False
    commit: str = ""  # of its source in its last run


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldStates:
    """The apps that somebody suspended, and those with a field conflict."""

    suspended: frozenset[str] = frozenset()
    conflicting: frozenset[str] = frozenset()


AppStatuses = Mapping[str, AppStatus]


def state_of(facts: AppFacts) -> SyncState:
    """Return the state of an app: the first of the table that holds."""
    last = facts.last or {}
    goes_on = facts.wait is not None and facts.wait.goes_on
    skipped = "skipped" in facts.findings and not goes_on
    holds = {
        SyncState.FAILED: bool(last.get("error")) or "failed" in facts.findings or skipped,
        SyncState.REFUSED: "refused" in facts.findings,
        SyncState.UNHEALTHY: facts.unhealthy or (facts.wait is not None and not goes_on),
        SyncState.CONFLICTING: facts.conflicting,
        SyncState.DRIFTED: "drifted" in facts.findings,
        SyncState.UNVERIFIED: "unverified" in facts.findings,
        SyncState.WAITING: bool(last.get("waits_for")),
        SyncState.IN_PROGRESS: goes_on,
        SyncState.SUSPENDED: facts.suspended or bool(last.get("suspended")),
        SyncState.PENDING: facts.last is None,
        SyncState.IN_SYNC: True,
    }
    return next(row.state for row in STATES if holds[row.state])


def status_after(before: AppStatus | None, facts: AppFacts, now: float) -> AppStatus:
    """Return the status of an app from the facts; the state is as old as it was if it is the same."""
    state = state_of(facts)
    former = before or AppStatus()
    since = former.since if before is not None and former.state is state else now
    return AppStatus(
        state=state,
        since=since,
        waits_for=_waits_for(facts, state),
        commit=facts.commit if _is_in_force(facts) else former.commit,
    )


def statuses_after(  # noqa: PLR0917 - each is a record of its own
    before: AppStatuses,
    apps: Sequence[Mapping[str, Any]],
    record: RunState,
    history: History,
    waits: HealthWaits,
    held: HeldStates,
    now: float,
) -> AppStatuses:
    """Return the status of each app (`apps` are their options) from all that is known of the cluster."""
    last = {app["name"]: app for app in record.summary.get("apps", ())}
    statuses: dict[str, AppStatus] = {}
    for app in apps:
        name = app["name"]
        in_history = history.apps.get(name, {})
        facts = AppFacts(
            last=last.get(name),
            findings=frozenset(finding["what"] for finding in in_history.get("findings", ())),
            unhealthy=bool(in_history.get("unhealthy")),
            wait=waits.by_app.get(name),
            suspended=name in held.suspended,
            conflicting=name in held.conflicting,
            commit=record.commit_of(app.get("source", "")),
        )
        statuses[name] = status_after(before.get(name), facts, now)
    return statuses


def _waits_for(facts: AppFacts, state: SyncState) -> str:
    if state is SyncState.WAITING and facts.last is not None:
        return f"app {facts.last['waits_for']}"
    if state in {SyncState.IN_PROGRESS, SyncState.UNHEALTHY} and facts.wait is not None:
        return facts.wait.waits_for
    return ""


def _is_in_force(facts: AppFacts) -> bool:
    """Whether the last run applied the app whole."""
    last = facts.last
    stopped = last is None or last.get("error") or last.get("waits_for") or last.get("suspended")
    return not stopped and bool(facts.commit) and facts.findings.isdisjoint({"failed", "refused", "skipped"})


def startable(
    depends_on: Mapping[str, Sequence[str]],
    summaries: Sequence[Mapping[str, Any]],
    waits: Mapping[str, HealthWait],
) -> frozenset[str]:
    """Return the apps that wait for others which are all applied and healthy by now.

    `summaries` are those of the apps' last runs; `waits` are by app, those that go on or failed.
    """
    waiting = {app["name"] for app in summaries if app.get("waits_for")}
    held = waits.keys() | waiting | {app["name"] for app in summaries if app.get("error") or app["failed"]}
    return frozenset(app for app in waiting if held.isdisjoint(depends_on.get(app, ())))


def _encode(statuses: AppStatuses) -> dict[str, Any]:
    return {
        app: {
            "state": status.state.value,
            "since": status.since,
            "waits_for": status.waits_for,
            "commit": status.commit,
        }
        for app, status in statuses.items()
    }


def _decode(content: Mapping[str, Any]) -> AppStatuses:
    return {app: AppStatus(**{**each, "state": SyncState(each["state"])}) for app, each in content.items()}


_STORE = RecordStore[AppStatuses](
    kind="plumb.gitops/app-states",
    version=1,
    encode=lambda statuses: {"apps": _encode(statuses)},
    decode=lambda content: _decode(content["apps"]),
    trust=Trust.STATE,
)


def read_statuses(folder: Path, cluster: str) -> AppStatuses:
    """Read the states of a cluster's apps; none where there is no record."""
    return _STORE.load(folder / cluster) or {}


def write_statuses(folder: Path, cluster: str, statuses: AppStatuses) -> None:
    """Write the states of a cluster's apps. Raises OSError."""
    _STORE.save(folder / cluster, statuses)
