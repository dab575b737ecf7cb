# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's metrics, for Prometheus."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from .app_metrics import AppMetrics
from .run_state import RunState

disable_created_metrics()  # type: ignore[no-untyped-call] # they double the series, and nothing asks for them
_BUCKETS = (0.5, 1, 2, 3, 5, 8, 13, 30, 60, 120, 300, 600, 1800)  # seconds
_Metric = TypeVar("_Metric", Counter, Gauge, Histogram)


@dataclass(frozen=True, slots=True)
class Metered:
    """The parts of a cluster that have series: its apps and sources by name, and whether it has image updates."""

    apps: frozenset[str]
    sources: frozenset[str]
    images: bool


class WatchNumbers(Protocol):
    """The numbers of a cluster's watch."""

    @property
    def objects(self) -> int:
        """How many objects are watched."""

    def conflicts(self) -> Sequence[object]:
        """Return the field conflicts that go on."""


class PaceNumbers(Protocol):
    """The numbers of a cluster's loop."""

    @property
    def backs_off(self) -> float:
        """Seconds for which the cluster is left alone."""


class Metrics:
    """The series, each by cluster; those of a cluster that leaves the inventory go with it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._by_labels: dict[tuple[str, ...], list[Any]] = {}
        make, cluster, by_result = self._make, ("cluster",), ("cluster", "result")
        self._of_apps = AppMetrics(make)
        self._seconds = make(Histogram, "plumb_run_seconds", "How long runs took.", cluster, buckets=_BUCKETS)
        self._runs = make(Counter, "plumb_runs", "Runs by result.", by_result)
        self._age = make(
            Gauge,
            "plumb_last_successful_run_age_seconds",
            "Time since the last run of all apps in which nothing failed; +Inf where there was none.",
            cluster,
        )
        self._revision = make(
            Gauge, "plumb_revision_info", "The revision of each source.", ("cluster", "source", "commit")
        )
        self._watched = make(Gauge, "plumb_watch_objects", "Objects that are watched.", cluster)
        self._restarts = make(
            Counter, "plumb_watch_restarts", "Watches that broke or had to begin anew.", cluster
        )
        self._conflicts = make(
            Gauge, "plumb_field_conflicts", "Fields that somebody else keeps writing.", cluster
        )
        self._scans = make(Counter, "plumb_image_scans", "Scans for new images by result.", by_result)
        self._scan_seconds = make(
            Histogram,
            "plumb_image_scan_seconds",
            "How long scans for new images took.",
            cluster,
            buckets=_BUCKETS,
        )
        self._written = make(
            Counter, "plumb_image_runs", "Runs that commit new images to Git, by result.", by_result
        )
        self._backoff = make(
            Gauge,
            "plumb_backoff_seconds",
            "For how long a cluster is left alone, since its API server failed for all requests; 0: it is not.",
            cluster,
        )
        self._undelivered = make(
            Gauge, "plumb_deliveries_waiting", "Reports that a receiver waits for.", cluster
        )
        self._webhooks = make(
            Counter,
            "plumb_webhook_deliveries",
            "Deliveries of webhooks, by the status of the answer.",
            ("webhook", "status"),
        )
        self._loops = make(
            Counter,
            "plumb_loop_restarts",
            "Loops of the agent that ended by a defect and were begun again.",
            ("loop",),
        )
        self._silent_sources = make(Gauge, "plumb_silent_sources", "Sources whose remote does not answer.")
        self._source_polls = make(
            Counter,
            "plumb_source_polls",
            "Questions to remotes whether a ref has moved, by what came of them: answered or silent.",
            ("result",),
        )
        self._leader = make(Gauge, "plumb_leader", "Whether this agent makes runs.")
        self._leader.set(1)
        self._last_success: dict[str, float] = {}
        self._sources: dict[str, set[str]] = {}  # by cluster: those with a series
        # Clusters that left; a run of them that still ends makes no series again.
        self._gone: set[str] = set()

    def _make(
        self, kind: type[_Metric], name: str, text: str, labels: tuple[str, ...] = (), **options: Any
    ) -> _Metric:
        metric = kind(name, text, labels, registry=self.registry, **options)
        self._by_labels.setdefault(labels, []).append(metric)
        return metric

    def _with_label(self, label: str) -> Iterator[Any]:
        return (
            metric for labels, metrics in self._by_labels.items() if label in labels for metric in metrics
        )

    def count_loop_restart(self, loop: str) -> None:
        """Count a loop that ended by a defect."""
        self._loops.labels(loop).inc()

    def set_silent_sources(self, count: Callable[[], float]) -> None:
        """Read from `count` how many sources have a remote that does not answer."""
        self._silent_sources.set_function(count)

    def count_source_poll(self, *, answered: bool) -> None:
        """Count a question to a remote."""
        self._source_polls.labels("answered" if answered else "silent").inc()

    def set_leader(self, *, leader: bool) -> None:
        """Set whether this agent makes runs."""
        self._leader.set(leader)

    def count_delivery(self, webhook: str, status: int) -> None:
        """Count a delivery of a webhook (empty: of none that is known)."""
        self._webhooks.labels(webhook, str(status)).inc()

    def add_cluster(self, cluster: str, record: RunState) -> None:
        """Begin the series of a cluster with what is on record of it."""
        self._gone.discard(cluster)
        self._last_success[cluster] = record.last_success
        self._age.labels(cluster).set_function(lambda: self._age_of(cluster))
        self._of_apps.add_cluster(cluster)
        if record.summary:
            self._state(cluster, record.summary)

    def set_watch(self, cluster: str, watch: WatchNumbers) -> None:
        """Read the numbers of a cluster's watch from `watch`."""
        self._watched.labels(cluster).set_function(lambda: watch.objects)
        self._conflicts.labels(cluster).set_function(lambda: len(watch.conflicts()))
        self._restarts.labels(cluster)

    def set_pace(self, cluster: str, paced: PaceNumbers) -> None:
        """Read from `paced` for how long a cluster is left alone."""
        self._backoff.labels(cluster).set_function(lambda: paced.backs_off)

    def set_deliveries(self, cluster: str, status: Callable[[str], Sequence[Mapping[str, Any]]]) -> None:
        """Read from `status` what waits to be delivered of a cluster."""
        self._undelivered.labels(cluster).set_function(
            lambda: sum(each["waiting"] for each in status(cluster))
        )

    def count_watch_restart(self, cluster: str) -> None:
        """Count a watch that broke."""
        if cluster not in self._gone:
            self._restarts.labels(cluster).inc()

    def count_scan(self, cluster: str, seconds: float, *, failed: bool) -> None:
        """Count a scan for new images; `seconds` is how long it took."""
        if cluster in self._gone:
            return
        self._scans.labels(cluster, "failed" if failed else "succeeded").inc()
        self._scan_seconds.labels(cluster).observe(seconds)

    def count_image_run(self, cluster: str, *, succeeded: bool) -> None:
        """Count a run that was to commit new images."""
        if cluster not in self._gone:
            self._written.labels(cluster, "succeeded" if succeeded else "failed").inc()

    def count_run(self, cluster: str, record: RunState, summary: Mapping[str, Any], seconds: float) -> None:
        """Count one run: its record, and the summary of its report, empty where it made none."""
        if cluster in self._gone:
            return
        self._last_success[cluster] = record.last_success
        self._seconds.labels(cluster).observe(seconds)
        self._runs.labels(cluster, record.result).inc()
        if not summary:
            return
        self._state(cluster, summary)
        self._of_apps.count_run(cluster, summary)

    def set_app_states(self, cluster: str, states: Mapping[str, str], known: tuple[str, ...]) -> None:
        """Set the state of each app of a cluster; `known` are all states that there are."""
        if cluster not in self._gone:
            self._of_apps.set_states(cluster, states, known)

    def keep_only(self, cluster: str, metered: Metered) -> None:
        """Remove the series of apps, sources and image updates that the cluster has no more."""
        for app in self._of_apps.apps(cluster) - metered.apps:
            for metric in self._with_label("app"):
                metric.remove_by_labels({"cluster": cluster, "app": app})
        self._of_apps.keep_only(cluster, metered.apps)
        for source in self._sources.get(cluster, set()) - metered.sources:
            self._sources[cluster].discard(source)
            self._revision.remove_by_labels({"cluster": cluster, "source": source})
        if not metered.images:
            for of_images in (self._scans, self._scan_seconds, self._written):
                of_images.remove_by_labels({"cluster": cluster})

    def forget(self, cluster: str) -> None:
        """Remove the series of a cluster."""
        self._gone.add(cluster)
        self._of_apps.forget(cluster)
        for known in (self._last_success, self._sources):
            known.pop(cluster, None)
        for metric in self._with_label("cluster"):
            metric.remove_by_labels({"cluster": cluster})
        self._loops.remove_by_labels({"loop": f"cluster {cluster}"})

    def text(self) -> bytes:
        """Return all series in Prometheus's text format."""
        return generate_latest(self.registry)

    def _age_of(self, cluster: str) -> float:
        last = self._last_success.get(cluster, 0.0)
        return max(0.0, time.time() - last) if last else math.inf

    def _state(self, cluster: str, summary: Mapping[str, Any]) -> None:
        for source in summary["sources"]:
            if "commit" in source:
                self._revision.remove_by_labels({"cluster": cluster, "source": source["name"]})
                self._revision.labels(cluster, source["name"], source["commit"]).set(1)
                self._sources.setdefault(cluster, set()).add(source["name"])
        self._of_apps.set_sizes(cluster, summary)
