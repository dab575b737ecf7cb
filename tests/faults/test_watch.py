# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows 12 and 14 in the running agent, and watches that are cut, denied, or lose their server: nothing is missed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ansible_collections.plumb.gitops.tests.support.agent.agent_fleet import AgentFleet
from ansible_collections.plumb.gitops.tests.support.agent.process import running, until
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.own_server import OwnServer, own_server
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.faults.proxy import (
    Fault,
    Proxy,
    ProxyResponse,
    cut_before,
    proxy_before,
    replay,
    status,
)

NAMESPACE = "cut"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {greeting: hello}\n"
WATCH = r"/configmaps\?.*watch=true.*part-of"  # the members'; the parents' is about another label
LIST = r"/configmaps\?.*limit=250.*part-of"  # the watch's; a run takes longer pages
GONE = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired"}


@dataclass(frozen=True, slots=True)
class Rig:
    """An agent that watches an API server of the test's own through a proxy; its interval is ten minutes."""

    fleet: AgentFleet
    own: OwnServer
    proxy: Proxy
    kubectl: Kubectl

    def greeting(self) -> str:
        live = self.kubectl.get("configmap", "settings", NAMESPACE)
        return live["data"]["greeting"] if live else ""

    def edit(self, greeting: str) -> None:
        """Under a manager's name of its own, so that these edits are no fight."""
        patch = json.dumps({"data": {"greeting": greeting}})
        self.kubectl(
            "patch",
            "configmap",
            "settings",
            "-n",
            NAMESPACE,
            "--type",
            "merge",
            "-p",
            patch,
            "--field-manager",
            greeting,
        )

    def blind(self) -> Fault:
        """Cut the watch and let it not come back, so that what happens from now on is missed."""
        fault = self.proxy.fault("GET", WATCH, cut_before())
        self.proxy.cut_streams()
        until(lambda: fault.met, "the watch tries to come back")
        return fault

    def undone(self, greeting: str = "hello") -> str:
        """Wait until a run has set it right; its line."""
        runs = len(self.fleet.agent.runs())
        until(lambda: self.greeting() == greeting, "it is set right")
        return self.fleet.agent.await_run(more_than=runs)

    def troubles(self) -> list[str]:
        _code, text = self.fleet.agent.get("/api/v1/status", token="sesame-sesame-sesame")
        troubles: list[str] = json.loads(text)["clusters"][0]["watch"]["troubles"]
        return troubles

    def restarts(self) -> float:
        return self.fleet.agent.series()['plumb_watch_restarts_total{cluster="here"}']


@pytest.fixture(scope="module")
def rig(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("watch")
    (folder / "own").mkdir()
    with own_server(sandbox, folder / "own") as own, proxy_before(own.sandbox, folder) as proxy:
        fleet = AgentFleet(own.sandbox, folder, "agent-cut", NAMESPACE)
        fleet.repository.commit({"app/config.yaml": CONFIG})
        fleet.write(plumb_kubeconfig=str(proxy.kubeconfig))
        fleet.agent.configure(interval="10m", watch=True)
        with running(fleet.agent) as agent:
            agent.await_run()
            until(lambda: proxy.count("GET", WATCH), "the watch stands")
            yield Rig(fleet, own, proxy, Kubectl(own.sandbox.kubeconfig))


@pytest.fixture(autouse=True)
def unharmed(rig: Rig) -> Iterator[None]:
    """No fault is left to the next test, and the watch stands."""
    yield
    rig.proxy.faults.clear()


def test_a_watch_that_was_cut_goes_on_from_where_it_was(rig: Rig) -> None:
    before, lists = rig.restarts(), rig.proxy.count("GET", LIST)
    fault = rig.blind()
    rig.edit("cut")
    rig.proxy.faults.remove(fault)
    assert 'cause="change seen" apps=app' in rig.undone()
    assert rig.restarts() > before
    assert rig.proxy.count("GET", LIST) >= lists


@pytest.mark.parametrize("how", ["status", "event"])
def test_row_12_after_410_the_kind_is_listed_and_compared(rig: Rig, how: str) -> None:
    event = json.dumps({"type": "ERROR", "object": GONE}).encode() + b"\n"
    headers = {"Content-Type": "application/json"}
    gone = status(410, "Expired") if how == "status" else replay(ProxyResponse(200, headers, event))
    blind = rig.blind()
    rig.edit(f"gone-by-{how}")
    fault = rig.proxy.fault("GET", WATCH, gone, times=1)
    rig.proxy.faults.remove(blind)
    assert 'cause="change seen" apps=app' in rig.undone()
    until(lambda: fault.met, "410 was said")
    lists, watches = rig.proxy.count("GET", LIST), rig.proxy.count("GET", WATCH)
    rig.edit(f"after-{how}")  # and from the list on it is watched again
    assert 'cause="change seen" apps=app' in rig.undone()
    assert rig.proxy.count("GET", LIST) >= lists
    assert rig.proxy.count("GET", WATCH) >= watches


def test_row_12_a_server_that_comes_back_and_has_forgotten(rig: Rig) -> None:
    """The API server is killed, started again and its store compacted, while the watch is away."""
    blind = rig.blind()
    rig.own.kill()
    rig.own.start()
    lists = rig.proxy.count("GET", LIST)
    rig.edit("forgotten")
    rig.own.compact()
    rig.proxy.faults.remove(blind)
    assert 'cause="change seen" apps=app' in rig.undone()
    assert rig.proxy.count("GET", LIST) > lists


def test_after_a_restart_of_the_server_the_next_edit_is_seen(rig: Rig) -> None:
    rig.own.kill()
    rig.own.start()
    rig.edit("restarted")
    assert 'cause="change seen" apps=app' in rig.undone()
    until(lambda: not rig.troubles(), "all is watched again")
    lines = [
        line for line in rig.fleet.agent.lines() if "not watching all" in line or "watching again" in line
    ]
    assert not lines or "watching again" in lines[-1]


def test_row_14_a_stale_list_deletes_nothing_that_was_made_since(rig: Rig) -> None:
    """What a run read is old: the object of that name is another one now. It is kept until a run has looked again."""
    agent = rig.fleet.agent
    members = r"/configmaps\?.*limit=500.*part-of"
    assert agent.command("sync", "--wait")[0] == 0
    stale = rig.proxy.answer_to("GET", members)
    rig.kubectl("delete", "configmap", "settings", "-n", NAMESPACE)
    assert 'cause="change seen" apps=app' in rig.undone()
    uid = rig.kubectl.live("configmap", "settings", NAMESPACE)["metadata"]["uid"]
    fault = rig.proxy.fault("GET", members, replay(stale), times=1)
    commit = rig.fleet.repository.commit(
        {"app/config.yaml": None, "app/other.yaml": CONFIG.replace("settings", "other")}
    )
    agent.await_line("cause", commit[:7])
    assert fault.met == 1
    assert rig.kubectl.live("configmap", "settings", NAMESPACE)["metadata"]["uid"] == uid
    assert agent.command("sync", "--wait")[0] == 0
    assert not rig.kubectl.get("configmap", "settings", NAMESPACE)
    assert rig.kubectl.get("configmap", "other", NAMESPACE)
    rig.fleet.repository.commit({"app/config.yaml": CONFIG, "app/other.yaml": None})
    until(lambda: rig.greeting() == "hello", "the fixture as it was")


def test_a_cluster_that_may_not_be_watched_is_polled_at_the_interval_and_says_so_once(rig: Rig) -> None:
    agent = rig.fleet.agent
    seen = len(agent.lines())
    rig.proxy.fault("GET", r"watch=true", status(403, "Forbidden"))
    rig.proxy.cut_streams()
    line = agent.await_line("not watching all", after=seen)
    assert "found at the interval" in line
    agent.configure(interval="3s")
    agent.await_line("in force", "interval=3.0s", after=seen)
    rig.edit("edited")
    assert "cause=interval" in rig.undone()
    assert sum("not watching all" in line for line in agent.lines()[seen:]) == 1
