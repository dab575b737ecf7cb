# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server that answers nobody: a run is stopped after a few requests, whatever the number of its objects."""

from __future__ import annotations

import json

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Result
from ansible_collections.plumb.gitops.plugins.module_utils.report.document import failures
from ansible_collections.plumb.gitops.tests.support.ansible.git_fleet import GitFleet
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Done, Engine
from ansible_collections.plumb.gitops.tests.support.faults.proxy import (
    WRITES,
    Effect,
    Forward,
    Proxy,
    ProxyRequest,
    ProxyResponse,
    status,
)
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, manifest

OBJECTS = 1000
# 16 requests are under way when the first ones fail, and four probes follow.
MOST_TRIES = 24


def forbidden(asked: ProxyRequest, _forward: Forward) -> ProxyResponse:
    """Answer as the server does once the account's role is gone."""
    document = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "Forbidden"}
    document["message"] = 'User "u" cannot patch resource "configmaps" in API group "" in the namespace "n"'
    return ProxyResponse(403, {"Content-Type": "application/json"}, json.dumps(document).encode())


ILL: dict[str, Effect] = {
    "429, retry after 1": status(429, "TooManyRequests", retry_after=1),
    "503": status(503, "ServiceUnavailable"),
    "403, rights revoked": forbidden,
}


@pytest.fixture
def thousand(engine: Engine) -> Engine:
    """A thousand objects that are to be created, and an app without faults of its own."""
    engine.write("app/all.yaml", "".join(config_map(f"c{n}") for n in range(OBJECTS)))
    engine.write("other/all.yaml", config_map("other"))
    return engine


def errors_of(done: Done) -> set[str]:
    return {app.error or app.plan.error for app in done.result.apps} - {""}


@pytest.mark.parametrize("effect", ILL.values(), ids=ILL.keys())
def test_row_73_a_server_that_takes_no_write_is_given_up_on(
    thousand: Engine, proxy: Proxy, effect: Effect
) -> None:
    fault = proxy.fault(WRITES, r"/configmaps/c\d+", effect)
    done = thousand.apply(
        thousand.spec(), thousand.spec("other", depends_on=("app",)), kubeconfig=proxy.kubeconfig
    )
    assert 0 < fault.met <= MOST_TRIES
    app = done.result.apps[0]
    assert len(app.outcomes) == OBJECTS
    assert sum(outcome.result is Result.SKIPPED for outcome in app.outcomes) >= OBJECTS - MOST_TRIES
    assert not any(outcome.result is Result.DONE for outcome in app.outcomes)
    (message,) = errors_of(done)
    assert "sending writes: several in a row failed, of different objects" in message
    assert proxy.writes()[-1].find("/configmaps/c") > 0  # nothing was written after it
    assert not proxy.count("PATCH", "configmaps/other")


def test_row_73_dry_runs_that_all_fail_end_the_plan_and_nothing_is_written(
    thousand: Engine, proxy: Proxy
) -> None:
    thousand.apply()
    thousand.write("app/all.yaml", "".join(config_map(f"c{n}", {"a": "2"}) for n in range(OBJECTS)))
    fault = proxy.fault("PATCH", "dryRun=All", status(503, "ServiceUnavailable"))
    done = thousand.apply(kubeconfig=proxy.kubeconfig)
    assert 0 < fault.met <= MOST_TRIES
    assert not proxy.writes()
    assert len(errors_of(done)) == 1


KINDS = (
    "ConfigMap",
    "Secret",
    "Service",
    "ServiceAccount",
    "LimitRange",
    "ResourceQuota",
    "PodTemplate",
    "Endpoints",
)


def test_row_73_lists_that_all_fail_end_the_run(engine: Engine, proxy: Proxy) -> None:
    specs = {"Service": {"spec": {"clusterIP": "None"}}}
    engine.write("app/all.yaml", "".join(manifest("v1", kind, "x", **specs.get(kind, {})) for kind in KINDS))
    engine.apply()
    fault = proxy.fault("GET", r"limit=\d+&labelSelector=.*part-of", status(429))
    done = engine.apply(kubeconfig=proxy.kubeconfig)
    assert 0 < fault.met <= MOST_TRIES
    assert not proxy.writes()
    assert len(errors_of(done)) == 1
    assert "sending reads" in done.app.plan.error


def fails_for(names: frozenset[str], effect: Effect) -> Effect:
    def acted(asked: ProxyRequest, forward: Forward) -> ProxyResponse | None:
        mine = asked.target.partition("?")[0].rpartition("/")[2] in names
        return effect(asked, forward) if mine else forward(asked)

    return acted


def test_row_73_some_objects_that_fail_alone_stop_nothing(engine: Engine, proxy: Proxy) -> None:
    """Even where there are more of them than trip the breaker: a probe of another object closes it."""
    bad = frozenset({"c3", *(f"c{n}" for n in range(40, 48))})
    engine.write("app/all.yaml", "".join(config_map(f"c{n}") for n in range(100)))
    proxy.fault(WRITES, "", fails_for(bad, ILL["503"]))
    done = engine.apply(kubeconfig=proxy.kubeconfig)
    results = {outcome.action.ref.name: outcome.result for outcome in done.app.outcomes}
    assert {name for name, result in results.items() if result is not Result.DONE} == bad
    assert not done.app.error
    assert len(results) == 100


def test_row_73_a_server_that_recovers_is_noticed_by_a_probe(engine: Engine, proxy: Proxy) -> None:
    engine.write("app/all.yaml", "".join(config_map(f"c{n}") for n in range(100)))
    fault = proxy.fault(WRITES, r"/configmaps/c\d+", ILL["503"], times=7)
    done = engine.apply(kubeconfig=proxy.kubeconfig)
    assert fault.met == 7
    assert not done.app.failed
    assert {outcome.result for outcome in done.app.outcomes} == {Result.DONE}


def test_row_73_an_inventory_that_cannot_be_recorded_leaves_the_cluster_alone_too(
    git_fleet: GitFleet, proxy: Proxy
) -> None:
    """The first write of an app is one object alone, too few to trip the breaker; there is nothing to write without."""
    git_fleet.upstream.commit({"app": {"all.yaml": config_map("a") + config_map("b")}})
    fault = proxy.fault(WRITES, "", status(429, "TooManyRequests"))
    done = git_fleet.reconcile(plumb_kubeconfig=str(proxy.kubeconfig))
    assert done.code == 2
    assert fault.met == 5
    report = git_fleet.report()
    assert report["stopped"].startswith("nothing was written")
    assert failures(report) == [report["stopped"]]
    proxy.faults.clear()
    assert git_fleet.reconcile(plumb_kubeconfig=str(proxy.kubeconfig)).code == 0
    assert "stopped" not in git_fleet.report()
