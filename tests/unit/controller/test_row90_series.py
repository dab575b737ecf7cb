# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Series count what was done, a retry counts nothing twice (row 94), and they leave with what they are of (row 90)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.plumb.gitops.controller.runner.reports import summary_of
from ansible_collections.plumb.gitops.controller.store.metrics import Metered, Metrics
from ansible_collections.plumb.gitops.controller.store.run_state import RunState
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import (
    AppResult,
    Outcome,
    Plan,
    Result,
    Verb,
)
from ansible_collections.plumb.gitops.plugins.module_utils.report.document import document
from ansible_collections.plumb.gitops.tests.unit.report.reports import EDITED, MAIN, action, report

GOOD = RunState(result="succeeded", last_success=1.0)


class WatchStub:
    objects = 3
    backs_off = 0.0

    def conflicts(self) -> tuple[object, ...]:
        return ()


def ran(*outcomes: Outcome, app: str = "shop", error: str = "") -> dict[str, Any]:
    """The summary of a run that came to this."""
    plan = Plan(app=app, actions=tuple(outcome.action for outcome in outcomes))
    return summary_of(document(report(AppResult(plan=plan, outcomes=outcomes, executed=True, error=error))))


def filled(*clusters: str) -> Metrics:
    """Metrics in which each metric with labels has a series of each cluster."""
    metrics = Metrics()
    drifted = Outcome(action("ConfigMap", "a", Verb.UPDATE, EDITED), Result.DONE)
    refused = Outcome(action("ConfigMap", "b", Verb.REFUSED, reason="no"), Result.DONE)
    for cluster in clusters:
        metrics.add_cluster(cluster, RunState())
        metrics.set_watch(cluster, WatchStub())
        metrics.set_pace(cluster, WatchStub())
        metrics.set_deliveries(cluster, lambda _cluster: [{"waiting": 2}])
        for app in ("shop", "cart"):
            metrics.count_run(cluster, GOOD, ran(drifted, refused, app=app), 1.0)
        metrics.set_app_states(cluster, {"shop": "refused", "cart": "refused"}, ("refused", "in sync"))
        metrics.count_scan(cluster, 1.0, failed=False)
        metrics.count_image_run(cluster, succeeded=True)
        metrics.count_loop_restart(f"cluster {cluster}")
        metrics.count_delivery("hook", 202)
        metrics.count_source_poll(answered=True)
    return metrics


def series(metrics: Metrics) -> dict[str, float]:
    lines = [line for line in metrics.text().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def labelled(metrics: Metrics) -> dict[str, set[str]]:
    """The names of labels of each metric that has a series."""
    labels_of: dict[str, set[str]] = {}
    for name in series(metrics):
        metric, _brace, labels = name.partition("{")
        labels_of.setdefault(metric, set()).update(re.findall(r"(\w+)=", labels))
    return labels_of


ALL = Metered(frozenset({"shop", "cart"}), frozenset({MAIN.source}), images=True)
# What leaves, how the metrics learn of it, and the series that must be gone: of this label, with this value.
LEAVES: dict[str, tuple[Callable[[Metrics], None], str, str]] = {
    "an app": (
        lambda metrics: metrics.keep_only("prod", replace(ALL, apps=frozenset({"cart"}))),
        "app",
        "shop",
    ),
    "a source": (
        lambda metrics: metrics.keep_only("prod", replace(ALL, sources=frozenset())),
        "source",
        MAIN.source,
    ),
    "a cluster": (lambda metrics: metrics.forget("prod"), "cluster", "prod"),
    "a cluster's loop": (lambda metrics: metrics.forget("prod"), "loop", "cluster prod"),
}


def of_label(metrics: Metrics, label: str, value: str) -> set[str]:
    return {name for name in series(metrics) if f'{label}="{value}"' in name and "staging" not in name}


def test_row_90_each_metric_with_labels_is_in_the_table() -> None:
    """A new label wants a row above, or a word here on why its values do not leave."""
    known = {"cluster", "app", "source", "loop"}  # of LEAVES
    known |= {
        "le",
        "result",
        "action",
        "kind",
        "manager",
        "commit",
        "status",
        "state",
    }  # go with another label, or are few
    known |= {"webhook"}  # fixed when the agent starts
    metrics = filled("prod")
    declared = {
        name
        for collector in metrics.registry.collect()
        for sample in collector.samples
        for name in sample.labels
    }
    assert declared <= known
    silent = {metric.name for metric in metrics.registry.collect() if not metric.samples}
    assert not silent, "filled() makes no series of these, so the table says nothing of them"


@pytest.mark.parametrize("what", LEAVES)
def test_row_90_what_leaves_takes_its_series_along(what: str) -> None:
    leave, label, value = LEAVES[what]
    metrics = filled("prod", "staging")
    metrics.keep_only("prod", ALL)
    others = series(metrics).keys() - of_label(metrics, label, value)
    assert of_label(metrics, label, value)
    leave(metrics)
    assert not of_label(metrics, label, value)
    gone = others - series(metrics).keys()
    assert all(what.startswith("a cluster") and ('"prod"' in name or "cluster prod" in name) for name in gone)


def test_row_90_image_updates_that_leave_take_their_series_along() -> None:
    metrics = filled("prod", "staging")
    metrics.keep_only("prod", replace(ALL, images=False))
    assert not [name for name in series(metrics) if name.startswith("plumb_image") and '"prod"' in name]
    assert [name for name in series(metrics) if name.startswith("plumb_image") and '"staging"' in name]


def test_row_90_what_ends_after_its_cluster_has_left_makes_no_series_again() -> None:
    metrics = filled("prod")
    metrics.forget("prod")
    metrics.count_scan("prod", 1.0, failed=True)
    metrics.count_image_run("prod", succeeded=False)
    metrics.count_watch_restart("prod")
    metrics.count_run("prod", GOOD, ran(Outcome(action("ConfigMap", "a", Verb.CREATE), Result.DONE)), 1.0)
    assert not [name for name in series(metrics) if '"prod"' in name]
    metrics.add_cluster("prod", RunState())
    metrics.count_run("prod", GOOD, {}, 1.0)
    assert series(metrics)['plumb_runs_total{cluster="prod",result="succeeded"}'] == 1


APPS = [f"app-{number:03}" for number in range(200)]
FLEET = [f"cluster-{number:02}" for number in range(12)]
STATES_OF_APPS = (
    "failed",
    "refused",
    "unhealthy",
    "drifted",
    "unverified",
    "suspended",
    "pending",
    "in sync",
)
FIRST = Outcome(action("ConfigMap", "a", Verb.CREATE), Result.DONE)
BAD = Outcome(action("ConfigMap", "a", Verb.REFUSED, reason="no"), Result.DONE)
DRIFTED = Outcome(action("ConfigMap", "a", Verb.UPDATE, EDITED), Result.DONE)
SIZES = [  # what each of 12 x 200 apps came to, and the most lines of /metrics
    ("in sync", (FIRST,), 1000),
    ("refused", (BAD,), 2500),
    ("drifted", (DRIFTED,), 3500),
    ("failed", (BAD, DRIFTED), 4000),
]


@pytest.mark.parametrize(("state", "outcomes", "most"), SIZES)
def test_12_clusters_of_200_apps_have_a_bounded_number_of_lines(
    state: str, outcomes: tuple[Outcome, ...], most: int
) -> None:
    metrics = Metrics()
    for cluster in FLEET:
        metrics.add_cluster(cluster, RunState())
        metrics.set_watch(cluster, WatchStub())
        metrics.set_pace(cluster, WatchStub())
        metrics.set_deliveries(cluster, lambda _cluster: [{"waiting": 2}])
        for app in APPS:
            metrics.count_run(cluster, GOOD, ran(*outcomes, app=app), 1.0)
        metrics.set_app_states(cluster, dict.fromkeys(APPS, state), STATES_OF_APPS)
    lines = metrics.text().decode().splitlines()
    assert len(lines) < most
    assert f'plumb_apps{{cluster="cluster-00",state="{state}"}} 200.0' in lines
    by_app = [line for line in lines if line.startswith('plumb_app_state{app="')]
    if state == "in sync":
        assert not by_app
    else:
        assert sum(float(line.rpartition(" ")[2]) for line in by_app) == 12 * 200


def test_an_app_that_fails_no_more_has_no_series() -> None:
    metrics = filled("prod")
    assert series(metrics)['plumb_failing{app="shop",cluster="prod"}'] == 1
    assert series(metrics)['plumb_app_state{app="shop",cluster="prod",state="refused"}'] == 1
    metrics.count_run("prod", GOOD, ran(FIRST), 1.0)
    metrics.set_app_states("prod", {"shop": "in sync", "cart": "refused"}, ("refused", "in sync"))
    assert 'plumb_failing{app="shop",cluster="prod"}' not in series(metrics)
    assert not [name for name in series(metrics) if name.startswith('plumb_app_state{app="shop"')]
    assert series(metrics)['plumb_apps{cluster="prod",state="in sync"}'] == 1


ONE = action("ConfigMap", "one", Verb.CREATE)
TWO = action("ConfigMap", "two", Verb.CREATE)
DRIFT = action("ConfigMap", "three", Verb.UPDATE, EDITED)
NO = action("ConfigMap", "no", Verb.REFUSED, reason="no")


def counted(metrics: Metrics, name: str, **labels: str) -> float:
    wanted = {"cluster": "prod", **labels}
    return sum(
        value
        for key, value in series(metrics).items()
        if key.startswith(f"{name}{{") and all(f'{label}="{value}"' in key for label, value in wanted.items())
    )


def test_row_94_what_failed_is_counted_once_and_done_only_when_it_is_done() -> None:
    metrics = Metrics()
    metrics.add_cluster("prod", RunState())
    failed = (
        Outcome(ONE, Result.DONE),
        Outcome(TWO, Result.FAILED, "no"),
        Outcome(DRIFT, Result.FAILED, "no"),
    )
    again = (Outcome(replace(ONE, verb=Verb.UNCHANGED), Result.DONE), *failed[1:], Outcome(NO, Result.DONE))
    for summary in (ran(*failed), ran(*again), ran(*again)):
        metrics.count_run("prod", RunState(result="failed"), summary, 1.0)
    assert counted(metrics, "plumb_actions_total", action="create") == 1
    assert counted(metrics, "plumb_actions_total", action="update") == 0
    assert counted(metrics, "plumb_actions_total", action="refused") == 1
    assert counted(metrics, "plumb_drift_total") == 1
    assert counted(metrics, "plumb_drift_found_total") == 1
    assert counted(metrics, "plumb_drift_reverted_total") == 0
    assert counted(metrics, "plumb_failures_total") == 3
    assert counted(metrics, "plumb_failing") == 3
    assert counted(metrics, "plumb_objects") == 4
    done = (Outcome(TWO, Result.DONE), Outcome(DRIFT, Result.DONE))
    metrics.count_run("prod", GOOD, ran(*done), 1.0)
    assert counted(metrics, "plumb_actions_total", action="create") == 2
    assert counted(metrics, "plumb_actions_total", action="update") == 1
    assert counted(metrics, "plumb_drift_found_total") == 1
    assert counted(metrics, "plumb_drift_reverted_total") == 1
    assert counted(metrics, "plumb_failing") == 0
    metrics.count_run("prod", GOOD, ran(Outcome(DRIFT, Result.DONE)), 1.0)
    assert counted(metrics, "plumb_drift_total") == 2  # it is drift anew


def test_row_94_an_app_that_cannot_be_planned_counts_once_and_forgets_nothing() -> None:
    metrics = Metrics()
    metrics.add_cluster("prod", RunState())
    left = Outcome(replace(DRIFT, verb=Verb.UNCHANGED), Result.DONE)
    for summary in (ran(left), ran(error="no answer"), ran(error="no answer"), ran(left)):
        metrics.count_run("prod", RunState(result="failed"), summary, 1.0)
    assert counted(metrics, "plumb_failures_total") == 1
    assert counted(metrics, "plumb_drift_total") == 1


@pytest.mark.parametrize("number", [1, 299, 301, 5000])
def test_row_94_any_number_of_refusals_counts_once(number: int) -> None:
    metrics = Metrics()
    metrics.add_cluster("prod", RunState())
    refused = [
        Outcome(action("ConfigMap", f"c{n}", Verb.REFUSED, reason="no"), Result.DONE) for n in range(number)
    ]
    for _run in range(3):
        metrics.count_run("prod", RunState(result="failed"), ran(*refused), 1.0)
    assert counted(metrics, "plumb_actions_total", action="refused") == number
    assert counted(metrics, "plumb_failing") == number


def test_row_94_the_report_counts_outcomes() -> None:
    outcomes = (
        Outcome(ONE, Result.DONE),
        Outcome(TWO, Result.FAILED, "no"),
        Outcome(replace(DRIFT, verb=Verb.UNCHANGED), Result.DONE),  # planned anew: somebody had set it back
        Outcome(action("ConfigMap", "left", Verb.PRUNE), Result.SKIPPED),
    )
    plan = Plan(app="shop", actions=(ONE, TWO, DRIFT, outcomes[3].action))
    whole = document(report(AppResult(plan=plan, outcomes=outcomes, executed=True)))
    counts = {word: number for word, number in whole["counts"].items() if number}
    assert counts == {"create": 1, "unchanged": 1, "drifted": 1, "failed": 1, "skipped": 1}
    planned = document(report(AppResult(plan=plan), check=True))
    counts = {word: number for word, number in planned["counts"].items() if number}
    assert counts == {"create": 2, "update": 1, "prune": 1, "drifted": 1}
