# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running agent whose API server refuses: all of it (row 73), or single objects (rows 94 and 107)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.plumb.gitops.tests.support.agent.agent_on_git import FollowedGit, followed_git
from ansible_collections.plumb.gitops.tests.support.agent.process import until
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.faults.proxy import WRITES, Proxy, proxy_before, status
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, manifest

MANY = 40


@pytest.fixture(scope="module")
def before(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy before the API server."""
    with proxy_before(sandbox, tmp_path_factory.mktemp("proxy")) as running:
        yield running


@pytest.fixture(scope="module")
def fleet(sandbox: Sandbox, before: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FollowedGit]:
    """An agent that reaches the server through the proxy and polls each second; it has had its first run."""
    folder = tmp_path_factory.mktemp("agent-outcomes")
    with followed_git(sandbox, folder, kubeconfig=before.kubeconfig) as made:
        made.follow(plumb_apps=[made.app(wait=False)])
        made.push({"all.yaml": config_map("first")})
        made.agent.start()
        made.agent.await_run()
        yield made


def state_of(fleet: FollowedGit) -> dict[str, Any]:
    """What the status says of the cluster."""
    _status, text = fleet.agent.get("/api/v1/status", token=fleet.token)
    cluster: dict[str, Any] = json.loads(text)["clusters"][0]
    return cluster


def test_row_94_one_refused_of_two_is_counted_as_one_done_and_one_refused(fleet: FollowedGit) -> None:
    before = fleet.agent.series()

    def created() -> float:
        name = 'plumb_actions_total{action="create",cluster="here"}'
        return fleet.agent.series()[name] - before[name]

    runs = len(fleet.agent.runs())
    invalid = manifest("v1", "Service", "invalid", spec={"ports": [{"port": 99999}]})
    fleet.push({"all.yaml": config_map("first") + config_map("good") + invalid})
    line = fleet.agent.await_run(more_than=runs)
    assert "changed=1 drifted=0 failed=1" in line
    again = fleet.sync()  # sends it once more
    assert "changed=0 drifted=0 failed=1" in again
    (app,) = state_of(fleet)["apps"]
    assert {word: number for word, number in app["counts"].items() if number} == {"unchanged": 2, "failed": 1}
    _status, text = fleet.agent.get("/api/v1/state?cluster=here", token=fleet.token)
    (shown,) = json.loads(text)["clusters"][0]["apps"]
    assert (shown["objects"], shown["counts"]["create"], shown["counts"]["failed"]) == (3, 0, 1)
    assert created() == 1
    after = fleet.agent.series()
    assert after['plumb_failures_total{cluster="here"}'] == 1
    assert after['plumb_failing{app="app",cluster="here"}'] == 1
    seen = len(fleet.agent.lines())
    fleet.push({"all.yaml": config_map("first")})
    fleet.agent.await_line("reconciled  cluster=here", "changed=1", after=seen)


def test_row_90_an_app_that_leaves_the_inventory_leaves_the_metrics(fleet: FollowedGit) -> None:
    other = fleet.app(name="other", path="other", wait=False)
    runs = len(fleet.agent.runs())
    # An app that is in sync has no series of its own.
    invalid = manifest("v1", "Service", "other", spec={"ports": [{"port": 99999}]})
    fleet.push({"all.yaml": config_map("first")}, other={"o.yaml": invalid})
    fleet.follow(plumb_apps=[fleet.app(wait=False), other])
    until(lambda: any('app="other"' in name for name in fleet.agent.series()), "the app has series")
    fleet.follow(plumb_apps=[fleet.app(wait=False)])
    until(lambda: not any('app="other"' in name for name in fleet.agent.series()), "its series are gone")
    fleet.agent.await_run(more_than=runs + 1)
    assert not any('app="other"' in name for name in fleet.agent.series())
    assert fleet.agent.series()['plumb_objects{cluster="here"}'] == 1


def test_row_78_a_guesser_at_the_same_address_keeps_nobody_from_suspending(fleet: FollowedGit) -> None:
    over, answers = threading.Event(), set()

    def guess() -> None:
        while not over.wait(0.05):
            answers.add(fleet.agent.get("/api/v1/status", token="wrong")[0])

    guesser = threading.Thread(target=guess, daemon=True)
    guesser.start()
    until(lambda: 429 in answers, "the guesser is throttled")
    try:
        for command in ("suspend", "resume"):
            code, output = fleet.agent.command(command, "--cluster", "here")
            assert code == 0, output
    finally:
        over.set()
        guesser.join()
    assert answers == {401, 429}


def test_row_73_the_agent_leaves_a_failing_cluster_alone_until_an_operator_asks(
    fleet: FollowedGit, before: Proxy
) -> None:
    fault = before.fault(WRITES, r"/configmaps/c\d+", status(503, "ServiceUnavailable"))
    before_it = len(fleet.agent.lines())
    fleet.push({"all.yaml": "".join(config_map(f"c{n}") for n in range(MANY))})
    line = fleet.agent.await_line("backing off", "cluster=here", after=before_it)
    assert "several in a row failed" in line
    ran = next(line for line in fleet.agent.lines()[before_it:] if " error " in line)
    assert ran.count("several in a row failed") == 1
    assert "; and " not in ran  # one message, for any number of objects
    assert fault.met <= 24

    runs, met = len(fleet.agent.runs()), fault.met
    left = float(state_of(fleet)["backs_off"])
    assert left > 0
    assert fleet.agent.series()['plumb_backoff_seconds{cluster="here"}'] > 0
    code, shown = fleet.agent.command("status")
    assert "backing off" in shown, code
    fleet.push({"all.yaml": "".join(config_map(f"c{n}", {"a": "2"}) for n in range(MANY))})
    _status, text = fleet.agent.get("/api/v1/state", token=fleet.token)
    assert json.loads(text)["clusters"][0]["backs_off_until"]
    until(lambda: float(state_of(fleet)["backs_off"]) < left - 3, "two polls of Git")
    assert (len(fleet.agent.runs()), fault.met) == (runs, met)  # neither a commit nor the pace of retries

    assert "several in a row failed" in fleet.sync()
    assert met < fault.met <= met + 24
    before.faults.clear()
    assert "changed=" in fleet.sync()
    assert not state_of(fleet)["backs_off"]
    assert fleet.agent.series()['plumb_backoff_seconds{cluster="here"}'] == 0
    until(lambda: state_of(fleet)["last_run"]["result"] == "succeeded", "a good run")
