# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that a controller decides by contract (row 82 of the list of faults)."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import IgnoreRule
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.forecasts import forecast, happened
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.manifests.bodies import plain, workload, write
from ansible_collections.plumb.gitops.tests.support.tampering.edits import edit, live_of, replaced

RBAC = "rbac.authorization.k8s.io/v1"


@pytest.fixture
def name(kubectl: Kubectl) -> Iterator[str]:
    """A name for cluster-wide objects, which are removed afterwards."""
    drawn = f"row-82-{uuid.uuid4().hex[:8]}"
    yield drawn
    for kind in ("clusterrole", "validatingwebhookconfiguration"):
        kubectl("delete", kind, drawn, f"{drawn}-part", "--ignore-not-found")


def role(name: str, **content: Any) -> dict[str, Any]:
    return {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": name}, **content}


RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
OTHER = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}


@pytest.mark.parametrize("rules", [{}, {"rules": []}, {"rules": None}, {"rules": [OTHER]}], ids=str)
def test_row_82_the_rules_of_an_aggregated_role_are_the_controllers(
    engine: Engine, name: str, rules: dict[str, Any]
) -> None:
    """Its real controller fills them in, by a server-side apply of its own."""
    selector = {"clusterRoleSelectors": [{"matchLabels": {"aggregate": name}}]}
    part = role(f"{name}-part", rules=[RULE])
    part["metadata"]["labels"] = {"aggregate": name}
    whole = role(name, aggregationRule=selector, **rules)
    write(engine, [whole, part])
    assert not engine.apply().app.failed
    while live_of(engine, whole).get("rules") != [RULE]:
        time.sleep(0.05)
    for done in (engine.apply(), engine.apply(), engine.check(deep=True)):
        assert (done.writes, done.verbs(), done.app.failed, done.app.drifted) == (0, {}, False, False)
        assert "force_conflicts" not in str(done.app)
    assert live_of(engine, whole)["rules"] == [RULE]
    write(engine, [role(name, rules=[OTHER]), part])  # the rules are Git's again
    assert not engine.apply().app.failed
    assert live_of(engine, whole)["rules"] == [OTHER]
    assert engine.apply().writes == 0


def webhook(name: str, **client: str) -> dict[str, Any]:
    hook = {
        "name": "hook.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "clientConfig": {"service": {"name": "s", "namespace": "row-82-nowhere"}, **client},
        "rules": [
            {
                "apiGroups": ["row82.example.com"],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["x"],
            }
        ],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name, "annotations": {"cert-manager.io/inject-ca-from": "x/y"}},
        "webhooks": [hook],
    }


REPLICAS = "/spec/replicas"
# What a manifest says, and the app leaves to others by which rules: where it stands once Plumb has adopted the object.
LEFT: dict[str, tuple[Callable[[str], dict[str, Any]], tuple[IgnoreRule, ...], str]] = {
    "the bundle of a webhook": (lambda name: webhook(name, caBundle="Cg=="), (), "webhooks"),
    "the rules of an aggregated role": (
        lambda name: role(name, aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"x": name}}]}, rules=[]),
        (),
        "rules",
    ),
    "replicas by a pointer": (
        lambda _name: workload("left", {}, {}, replicas=3), (IgnoreRule(pointer=REPLICAS),), "spec"),
    "replicas of a manager": (
        lambda _name: workload("left", {}, {}, replicas=3),
        (IgnoreRule(pointer=REPLICAS, manager="*"),), "spec"),
    "a container": (
        lambda _name: workload("left", {}, {"containers": [{"name": n, "image": n} for n in ("one", "two")]}),
        (IgnoreRule(pointer="/spec/template/spec/containers/name=two"),), "spec"),
    "labels": (
        lambda _name: plain("left", {"a": "1"}, labels={"team": "web", "tier": "x"}),
        (IgnoreRule(pointer="/metadata/labels"),), "data"),
}  # fmt: skip


@pytest.mark.parametrize("by", ["kubectl apply", "kubectl apply --server-side", "helm"])
@pytest.mark.parametrize("what", LEFT)
def test_row_82_what_is_left_to_others_stays_when_an_object_is_adopted(
    engine: Engine, kubectl: Kubectl, name: str, what: str, by: str
) -> None:
    make, rules, part = LEFT[what]
    body = make(name)
    text = json.dumps(body)
    if by == "helm":
        kubectl("create", "--field-manager=helm", "-n", engine.namespace, "-f", "-", stdin=text)
    else:
        kubectl("apply", *by.split()[2:], "-n", engine.namespace, "-f", "-", stdin=text)
    spec = engine.spec(adopt=True, ignore=rules)
    write(engine, [body])
    before = live_of(engine, body)
    expected = forecast(engine.check(spec).action(body["kind"], body["metadata"]["name"]))
    assert not engine.apply(spec).app.failed
    after = live_of(engine, body)
    assert after[part] == before[part]
    assert before["metadata"].get("labels", {}).items() <= after["metadata"]["labels"].items()
    assert expected == happened(before, after)
    for done in (engine.apply(spec), engine.check(spec, deep=True)):
        assert (done.writes, done.verbs(), done.app.failed, done.app.drifted) == (0, {}, False, False)


@pytest.mark.parametrize("in_git", [{}, {"caBundle": ""}, {"caBundle": "Cg=="}], ids=str)
def test_row_82_an_injected_ca_is_the_injectors(engine: Engine, name: str, in_git: dict[str, str]) -> None:
    """cert-manager's cainjector, whose update the test makes; without its annotation the field is Git's."""
    body = webhook(name, **in_git)
    write(engine, [body])
    assert not engine.apply().app.failed
    injected = {"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "aW5qZWN0ZWQ="}
    edit(engine, body, injected, manager="cainjector")
    for _ in range(2):
        done = engine.apply()
        assert (done.writes, done.verbs(), done.app.drifted) == (0, {}, False)
    assert live_of(engine, body)["webhooks"][0]["clientConfig"]["caBundle"] == "aW5qZWN0ZWQ="


def test_row_82_what_the_server_allocates_is_no_drift_where_git_says_it_empty(engine: Engine) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"clusterIP": "", "selector": {"app": "s"}, "ports": [{"port": 80}]},
    }
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "a"},
        "secrets": [],
        "imagePullSecrets": [],
    }
    write(engine, [service, account])
    assert not engine.apply().app.failed
    address = live_of(engine, service)["spec"]["clusterIP"]
    assert address
    edit(engine, service, replaced("/spec/ports/0/port", 81))
    assert engine.apply().action("Service", "s").verb is Verb.UPDATE
    engine.apply()
    done = engine.apply()
    assert (done.writes, done.verbs(), done.app.drifted) == (0, {}, False)
    assert live_of(engine, service)["spec"]["clusterIP"] == address
