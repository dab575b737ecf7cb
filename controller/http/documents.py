# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents about all clusters of an agent: its status for commands, the state for the page, and the history."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from ..core.instants import instant
from ..loops.commands import Commands
from ..store.agent_state import AgentState
from ..store.history import History
from .cluster_view import ClusterView, problems_of
from .event_broker import EventBroker
from .fleet_view import FleetView
from .status import agent_status, source_status

_MOST_PROBLEMS = 1000  # of a cluster
_OF_APP = ("state", "since", "waits_for", "commit", "source", "objects", "suspended")


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of one agent, as JSON types. `loops` returns those that failed lately."""

    commands: Commands
    fleet: FleetView
    in_force: Callable[[], AgentState]
    loops: Callable[[], list[dict[str, Any]]]
    broker: EventBroker

    def status(self) -> Mapping[str, Any]:
        """Return what commands show."""
        clusters = [status_with_problems(view) for view in self.fleet.views()]
        sources = [source_status(follower) for follower in self.commands.sources.followers]
        return {**self._agent(), "time": instant(time.time()), "sources": sources, "clusters": clusters}

    def state(self, cluster: str) -> Mapping[str, Any] | None:
        """Return what the page shows of one cluster or (empty) of all; None for one that is unknown."""
        version, now = self.broker.version, time.time()
        if cluster:
            return self.fleet.cluster(self._agent(), cluster, version=version, now=now)
        return self.fleet.overview(self._agent(), version=version, now=now)

    def history(self, cluster: str, app: str) -> list[dict[str, Any]]:
        """Return what happened, the newest first. Raises InputError for a cluster or an app that is unknown."""
        loops = self.commands.named(cluster, app)
        return moments_of({loop.name: loop.history for loop in loops}, app)

    def _agent(self) -> dict[str, Any]:
        return {**agent_status(self.in_force()), "loops": self.loops()}


def status_with_problems(view: ClusterView) -> dict[str, Any]:
    """Return a cluster's status with its state, the states of all its apps, and why they are not in sync."""
    problems = [
        {key: value for key, value in asdict(problem).items() if key != "cluster"}
        for problem in islice(problems_of(view, with_waits=True), _MOST_PROBLEMS)
    ]
    return {
        **view.snapshot.status,
        "state": view.state,
        "app_states": {app["name"]: {key: app[key] for key in _OF_APP} for app in view.apps},
        "problems": problems,
    }


def moments_of(histories: Mapping[str, History], app: str) -> list[dict[str, Any]]:
    """Return the moments of clusters (by name), of one app or (empty) of all, each with its cluster."""
    moments = [
        {**moment, "cluster": cluster, "time": instant(moment["time"]), "since": instant(moment["since"])}
        for cluster, history in histories.items()
        for moment in history.moments
        if not app or moment["app"] == app or app in moment.get("written", ())
    ]
    return sorted(moments, key=lambda moment: str(moment["since"]), reverse=True)
