# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The series of apps: numbers of a cluster's apps together, and series of an app only for what is wrong with it.

An app in sync has no series of its own, so that 12 clusters of 200 apps answer with some hundred lines. What names an
app has a bound for each cluster; beyond it the rest is counted together, as `others`.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from prometheus_client import Counter, Gauge

from .recurring_findings import AppFindings, FindingSet, findings_after

MOST_APPS = 50  # of a cluster, with series of their own in one metric
MOST_DRIFT = 50  # of a cluster: different apps, kinds and managers
OTHERS = "others"
_IN_SYNC = "in sync"
_ACTIONS = ("create", "update", "adopt", "recreate", "prune", "refused")
_DriftKey = tuple[str, str, str]  # app, kind, manager


class AppMetrics:
    """The series of the apps of all clusters. `make` creates a metric from its type, name, text and labels."""

    def __init__(self, make: Callable[..., Any]) -> None:
        cluster, app = ("cluster",), ("cluster", "app")
        by_manager = (*app, "kind", "manager")
        self._objects: Gauge = make(
            Gauge, "plumb_objects", "Objects of all apps in their last runs.", cluster
        )
        self._actions: Counter = make(Counter, "plumb_actions", "Actions on objects.", (*cluster, "action"))
        self._drift: Counter = make(Counter, "plumb_drift", "Objects found drifted.", cluster)
        self._drift_found: Counter = make(
            Counter, "plumb_drift_found", "Objects found drifted, by who did it.", by_manager
        )
        self._reverted: Counter = make(
            Counter, "plumb_drift_reverted", "Objects that were reverted.", by_manager
        )
        self._failures: Counter = make(
            Counter, "plumb_failures", "Objects and apps that began to fail.", cluster
        )
        self._failing: Gauge = make(
            Gauge,
            "plumb_failing",
            "Objects and apps that failed, were refused or unhealthy in the last run; no series: none.",
            app,
        )
        self._states: Gauge = make(Gauge, "plumb_apps", "Apps by state.", (*cluster, "state"))
        self._state_of: Gauge = make(
            Gauge, "plumb_app_state", "The state of each app that is not in sync.", (*app, "state")
        )
        self._findings: dict[str, dict[str, AppFindings]] = {}  # by cluster and app, after the last run
        self._sizes: dict[str, dict[str, int]] = {}  # by cluster and app: its objects
        self._drifts: dict[str, set[_DriftKey]] = {}  # by cluster: those with series of their own

    def add_cluster(self, cluster: str) -> None:
        """Begin the counters of a cluster at 0, so that their first increase is seen."""
        for action in _ACTIONS:
            self._actions.labels(cluster, action)
        self._drift.labels(cluster)
        self._failures.labels(cluster)

    def set_sizes(self, cluster: str, summary: Mapping[str, Any]) -> None:
        """Set how many objects the apps of a summary have."""
        sizes = self._sizes.setdefault(cluster, {})
        sizes.update({app["name"]: app.get("objects", 0) for app in summary["apps"]})
        self._objects.labels(cluster).set(sum(sizes.values()))

    def count_run(self, cluster: str, summary: Mapping[str, Any]) -> None:
        """Count what was done, and the findings that the run before did not have."""
        for app in summary["apps"]:
            self._count_app(cluster, app)
        self._set_failing(cluster)

    def set_states(self, cluster: str, states: Mapping[str, str], known: tuple[str, ...]) -> None:
        """Set the states of all apps of a cluster, by app; `known` are all states that there are."""
        numbers = Tally(states.values())
        for state in known:
            self._states.labels(cluster, state).set(numbers[state])
        self._state_of.remove_by_labels({"cluster": cluster})
        rest: Tally[str] = Tally()
        for number, (app, state) in enumerate((a, s) for a, s in states.items() if s != _IN_SYNC):
            if number < MOST_APPS:
                self._state_of.labels(cluster, app, state).set(1)
            else:
                rest[state] += 1
        for state, number in rest.items():
            self._state_of.labels(cluster, OTHERS, state).set(number)

    def keep_only(self, cluster: str, apps: frozenset[str]) -> None:
        """Forget the apps that the cluster has no more; their series are removed by whoever made the metrics."""
        for by_app in (self._findings.get(cluster, {}), self._sizes.get(cluster, {})):
            for app in by_app.keys() - apps:
                del by_app[app]
        self._drifts[cluster] = {key for key in self._drifts.get(cluster, ()) if key[0] in apps}
        if cluster in self._sizes:
            self._objects.labels(cluster).set(sum(self._sizes[cluster].values()))
            self._set_failing(cluster)

    def apps(self, cluster: str) -> frozenset[str]:
        """Return the apps of which something is known."""
        return frozenset(self._sizes.get(cluster, ()))

    def forget(self, cluster: str) -> None:
        """Forget a cluster."""
        for by_cluster in (self._findings, self._sizes, self._drifts):
            by_cluster.pop(cluster, None)

    def _count_app(self, cluster: str, app: Mapping[str, Any]) -> None:
        name, counts = app["name"], app["counts"]
        known = self._findings.setdefault(cluster, {})
        before, now = known.get(name, AppFindings()), findings_after(app)
        if app.get("error") and not app["objects"]:  # it was not planned: what remained remains
            now = replace(before, failing=now.failing)
        known[name] = now
        for action in _ACTIONS:
            done = now.refused.new_since(before.refused) if action == "refused" else counts.get(action, 0)
            self._actions.labels(cluster, action).inc(done)
        drifted = FindingSet.of(app.get("found", {}).get("drifted", {}))
        self._drift.labels(cluster).inc(drifted.new_since(before.drifted))
        for drift in app.get("drift", ()):
            labels = self._drift_labels(cluster, (name, drift["kind"], drift["manager"]))
            objects = FindingSet.of(drift.get("objects", {"count": drift["found"]}))
            left = before.by_manager.get((drift["kind"], drift["manager"]), FindingSet())
            self._drift_found.labels(cluster, *labels).inc(objects.new_since(left))
            self._reverted.labels(cluster, *labels).inc(drift["reverted"])
        self._failures.labels(cluster).inc(now.failing.new_since(before.failing))

    def _drift_labels(self, cluster: str, key: _DriftKey) -> _DriftKey:
        """Return the labels of drift; `others` where there are too many: clients choose the names of managers."""
        known = self._drifts.setdefault(cluster, set())
        if key not in known and len(known) >= MOST_DRIFT:
            return OTHERS, OTHERS, OTHERS
        known.add(key)
        return key

    def _set_failing(self, cluster: str) -> None:
        """Set the series of apps in which something fails; those in which nothing does have none."""
        counts = {app: now.failing.count for app, now in self._findings.get(cluster, {}).items()}
        failing = sorted(
            ((app, number) for app, number in counts.items() if number), key=lambda each: -each[1]
        )
        self._failing.remove_by_labels({"cluster": cluster})
        for app, number in failing[:MOST_APPS]:
            self._failing.labels(cluster, app).set(number)
        if rest := sum(number for _app, number in failing[MOST_APPS:]):
            self._failing.labels(cluster, OTHERS).set(rest)
