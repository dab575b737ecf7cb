# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many clusters of many apps, as an agent knows them after their runs, without running any."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.plumb.gitops.controller.core.instants import instant
from ansible_collections.plumb.gitops.controller.http.cluster_view import ClusterSnapshot
from ansible_collections.plumb.gitops.controller.http.event_broker import EventBroker
from ansible_collections.plumb.gitops.controller.http.fleet_view import FleetView
from ansible_collections.plumb.gitops.controller.http.page import PageData
from ansible_collections.plumb.gitops.controller.http.status import shown_states
from ansible_collections.plumb.gitops.controller.store.app_states import HeldStates, statuses_after
from ansible_collections.plumb.gitops.controller.store.health_waits import HealthWaits
from ansible_collections.plumb.gitops.controller.store.history import History, after_run
from ansible_collections.plumb.gitops.controller.store.run_state import RunState

COMMIT = "4f2a9c1d" * 5
SUBJECT = "Turn the beta off"
REFUSED = "ConfigMap {namespace}/flags belongs to nobody; set adopt: true"
UNHEALTHY = "Pod web-6d4b9c7f5d-x2x4z: image registry.example.com/web:1.4.3 is not there"
Finding = Mapping[str, Any]


@dataclass
class ManyClusters:
    """The clusters by name; `now` is the clock, in seconds since the epoch."""

    now: float
    broker: EventBroker = field(default_factory=EventBroker)
    clusters: dict[str, ClusterSnapshot] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fleet = FleetView(
            lambda: sorted(self.clusters), lambda name: self.clusters[name], self.broker.version_of
        )

    def run(self, cluster: str, apps: Mapping[str, Sequence[Finding]], *, reverted: int = 0) -> None:
        """Let a run of all apps of a cluster end with these findings of each; the first one had `reverted` reverts."""
        before = self.clusters[cluster].history if cluster in self.clusters else History()
        history = after_run(before, _findings(apps, reverted), self.now, whole=True)
        status, options = _status(cluster, apps, self.now), _options(apps)
        record = RunState(summary={"apps": status["apps"]}, commits={"fleet": COMMIT})
        states = statuses_after({}, options, record, history, HealthWaits(), HeldStates(), self.now)
        status["app_states"] = shown_states(states)
        self.clusters[cluster] = ClusterSnapshot(status=status, history=history, apps=options)
        self.broker.changed(cluster)

    def page_data(self, clock: Callable[[], float]) -> PageData:
        """Return what the page shows of them."""
        agent = {"leader": True, "interval": 60.0, "loops": []}

        def state(cluster: str) -> Mapping[str, Any] | None:
            version, now = self.broker.version, clock()
            if cluster:
                return self.fleet.cluster(agent, cluster, version=version, now=now)
            return self.fleet.overview(agent, version=version, now=now)

        return PageData(state, self.broker, lambda query: self.fleet.search(query, now=clock()))


def refused(namespace: str) -> Finding:
    """Return the finding of an object that was refused in this namespace."""
    reason = REFUSED.format(namespace=namespace)
    return {"what": "refused", "object": f"ConfigMap {namespace}/flags", "reason": reason, "changes": []}


def names(prefix: str, number: int) -> list[str]:
    """Return so many names with this prefix."""
    return [f"{prefix}-{each:03}" for each in range(number)]


def _options(apps: Iterable[str]) -> list[dict[str, str]]:
    return [{"name": app, "source": "fleet", "path": f"apps/{app}"} for app in apps]


def _findings(apps: Mapping[str, Sequence[Finding]], reverted: int) -> dict[str, Any]:
    source = {"name": "fleet", "ref": "main", "commit": COMMIT, "subject": SUBJECT, "author": "Alma Berg"}
    return {
        "sources": [source],
        "unclaimed": [],
        "apps": [
            {
                "name": app,
                "findings": [each for each in findings if each["what"] != "unhealthy"],
                "unhealthy": [each for each in findings if each["what"] == "unhealthy"],
                "written": 0,
                "warnings": [],
                "reverted": reverted if number == 0 else 0,
            }
            for number, (app, findings) in enumerate(apps.items())
        ],
    }


def _status(cluster: str, apps: Mapping[str, Sequence[Finding]], now: float) -> dict[str, Any]:
    failed = any(apps.values())
    last = {"ended": instant(now), "cause": "interval", "result": "failed" if failed else "succeeded"}
    return {
        "name": cluster,
        "suspended": False,
        "suspended_apps": [],
        "health": [],
        "running_since": "",
        "next_in": 60,
        "last_run": {**last, "failures": []},
        "last_successful_run": "",
        "failed_in_a_row": int(failed),
        "sources": [],
        "apps": [{"name": app, "objects": 5, "counts": {}, "error": ""} for app in apps],
    }
