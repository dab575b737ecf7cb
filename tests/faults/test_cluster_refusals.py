# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster does not take: missing and ending namespaces, 422s (rows 35-37 of the list of faults)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Result, Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.faults.proxy import Proxy
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, deployment, manifest

HELD = json.dumps({"metadata": {"finalizers": ["plumb.test/held"]}})
RELEASED = json.dumps({"metadata": {"finalizers": None}})


@pytest.fixture
def new_namespace(kubectl: Kubectl) -> Iterator[str]:
    """The name of a namespace that is not there yet; it goes away afterwards."""
    name = f"n-{uuid.uuid4().hex[:10]}"
    yield name
    kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def test_row_35_a_missing_namespace_is_a_clear_error(
    engine: Engine, kubectl: Kubectl, new_namespace: str
) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("d", namespace=new_namespace))
    for done in (engine.check(), engine.apply()):
        action = done.action("ConfigMap", "d")
        assert action.verb is Verb.REFUSED
        assert f"namespace {new_namespace} is missing (app/all.yaml:" in action.reason
        assert "create_namespace: true" in action.reason
        assert done.app.failed
    assert kubectl.live("configmap", "c", engine.namespace)
    assert kubectl.get("namespace", new_namespace) is None


def test_row_35_a_namespace_in_git_comes_first(engine: Engine, kubectl: Kubectl, new_namespace: str) -> None:
    space = manifest("v1", "Namespace", new_namespace)
    engine.write("app/all.yaml", config_map("a", namespace=new_namespace) + space)
    checked = engine.check()
    assert not checked.app.failed
    assert checked.writes == 0
    assert not engine.apply().app.failed
    assert kubectl.live("configmap", "a", new_namespace)
    assert engine.apply().writes == 0


def test_row_35_a_namespace_that_one_app_says_and_others_create_is_as_it_is_said(
    engine: Engine, kubectl: Kubectl, new_namespace: str
) -> None:
    metadata = {"name": new_namespace, "labels": {"team": "x"}}
    engine.write("a/ns.yaml", manifest("v1", "Namespace", new_namespace, metadata=metadata))
    others = [engine.spec(name, namespace=new_namespace, create_namespace=True) for name in "bcde"]
    for other in others:
        engine.write(f"{other.name}/c.yaml", config_map(other.name))
    apps = [*others[:2], engine.spec("a"), *others[2:]]
    assert not any(app.failed for app in engine.apply(*apps).result.apps)
    assert kubectl.live("namespace", new_namespace)["metadata"]["labels"]["team"] == "x"
    assert engine.apply(*apps).writes == 0


def test_row_35_create_namespace_makes_it_and_never_prunes_it(
    engine: Engine, kubectl: Kubectl, new_namespace: str
) -> None:
    engine.write("app/all.yaml", config_map("a") + config_map("b"))
    engine.write("wide/all.yaml", manifest("rbac.authorization.k8s.io/v1", "ClusterRole", new_namespace))
    homeless, wide = engine.spec(namespace=new_namespace), engine.spec("wide", namespace=new_namespace)
    for done in (engine.check(homeless), engine.apply(homeless), engine.apply(homeless), engine.apply(wide)):
        assert done.writes == 0
        assert f"its namespace {new_namespace} is missing." in done.app.plan.error
        assert "create_namespace: true" in done.app.plan.error
    assert kubectl.get("namespace", new_namespace) is None
    app = engine.spec(namespace=new_namespace, create_namespace=True)
    assert not engine.check(app).app.failed
    assert not engine.apply(app).app.failed
    assert kubectl.live("configmap", "a", new_namespace)
    assert engine.apply(app).writes == 0
    engine.write("app/all.yaml", "")
    emptied = engine.spec(namespace=new_namespace, create_namespace=True, allow_empty=True)
    assert not engine.apply(emptied).app.failed
    assert kubectl.get("configmap", "a", new_namespace) is None
    assert "deletionTimestamp" not in kubectl.live("namespace", new_namespace)["metadata"]


def test_row_35_a_namespace_of_another_app_of_the_run_is_waited_for(
    engine: Engine, kubectl: Kubectl, new_namespace: str
) -> None:
    engine.write("spaces/all.yaml", manifest("v1", "Namespace", new_namespace))
    engine.write("app/all.yaml", config_map("a"))
    apps = engine.spec("spaces"), engine.spec(namespace=new_namespace, depends_on=("spaces",))
    assert not any(app.failed for app in engine.check(*apps).result.apps)
    assert not any(app.failed for app in engine.apply(*apps).result.apps)
    assert kubectl.live("configmap", "a", new_namespace)


@pytest.fixture
def ending(engine: Engine, kubectl: Kubectl, new_namespace: str) -> Iterator[str]:
    """A namespace with an applied app, that is being deleted and cannot end: a finalizer holds a ConfigMap in it."""
    kubectl("create", "namespace", new_namespace)
    engine.write("app/all.yaml", config_map("c") + config_map("b"))
    engine.apply(engine.spec(namespace=new_namespace))
    kubectl("create", "configmap", "held", "-n", new_namespace)
    kubectl("patch", "configmap", "held", "-n", new_namespace, "-p", HELD)
    kubectl("delete", "namespace", new_namespace, "--wait=false")
    kubectl("delete", "configmap", "b", "-n", new_namespace, "--ignore-not-found")
    yield new_namespace
    kubectl("patch", "configmap", "held", "-n", new_namespace, "-p", RELEASED)


def test_row_36_an_ending_namespace_is_named_and_costs_few_requests(
    engine: Engine, ending: str, proxy: Proxy
) -> None:
    app = engine.spec(namespace=ending)
    for done in (engine.check(app), engine.apply(app, kubeconfig=proxy.kubeconfig)):
        message = " ".join([done.app.error, *(a.reason for a in done.app.plan.actions)])
        message += " ".join(outcome.error for outcome in done.app.outcomes)
        assert done.app.failed
        assert "being terminated" in message
    assert len(proxy.asked) < 300
    assert len(proxy.writes()) <= 6


def test_row_36_an_ending_object_is_waited_for_and_then_made_anew(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("d"))
    engine.apply()
    kubectl("patch", "configmap", "c", "-n", engine.namespace, "-p", HELD)
    kubectl("delete", "configmap", "c", "-n", engine.namespace, "--wait=false")
    before = kubectl.live("configmap", "c", engine.namespace)["metadata"]["uid"]
    engine.write("app/all.yaml", config_map("c") + config_map("d", {"a": "2"}))
    checked = engine.check().action("ConfigMap", "c")
    assert checked.verb is Verb.CREATE
    assert "being deleted" in checked.reason
    done = engine.apply(engine.spec(timeout=2.0, wait=True), kubeconfig=proxy.kubeconfig)
    (outcome,) = (o for o in done.app.outcomes if o.action.ref.name == "c")
    assert outcome.result is Result.FAILED
    assert "finalizers" in outcome.error
    # Waiting has one end, the app's timeout: looks about twice a second, and no second round.
    assert proxy.count("GET", "configmaps/c") <= 8
    assert kubectl.live("configmap", "d", engine.namespace)["data"] == {"a": "2"}
    kubectl("patch", "configmap", "c", "-n", engine.namespace, "-p", RELEASED)
    assert not engine.apply(engine.spec(wait=True)).app.failed
    assert kubectl.live("configmap", "c", engine.namespace)["metadata"]["uid"] != before


def test_row_36_a_pruned_object_that_is_ending_is_not_deleted_again(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.apply()
    kubectl("patch", "configmap", "left", "-n", engine.namespace, "-p", HELD)
    engine.write("app/all.yaml", config_map("c"))
    assert not engine.apply().app.failed
    assert "deletionTimestamp" in kubectl.live("configmap", "left", engine.namespace)["metadata"]
    again = engine.apply(kubeconfig=proxy.kubeconfig)
    assert not proxy.count("DELETE", "left")
    assert "being deleted" in again.action("ConfigMap", "left").reason
    kubectl("patch", "configmap", "left", "-n", engine.namespace, "-p", RELEASED)
    assert engine.apply().writes == 0


SERVICE: dict[str, Any] = {"selector": {"app": "s"}, "ports": [{"port": 80}]}
RBAC = "rbac.authorization.k8s.io"


def job(image: str) -> str:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]}
    return manifest("batch/v1", "Job", "d", spec={"template": {"spec": pod}})


def binding(role: str) -> str:
    to = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
    return manifest(f"{RBAC}/v1", "RoleBinding", "d", roleRef=to)


def stateful_set(service: str) -> str:
    whole = deployment("d", serviceName=service)
    return whole.replace('"Deployment"', '"StatefulSet"')


# By kind, what Git says before and after.
IMMUTABLE = {
    "deployment": (deployment("d"), deployment("d", app="other")),
    "service": (
        manifest("v1", "Service", "d", spec=SERVICE),
        manifest("v1", "Service", "d", spec={**SERVICE, "clusterIP": "None"}),
    ),
    "configmap": (
        manifest("v1", "ConfigMap", "d", data={"a": "1"}, immutable=True),
        manifest("v1", "ConfigMap", "d", data={"a": "2"}, immutable=True),
    ),
    "secret": (
        manifest("v1", "Secret", "d", data={"a": "MQ=="}, immutable=True),
        manifest("v1", "Secret", "d", data={"a": "Mg=="}, immutable=True),
    ),
    "job": (job("x:1"), job("x:2")),
    "rolebinding": (binding("view"), binding("edit")),
    "statefulset": (stateful_set("one"), stateful_set("two")),
}


@pytest.mark.parametrize("kind", IMMUTABLE)
def test_row_37_an_immutable_field_is_recreated_only_where_allowed(
    engine: Engine, kubectl: Kubectl, kind: str
) -> None:
    before, after = IMMUTABLE[kind]
    engine.write("app/all.yaml", before)
    assert not engine.apply().app.failed
    uid = kubectl.live(kind, "d", engine.namespace)["metadata"]["uid"]
    engine.write("app/all.yaml", after)
    (refused,) = engine.apply().app.plan.actions
    assert refused.verb is Verb.REFUSED
    assert "recreate: true" in refused.reason
    assert kubectl.live(kind, "d", engine.namespace)["metadata"]["uid"] == uid
    recreating = engine.spec(recreate=True)
    (planned,) = engine.check(recreating).app.plan.actions
    assert planned.verb is Verb.RECREATE
    done = engine.apply(recreating)
    assert not done.app.failed
    assert kubectl.live(kind, "d", engine.namespace)["metadata"]["uid"] != uid
    assert engine.apply(recreating).writes == 0


def test_row_37_a_422_that_recreating_would_not_mend_never_recreates(
    engine: Engine, kubectl: Kubectl
) -> None:
    engine.write("app/all.yaml", deployment("d", replicas=1) + config_map("c"))
    engine.apply()
    uids = {
        kind: kubectl.live(kind, name, engine.namespace)["metadata"]["uid"]
        for kind, name in (("deployment", "d"), ("configmap", "c"))
    }
    invalid = deployment("d", replicas=-1) + config_map("c", {"a": "x" * (1024 * 1024 + 1)})
    engine.write("app/all.yaml", invalid)
    done = engine.apply(engine.spec(recreate=True))
    reasons = {action.ref.kind: action.reason for action in done.app.plan.actions}
    assert {action.verb for action in done.app.plan.actions} == {Verb.REFUSED}
    assert "spec.replicas" in reasons["Deployment"]
    assert "Too long" in reasons["ConfigMap"] or "must have at most" in reasons["ConfigMap"]
    for kind, name in (("deployment", "d"), ("configmap", "c")):
        assert kubectl.live(kind, name, engine.namespace)["metadata"]["uid"] == uids[kind]


def test_row_37_immutable_and_invalid_at_once_is_not_recreated(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/all.yaml", deployment("d", replicas=1))
    engine.apply()
    uid = kubectl.live("deployment", "d", engine.namespace)["metadata"]["uid"]
    engine.write("app/all.yaml", deployment("d", app="other", replicas=-1))
    done = engine.apply(engine.spec(recreate=True))
    assert done.app.failed
    assert kubectl.live("deployment", "d", engine.namespace)["metadata"]["uid"] == uid


def test_row_37_a_protected_kind_is_recreated_only_with_consent(engine: Engine, kubectl: Kubectl) -> None:
    def claim(size: str, mode: str) -> str:
        spec = {"accessModes": [mode], "resources": {"requests": {"storage": size}}}
        return manifest("v1", "PersistentVolumeClaim", "p", spec=spec)

    engine.write("app/all.yaml", claim("1Gi", "ReadWriteOnce"))
    engine.apply()
    uid = kubectl.live("pvc", "p", engine.namespace)["metadata"]["uid"]
    engine.write("app/all.yaml", claim("1Gi", "ReadWriteMany"))
    (refused,) = engine.apply(engine.spec(recreate=True)).app.plan.actions
    assert refused.verb is Verb.REFUSED
    assert "plumb.gitops/prune=enabled" in refused.reason
    assert kubectl.live("pvc", "p", engine.namespace)["metadata"]["uid"] == uid
