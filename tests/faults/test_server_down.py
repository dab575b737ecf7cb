# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server or its store fails in the middle (rows 10-12 of the list of faults)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Result
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.own_server import OwnServer, own_server
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.faults.app_life import (
    FIRST,
    LIFETIME,
    PRUNE,
    UPGRADE,
    Life,
    Stage,
    life_in,
)
from ansible_collections.plumb.gitops.tests.support.faults.proxy import (
    WRITES,
    Forward,
    Proxy,
    ProxyRequest,
    ProxyResponse,
    at_write,
    pages_of,
    proxy_before,
    status,
)
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map

# Changes eight ConfigMaps, prunes the rest, and needs no wider inventory first.
LESS = Stage("less", UPGRADE.render[:8])
LISTS = r"/configmaps\?limit=\d+&labelSelector=.*part-of"


@pytest.fixture(scope="module")
def own(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """An API server and an etcd beside the sandbox's."""
    with own_server(sandbox, tmp_path_factory.mktemp("own")) as running:
        yield running


@pytest.fixture
def own_kubectl(own: OwnServer) -> Kubectl:
    return Kubectl(own.sandbox.kubeconfig)


@pytest.fixture
def own_life(own: OwnServer, own_kubectl: Kubectl, namespace: str, tmp_path: Path) -> Life:
    """The app of 40 objects, on the server of our own."""
    own_kubectl("create", "namespace", namespace)
    made = life_in(Engine(own.sandbox, namespace, tmp_path / "own-git"), own_kubectl)
    made.begin()
    return made


@pytest.fixture
def before(own: OwnServer, tmp_path: Path) -> Iterator[Proxy]:
    """A proxy before the server of our own."""
    with proxy_before(own.sandbox, tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    ("stage", "nth", "meanwhile"),
    [(FIRST, 20, True), (UPGRADE, 20, True), (PRUNE, 36, False)],
    ids=["first apply, back meanwhile", "upgrade, back meanwhile", "prune, back afterwards"],
)
def test_row_10_the_api_server_restarts_in_the_middle(
    own: OwnServer, own_life: Life, before: Proxy, stage: Stage, nth: int, *, meanwhile: bool
) -> None:
    for earlier in LIFETIME[: LIFETIME.index(stage)]:
        own_life.engine.apply(own_life.commit(earlier))
    gone = threading.Event()

    def kill(_asked: ProxyRequest, _forward: Forward) -> None:
        own.kill()
        gone.set()

    before.fault(WRITES, "", at_write(nth, kill))
    app = own_life.commit(stage)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(own_life.engine.apply, app, kubeconfig=before.kubeconfig)
        gone.wait()
        if not meanwhile:
            assert run.result().app.failed
        own.start()
        run.result()
    before.settle()
    own_life.converges(stage)


def test_row_11_a_frozen_store_leaves_outcomes_unknown_and_prunes_nothing(
    own: OwnServer, own_life: Life, before: Proxy
) -> None:
    own_life.converges(FIRST)

    def freeze(asked: ProxyRequest, forward: Forward) -> ProxyResponse | None:
        own.freeze()
        return forward(asked)

    before.fault(WRITES, "", at_write(3, freeze))
    try:
        done = own_life.engine.apply(own_life.commit(LESS), kubeconfig=before.kubeconfig, request_timeout=2.0)
    finally:
        own.thaw()
    before.settle()  # some of what nobody waited for is carried out only now
    failed = [o.error for o in done.app.outcomes if o.result is Result.FAILED]
    assert failed
    assert all("no whole answer from" in error for error in failed)
    assert not before.count("DELETE", "")
    assert len(own_life.oracle.members("app", own_life.engine.namespace)) == len(FIRST.render)
    own_life.converges(LESS)


def test_row_11_a_full_store_takes_no_write_and_prunes_nothing(own: OwnServer, own_life: Life) -> None:
    own_life.converges(FIRST)
    own.fill()
    try:
        done = own_life.engine.apply(own_life.commit(LESS))
    finally:
        own.make_room()
    failed = [outcome.error for outcome in done.app.outcomes if outcome.result is Result.FAILED]
    assert len(failed) == len(LESS.render)
    assert all("database space exceeded" in error for error in failed)
    assert len(own_life.oracle.members("app", own_life.engine.namespace)) == len(FIRST.render)
    own_life.converges(LESS)


def test_row_12_an_expired_continue_begins_the_list_anew(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", "".join(config_map(f"c{n}") for n in range(25)))
    engine.apply()
    engine.write("app/all.yaml", "".join(config_map(f"c{n}") for n in range(24)))
    expired = proxy.fault("GET", r"configmaps\?.*continue=", status(410, "Expired"), times=1)
    proxy.fault("GET", LISTS, pages_of(10))
    assert not engine.apply(kubeconfig=proxy.kubeconfig).app.failed
    assert expired.met == 1
    assert kubectl.get("configmap", "c24", engine.namespace) is None
    assert kubectl.live("configmap", "c23", engine.namespace)
    assert engine.apply().writes == 0


def test_row_12_a_list_that_always_expires_is_no_list_and_prunes_nothing(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", "".join(config_map(f"c{n}") for n in range(25)))
    engine.apply()
    engine.write("app/all.yaml", "".join(config_map(f"c{n}") for n in range(24)))
    expired = proxy.fault("GET", r"configmaps\?.*part-of.*continue=", status(410, "Expired"))
    proxy.fault("GET", LISTS, pages_of(10))
    done = engine.apply(kubeconfig=proxy.kubeconfig)
    assert expired.met == 3
    assert "could not be listed" in done.app.plan.prune_blocked
    assert kubectl.live("configmap", "c24", engine.namespace)
    assert not engine.apply().app.failed
    assert kubectl.get("configmap", "c24", engine.namespace) is None


def test_row_12_history_is_compacted_between_two_pages(
    own: OwnServer, own_life: Life, own_kubectl: Kubectl, before: Proxy
) -> None:
    own_life.engine.apply(own_life.commit(FIRST))
    name = own_life.engine.namespace

    def compact(asked: ProxyRequest, forward: Forward) -> ProxyResponse | None:
        own_kubectl("annotate", "namespace", name, "moved=on")
        own.compact()
        return pages_of(5)(asked, forward)

    met = before.fault("GET", r"configmaps\?.*part-of.*continue=", compact, times=1)
    before.fault("GET", LISTS, pages_of(5))
    done = own_life.engine.apply(own_life.commit(LESS), kubeconfig=before.kubeconfig)
    assert met.met == 1
    assert [answer.status for _asked, answer in before.asked if answer and answer.status == 410] == [410]
    assert not done.app.failed
    own_life.check(LESS)
