# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that are lost, throttled, refused for a while or for good, or never answered (rows 5-9)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.errors import DeadlineExceeded
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Outcome, Result, Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Done, Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.faults.app_life import LIFETIME, Life
from ansible_collections.plumb.gitops.tests.support.faults.proxy import (
    WRITES,
    Effect,
    Forward,
    Proxy,
    ProxyRequest,
    ProxyResponse,
    cut_after,
    cut_before,
    silence,
    status,
)
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, manifest

WRITE_C = r"configmaps/c\?"


@pytest.fixture
def until() -> Iterator[threading.Event]:
    """What ends a silence; it comes when the test is over."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def due(engine: Engine) -> Engine:
    """An app in which `c` is to change, `new` to be made and `left` to be pruned."""
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.apply()
    engine.write("app/all.yaml", config_map("c", {"a": "2"}) + config_map("new"))
    return engine


def outcome_of(done: Done, name: str) -> Outcome:
    return next(outcome for outcome in done.app.outcomes if outcome.action.ref.name == name)


def is_held_back(done: Done, due: Engine, kubectl: Kubectl) -> bool:
    """Whether `c` failed, `new` was made all the same and nothing was pruned; and the next run does the rest."""
    assert outcome_of(done, "c").result is Result.FAILED
    assert kubectl.live("configmap", "new", due.namespace)
    assert outcome_of(done, "left").result is Result.SKIPPED
    assert kubectl.live("configmap", "left", due.namespace)
    assert not due.apply().app.failed
    assert kubectl.live("configmap", "c", due.namespace)["data"] == {"a": "2"}
    return kubectl.get("configmap", "left", due.namespace) is None


def first_time(effect: Effect) -> Effect:
    """The effect on the first try of each request; further tries are let through."""
    met: set[tuple[str, str, bytes]] = set()

    def once(asked: ProxyRequest, forward: Forward) -> ProxyResponse | None:
        request = (asked.method, asked.target, asked.body)
        if request in met:
            return forward(asked)
        met.add(request)
        return effect(asked, forward)

    return once


@pytest.mark.parametrize("cut", [cut_before, cut_after])
def test_row_5_every_write_of_a_life_loses_its_first_answer(life: Life, proxy: Proxy, cut: type) -> None:
    fault = proxy.fault(WRITES, "", first_time(cut()))
    life.begin()
    for stage in LIFETIME:
        before = fault.met
        done = life.engine.apply(life.commit(stage), kubeconfig=proxy.kubeconfig)
        assert not done.app.failed, [o.error for o in done.app.outcomes] + [done.app.error]
        assert fault.met > before
        life.check(stage)
        assert life.engine.apply(life.commit(stage)).writes == 0


def test_row_6_a_throttled_write_waits_as_long_as_it_is_told(
    due: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    fault = proxy.fault(WRITES, WRITE_C, status(429, "TooManyRequests", retry_after=1), times=2)
    assert not due.apply(kubeconfig=proxy.kubeconfig).app.failed
    assert fault.met == 2
    tries = [asked.at for asked, _answer in proxy.asked if asked.write and "configmaps/c?" in asked.target]
    assert all(later - earlier >= 1 for earlier, later in pairwise(tries))
    assert kubectl.live("configmap", "c", due.namespace)["data"] == {"a": "2"}
    assert kubectl.get("configmap", "left", due.namespace) is None


def test_row_6_throttling_without_end_is_given_up_on(due: Engine, kubectl: Kubectl, proxy: Proxy) -> None:
    fault = proxy.fault(WRITES, WRITE_C, status(429, "TooManyRequests", retry_after=0))
    done = due.apply(kubeconfig=proxy.kubeconfig)
    assert fault.met == 5
    assert "lower the concurrency" in outcome_of(done, "c").error
    assert is_held_back(done, due, kubectl)


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_row_7_a_burst_of_5xx_passes_by(due: Engine, kubectl: Kubectl, proxy: Proxy, code: int) -> None:
    read = proxy.fault("GET", r"limit=", first_time(status(code)), times=3)
    write = proxy.fault(WRITES, "", first_time(status(code)), times=4)
    assert not due.apply(kubeconfig=proxy.kubeconfig).app.failed
    assert (read.met, write.met) == (3, 4)
    assert kubectl.live("configmap", "c", due.namespace)["data"] == {"a": "2"}
    assert kubectl.get("configmap", "left", due.namespace) is None


def test_row_7_a_5xx_without_end_holds_the_prune_back(due: Engine, kubectl: Kubectl, proxy: Proxy) -> None:
    fault = proxy.fault(WRITES, WRITE_C, status(503, "ServiceUnavailable"))
    done = due.apply(kubeconfig=proxy.kubeconfig)
    assert fault.met == 5
    assert is_held_back(done, due, kubectl)


def test_row_7_without_its_inventory_nothing_is_written(due: Engine, kubectl: Kubectl, proxy: Proxy) -> None:
    due.write("app/all.yaml", config_map("c", {"a": "2"}) + manifest("v1", "Secret", "s"))
    proxy.fault("PATCH", "configmaps/plumb-app", status(500, "InternalError"))
    done = due.apply(kubeconfig=proxy.kubeconfig)
    assert "nothing was written: its inventory could not be recorded" in done.app.error
    own = ("configmaps/plumb-app", "configmaps/plumb-members.")
    assert all(any(name in write for name in own) for write in proxy.writes())
    assert kubectl.live("configmap", "c", due.namespace)["data"] == {"a": "1"}
    assert kubectl.live("configmap", "left", due.namespace)
    assert not due.apply().app.failed


def test_row_8_a_permanent_500_fails_alone_and_is_asked_once(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.apply()
    misspelt = manifest("v1", "Service", "s", spec={"clusterIP": "None", "prots": [{"port": 80}]})
    engine.write("app/all.yaml", config_map("c", {"a": "2"}) + misspelt)
    for _run in range(2):
        proxy.asked.clear()
        done = engine.apply(kubeconfig=proxy.kubeconfig)
        failed = [a.reason for a in done.app.plan.actions if a.verb is Verb.REFUSED]
        failed += [o.error for o in done.app.outcomes if o.result is Result.FAILED]
        assert len(failed) == 1
        assert "prots" in failed[0]
        assert "app/all.yaml" in failed[0]
        assert proxy.count("PATCH", "services/s") == 1
        assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "2"}
        assert kubectl.live("configmap", "left", engine.namespace)


def test_row_8_bad_base64_never_reaches_the_server(engine: Engine, kubectl: Kubectl, proxy: Proxy) -> None:
    engine.write("app/all.yaml", config_map("c") + manifest("v1", "Secret", "s", data={"k": "%%hidden%%"}))
    done = engine.apply(kubeconfig=proxy.kubeconfig)
    message = " ".join([done.app.plan.error, *(a.reason for a in done.app.plan.actions)])
    assert done.app.failed
    assert "base64" in message
    assert "hidden" not in message
    assert not proxy.count("PATCH", "secrets/s")


def test_row_9_a_write_without_an_answer_ends_at_its_deadline(
    due: Engine, kubectl: Kubectl, proxy: Proxy, until: threading.Event
) -> None:
    fault = proxy.fault(WRITES, WRITE_C, silence(until))
    done = due.apply(kubeconfig=proxy.kubeconfig, request_timeout=1.0)
    assert fault.met == 2
    assert "no whole answer from" in outcome_of(done, "c").error
    assert is_held_back(done, due, kubectl)


def test_row_9_a_list_without_an_answer_blocks_the_prune(
    due: Engine, kubectl: Kubectl, proxy: Proxy, until: threading.Event
) -> None:
    proxy.fault("GET", r"/configmaps\?limit=\d+&labelSelector=.*part-of", silence(until))
    done = due.apply(kubeconfig=proxy.kubeconfig, request_timeout=1.0)
    assert "no whole answer from" in done.app.plan.prune_blocked
    assert kubectl.live("configmap", "left", due.namespace)
    assert not due.apply().app.failed
    assert kubectl.get("configmap", "left", due.namespace) is None


def test_row_9_a_server_that_says_nothing_at_all_ends_the_run(
    due: Engine, proxy: Proxy, until: threading.Event
) -> None:
    proxy.fault("GET", "", silence(until))
    with pytest.raises(DeadlineExceeded, match="no whole answer from"):
        due.apply(kubeconfig=proxy.kubeconfig, request_timeout=0.5)
    assert not proxy.writes()
