# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running agent whose API server restarts and whose etcd freezes (rows 10 and 11 of the list of faults).

What a run makes of that is in test_server_down.py. Here nobody starts another run: the agent has to.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from ansible_collections.plumb.gitops.tests.support.agent.agent_on_git import FollowedGit, followed_git
from ansible_collections.plumb.gitops.tests.support.agent.process import until
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.own_server import OwnServer, own_server
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.faults.app_life import (
    FIRST,
    UPGRADE,
    Life,
    Stage,
    forty,
    life_in,
)
from ansible_collections.plumb.gitops.tests.support.faults.proxy import (
    WRITES,
    Forward,
    Proxy,
    ProxyRequest,
    ProxyResponse,
    at_write,
    proxy_before,
)

LESS = Stage("less", forty("3")[:8])  # changes eight ConfigMaps and prunes the rest
TIMEOUT = 2.0  # seconds for one attempt of one request


@pytest.fixture(scope="module")
def own(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """An API server and an etcd beside the sandbox's."""
    with own_server(sandbox, tmp_path_factory.mktemp("own")) as running:
        yield running


@pytest.fixture(scope="module")
def before(own: OwnServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy before that server."""
    with proxy_before(own.sandbox, tmp_path_factory.mktemp("proxy")) as running:
        yield running


@pytest.fixture(scope="module")
def fleet(own: OwnServer, before: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FollowedGit]:
    """An agent that reaches the server through the proxy, polls each second and is due every three."""
    folder = tmp_path_factory.mktemp("agent-servers")
    with followed_git(own.sandbox, folder, kubeconfig=before.kubeconfig) as made:
        app = made.app(wait=False, adopt=True, recreate=True, prune_limit="100%")
        made.follow(plumb_apps=[app], plumb_request_timeout=f"{TIMEOUT:g}s")
        made.agent.configure(interval="3s")
        yield made


@pytest.fixture(scope="module")
def life(own: OwnServer, fleet: FollowedGit) -> Life:
    """The app of 40 objects, brought to its first stage by the agent, among objects of others."""
    engine = Engine(own.sandbox, fleet.namespace, fleet.folder / "unused")
    made = life_in(engine, Kubectl(own.sandbox.kubeconfig))
    made.begin()
    push(fleet, FIRST)
    fleet.agent.start()
    converges(made, FIRST)
    return made


def push(fleet: FollowedGit, stage: Stage) -> str:
    return fleet.push({"all.yaml": "".join(f"---\n{json.dumps(body, indent=1)}\n" for body in stage.render)})


def converges(life: Life, stage: Stage) -> None:
    """The agent brings the cluster there by itself."""
    namespace = life.engine.namespace
    until(lambda: not life.oracle.wrong("app", namespace, stage.render), f"the agent reaches: {stage.name}")
    life.check(stage)


def test_row_10_the_api_server_restarts_in_the_middle_of_an_apply_of_the_agent(
    own: OwnServer, fleet: FollowedGit, life: Life, before: Proxy
) -> None:
    gone = threading.Event()

    def kill(_asked: ProxyRequest, _forward: Forward) -> None:
        own.kill()
        gone.set()

    fault = before.fault(WRITES, "", at_write(20, kill))
    seen = len(fleet.agent.lines())
    push(fleet, UPGRADE)
    assert gone.wait(60)
    fleet.agent.await_line(" error ", "broke before the answer was complete", after=seen)
    fleet.is_well()
    own.start()
    before.faults.remove(fault)
    converges(life, UPGRADE)
    fleet.agent.await_line("reconciled  ", "changed=0 drifted=0 failed=0", after=len(fleet.agent.lines()))
    fleet.is_well()


def test_row_11_a_frozen_store_holds_the_agent_up_and_prunes_nothing(
    own: OwnServer, fleet: FollowedGit, life: Life, before: Proxy
) -> None:
    converges(life, UPGRADE)
    deletes: list[str] = []

    def freeze(asked: ProxyRequest, forward: Forward) -> ProxyResponse | None:
        own.freeze()
        return forward(asked)

    def note(asked: ProxyRequest, forward: Forward) -> ProxyResponse | None:
        deletes.append(asked.target)
        return forward(asked)

    faults = [before.fault("DELETE", "", note), before.fault(WRITES, "", at_write(3, freeze))]
    seen = len(fleet.agent.lines())
    commit = push(fleet, LESS)
    try:
        line = fleet.agent.await_line(" error ", f"fleet@{commit[:7]}", after=seen)
        assert "no whole answer from" in line
        fleet.agent.await_line(" error ", "cause=retry", after=seen)  # it tries again, and is held up again
        assert deletes == []
        fleet.is_well()
    finally:
        own.thaw()
        for fault in faults:
            before.faults.remove(fault)
    converges(life, LESS)
    fleet.is_well()
