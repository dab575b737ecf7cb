# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that somebody changed by hand and that then left Git (row 84 of the list of faults)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import DriftPolicy, IgnoreRule
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Manifest, Origin
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.applyset.inventory import SetIdentity
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.desired.manifests import desired_objects
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.applied_fields import ANNOTATION
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.managed_fields import (
    FIELD_MANAGER,
)
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.manifests.bodies import plain, service, workload, write
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, manifest
from ansible_collections.plumb.gitops.tests.support.tampering.edits import (
    changes_of,
    content,
    edit,
    live_of,
    made,
    replaced,
)

POD = "/spec/template/spec"
MAIN = f"{POD}/containers/0"


HTTP, METRICS = {"name": "http", "port": 80}, {"name": "metrics", "port": 9090, "targetPort": 9090}
ENV_A, ENV_B = {"name": "A", "value": "1"}, {"name": "B", "value": "1"}


@dataclass(frozen=True, slots=True)
class Case:
    """An object, the same with less, and what somebody does to what it then lacks."""

    before: dict[str, Any]
    after: dict[str, Any]
    edits: tuple[dict[str, Any], ...]


CASES = [
    Case(plain("key", {"a": "1", "b": "2"}), plain("key", {"a": "1"}), (replaced("/data/b", "3"),)),
    Case(
        plain("label", {"a": "1"}, labels={"team": "x", "tier": "web"}),
        plain("label", {"a": "1"}, labels={"tier": "web"}),
        (replaced("/metadata/labels/team", "y"),),
    ),
    Case(
        plain("all-labels", {"a": "1"}, labels={"team": "x"}),
        plain("all-labels", {"a": "1"}),
        (replaced("/metadata/labels/team", "y"),),
    ),
    Case(
        plain("annotation", {"a": "1"}, annotations={"x/note": "x"}),
        plain("annotation", {"a": "1"}),
        (replaced("/metadata/annotations/x~1note", "y"),),
    ),
    Case(
        workload("scalar", {}, {}, minReadySeconds=5),
        workload("scalar", {}, {}),
        (replaced("/spec/minReadySeconds", 7),),
    ),
    Case(
        workload("limit", {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}, {}),
        workload("limit", {"resources": {"limits": {"memory": "1Gi"}}}, {}),
        (replaced(f"{MAIN}/resources/limits/cpu", "2"),),
    ),
    Case(
        workload("args", {"args": ["a", "b"]}, {}),
        workload("args", {}, {}),
        (replaced(f"{MAIN}/args", ["c"]),),
    ),
    Case(
        workload("value-of-item", {"env": [ENV_A, ENV_B]}, {}),
        workload("value-of-item", {"env": [ENV_B]}, {}),
        (replaced(f"{MAIN}/env/0/value", "2"),),
    ),
    Case(
        workload("item-put-back", {"env": [ENV_A, ENV_B]}, {}),
        workload("item-put-back", {"env": [ENV_B]}, {}),
        (
            {"op": "remove", "path": f"{MAIN}/env/0"},
            {"op": "add", "path": f"{MAIN}/env/-", "value": {"name": "A", "value": "9"}},
        ),
    ),
    Case(
        service("port", HTTP, METRICS), service("port", HTTP), (replaced("/spec/ports/1/targetPort", 9999),)
    ),
    Case(
        workload("probe", {"livenessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 5}}, {}),
        workload("probe", {"livenessProbe": {"tcpSocket": {"port": 80}}}, {}),
        (replaced(f"{MAIN}/livenessProbe/periodSeconds", 7),),
    ),
    Case(
        plain("finalizer", {"a": "1"}, annotations={"a": "1", "b": "1"}),
        plain("finalizer", {"a": "1"}, annotations={"a": "1"}),
        (
            replaced("/metadata/annotations/b", "2"),
            {"op": "add", "path": "/metadata/annotations/mine", "value": "mine"},
        ),
    ),
]  # fmt: skip


def test_row_84_a_field_changed_by_hand_and_then_removed_from_git_is_gone(engine: Engine) -> None:
    write(engine, [case.before for case in CASES])
    assert not engine.apply().app.failed
    for case in CASES:
        edit(engine, case.before, *case.edits)
    edited = {case.before["metadata"]["name"]: live_of(engine, case.before) for case in CASES}
    write(engine, [case.after for case in CASES])
    forecast = engine.check()
    done = engine.apply()
    assert not done.app.failed, done.app.outcomes
    assert changes_of(forecast) == changes_of(done)
    for case in CASES:
        name = case.before["metadata"]["name"]
        live = live_of(engine, case.before)
        assert content(live) == content(made(engine, case.after)), (name, edited[name])
        (action,) = (a for a in done.app.plan.actions if a.ref.name == name)
        assert action.changes, name
    assert live_of(engine, CASES[-1].before)["metadata"]["annotations"]["mine"] == "mine"  # never Git's
    again = engine.apply()
    assert (again.writes, again.verbs()) == (0, {})


def test_row_84_what_an_autoscaler_or_another_tool_holds_stays(engine: Engine, kubectl: Kubectl) -> None:
    body = workload("d", {}, {}, minReadySeconds=5, progressDeadlineSeconds=100)
    write(engine, [body, plain("c", {"a": "1", "b": "2", "e": "5"})])
    engine.apply()
    edit(engine, body, replaced("/spec/replicas", 4), manager="keda-operator")
    edit(engine, body, replaced("/spec/minReadySeconds", 6), manager="kubectl-edit")
    theirs = config_map("c", {"b": "theirs"}, namespace=engine.namespace)
    kubectl.apply(theirs, "--server-side", "--force-conflicts", "--field-manager=other")
    less = workload("d", {}, {}, progressDeadlineSeconds=100)
    del less["spec"]["replicas"]
    write(engine, [less, plain("c", {"a": "1"})])
    assert not engine.apply().app.failed
    spec = live_of(engine, body)["spec"]
    assert (spec["replicas"], spec.get("minReadySeconds")) == (4, None)
    assert live_of(engine, plain("c", {}))["data"]["b"] == "theirs"
    assert engine.apply().writes == 0


@pytest.mark.parametrize(
    "rule", [IgnoreRule(pointer="/data/b"), IgnoreRule(manager="robot")], ids=["pointer", "manager"]
)
def test_row_84_what_a_rule_leaves_to_others_stays(engine: Engine, rule: IgnoreRule) -> None:
    spec = engine.spec(ignore=(rule,))
    write(engine, [plain("c", {"a": "1", "b": "2"})])
    engine.apply(spec)
    edit(engine, plain("c", {}), replaced("/data/b", "3"), manager="robot")
    write(engine, [plain("c", {"a": "1"})])
    engine.apply(spec)
    assert live_of(engine, plain("c", {}))["data"] == {"a": "1", "b": "3"}


def test_row_84_with_drift_report_it_stays_until_the_manifest_changes(engine: Engine) -> None:
    reporting = engine.spec(drift=DriftPolicy.REPORT)
    write(engine, [plain("c", {"a": "1", "b": "2"})])
    engine.apply(reporting)
    edit(engine, plain("c", {}), replaced("/data/b", "3"))
    for _ in range(2):
        assert engine.apply(reporting).writes == 0
    assert live_of(engine, plain("c", {}))["data"]["b"] == "3"
    write(engine, [plain("c", {"a": "1"})])
    engine.apply(reporting)
    assert live_of(engine, plain("c", {}))["data"] == {"a": "1"}
    assert engine.apply(reporting).writes == 0


def test_row_84_an_edited_annotation_makes_plumb_remove_nothing_and_is_mended(engine: Engine) -> None:
    body = plain("c", {"a": "1", "b": "2"})
    write(engine, [body])
    engine.apply()
    recorded = live_of(engine, body)["metadata"]["annotations"][ANNOTATION]
    assert '"f:b"' in recorded
    assert "2" not in recorded
    forged = json.dumps({"f:data": {"f:a": {}, "f:b": {}, "f:theirs": {}}})
    path = f"/metadata/annotations/{ANNOTATION.replace('/', '~1')}"
    edit(
        engine,
        body,
        replaced(path, forged),
        {"op": "add", "path": "/data/theirs", "value": "1"},
        manager="tenant",
    )
    write(engine, [plain("c", {"a": "1"})])
    done = engine.apply()
    assert {change.path for change in done.action("ConfigMap", "c").changes} == {"data.b", "data.theirs"}
    live = live_of(engine, body)
    assert live["data"] == {"a": "1", "theirs": "1"}  # b was ours by our own entry
    assert "theirs" not in live["metadata"]["annotations"][ANNOTATION]
    edit(engine, body, replaced(path, forged), manager="tenant")
    mended = engine.apply().action("ConfigMap", "c")
    assert [change.path for change in mended.changes] == ["data.theirs"]
    assert "theirs" not in live_of(engine, body)["metadata"]["annotations"][ANNOTATION]
    assert engine.apply().writes == 0


def test_row_84_objects_without_the_annotation_are_not_written_for_it(engine: Engine) -> None:
    """What 0.1.0 applied stays as it is until its manifest changes."""
    body = plain("c", {"a": "1", "b": "2"})
    write(engine, [body])
    identity = SetIdentity("app", engine.namespace)
    with connect(ConnectionSpec(kubeconfig=engine.sandbox.kubeconfig, in_cluster=False)) as cluster:
        rendered = Manifest.of(body, Origin("app/all.json", 1))
        (wanted,) = desired_objects(engine.spec(), identity.id, [rendered], cluster.discover(), {}).wanted
        resource = cluster.discover().find("v1", "ConfigMap")
        assert resource is not None
        cluster.apply(resource, wanted.body, field_manager=FIELD_MANAGER, force=False)
    engine.apply()  # the inventory
    assert ANNOTATION not in live_of(engine, body)["metadata"]["annotations"]
    assert engine.apply().writes == 0
    assert engine.check(deep=True).verbs() == {}
    edit(engine, body, replaced("/data/b", "3"))
    write(engine, [plain("c", {"a": "1", "new": "1"})])
    engine.apply()
    live = live_of(engine, body)
    assert live["data"] == {"a": "1", "b": "3", "new": "1"}  # nothing says that it ever was Git's
    assert ANNOTATION in live["metadata"]["annotations"]
    assert engine.apply().writes == 0


def test_row_84_many_fields_are_bounded(engine: Engine) -> None:
    """An object with more fields than the annotation takes is applied without it."""
    many = {f"key-{number * 7919 % 100003:x}-{number:x}": "v" for number in range(2500)}
    write(engine, [plain("many", many), manifest_of_few()])
    assert not engine.apply().app.failed
    annotations = live_of(engine, plain("many", {}))["metadata"]["annotations"]
    assert ANNOTATION not in annotations
    write(engine, [plain("many", {**many, "more": "1"}), manifest_of_few()])
    assert not engine.apply().app.failed
    assert engine.apply().writes == 0


def manifest_of_few() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(manifest("v1", "ServiceAccount", "few").removeprefix("---\n"))
    return loaded
