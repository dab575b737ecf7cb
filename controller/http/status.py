# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of the agent and its clusters, as JSON types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.instants import instant
from ..core.suspensions import Suspension
from ..loops.cluster_loop import ClusterLoop
from ..loops.source_follower import SourceFollower
from ..store.agent_state import AgentState
from ..store.app_states import AppStatuses
from ..store.health_waits import HealthWait

API_VERSION = "plumb.gitops/v1"


def agent_status(in_force: AgentState) -> dict[str, Any]:
    """Return the status of the agent itself."""
    return {
        "apiVersion": API_VERSION,
        "kind": "AgentStatus",
        "leader": in_force.may_run,
        "interval": in_force.config.interval,
    }


def source_status(follower: SourceFollower) -> dict[str, Any]:
    """Return the status of one source: when its remote was asked and answered, and since when it is silent and why."""
    state = follower.state
    return {
        "name": follower.spec.name,
        "ref": f"{follower.spec.ref_kind.value} {follower.spec.ref}",
        "asked": instant(state.asked),
        "answered": instant(state.answered),
        "silent_since": instant(state.silent_since),
        "failed_in_a_row": state.failures,
        "next_try": instant(state.next_try),
        "commit": state.commit,
        "why": state.why or "; ".join(follower.pull_errors[:3]),
        "clusters": len(follower.needs),
    }


def last_run_fields(cluster: ClusterLoop) -> dict[str, Any]:
    """Return the last run of a cluster, as values of a line in the log."""
    record = cluster.record
    revisions = ",".join(f"{source}@{commit[:7]}" for source, commit in record.commits.items())
    fields = {"cluster": cluster.name, "result": record.result, "ended": instant(record.ended)}
    fields |= {"revision": revisions or "none", "report": record.report or "none"}
    return fields | ({"why": "; ".join(record.failures[:3])} if record.failures else {})


def cluster_status(in_force: AgentState, cluster: ClusterLoop) -> dict[str, Any]:
    """Return the status of one cluster."""
    record = cluster.record
    return {
        "name": cluster.name,
        "suspended": in_force.suspensions.holds(cluster.name),
        "suspended_apps": list(in_force.suspensions.apps(cluster.name)),
        "suspensions": shown_suspensions(in_force.suspensions.of_cluster(cluster.name)),
        "running_since": instant(cluster.running_since),
        "progress": dict(cluster.progress.current),
        "runs": cluster.begun,
        "next_in": round(cluster.seconds_left, 1),
        "backs_off": round(cluster.backs_off, 1),
        "last_run": {
            "ended": instant(record.ended),
            "result": record.result,
            "cause": record.cause,
            "failures": list(record.failures),
        },
        "last_successful_run": instant(record.last_success),
        "failed_in_a_row": record.failed,
        "report": record.report,
        "watch": cluster.watch.status(),
        "conflicts": cluster.watch.queue.conflict_status(),
        "deliveries": cluster.undelivered,
        "before_sync_since": instant(cluster.before_sync.since),
        "app_states": shown_states(cluster.app_states),
        "health": [
            _wait(wait) for wait in (*cluster.health.waits.by_app.values(), *cluster.health.waits.ended)
        ],
        "sources": record.summary.get("sources", []),
        "apps": record.summary.get("apps", []),
    }


def _wait(wait: HealthWait) -> dict[str, Any]:
    """Return a wait for health, linked to the report of the run that applied the app."""
    return {
        "app": wait.app,
        "result": wait.result or "in progress",
        "began": instant(wait.began),
        "until": instant(wait.until),
        "ended": instant(wait.ended),
        "waits_for": wait.waits_for,
        "unhealthy": list(wait.unhealthy),
        "commit": wait.commit,
        "report": wait.report,
    }


def shown_states(statuses: AppStatuses) -> dict[str, Any]:
    """Return the states of apps by name: the state, since when, what is waited for, the revision in force."""
    return {
        name: {
            "state": status.state.value,
            "since": instant(status.since),
            "waits_for": status.waits_for,
            "commit": status.commit,
        }
        for name, status in statuses.items()
    }


def shown_suspensions(suspensions: Mapping[str, Suspension]) -> list[dict[str, str]]:
    """Return suspensions by app (empty: the whole cluster): why, by whom, since when, until when (empty: no end)."""
    return [
        {
            "app": app,
            "reason": suspension.reason,
            "by": suspension.by,
            "since": instant(suspension.since),
            "until": instant(suspension.until),
        }
        for app, suspension in suspensions.items()
    ]
