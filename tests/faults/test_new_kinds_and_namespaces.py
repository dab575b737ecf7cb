# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces and kinds that come, or change, in the run that uses them: what a check says, and the run then does."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Done, Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, custom_kind, manifest


@pytest.fixture
def group() -> str:
    return f"g{uuid.uuid4().hex[:8]}.example.com"


@pytest.fixture
def space() -> str:
    return f"t-{uuid.uuid4().hex[:10]}"


TWICE = {"containers": [{"name": "m", "image": "i:1", "env": [{"name": "A", "value": "1"}] * 2}]}


def test_row_92_what_comes_into_a_new_namespace_is_unverified_in_a_check(engine: Engine, space: str) -> None:
    engine.write("app/all.yaml", manifest("v1", "Pod", "p", spec=TWICE) + config_map("c"))
    checked = engine.check(engine.spec(namespace=space, create_namespace=True))
    for kind, name in (("Pod", "p"), ("ConfigMap", "c")):
        action = checked.action(kind, name)
        assert (action.verb, action.unverified) == (Verb.CREATE, True)
        assert f"namespace {space} comes with this run" in action.reason
    assert checked.app.changed


def test_row_92_so_is_what_is_of_a_new_kind(engine: Engine, group: str) -> None:
    engine.write("app/kind.yaml", custom_kind("things", "Thing", group))
    engine.write("app/t.yaml", manifest(f"{group}/v1", "Thing", "t", spec={"a": 1}))
    action = engine.check().action("Thing", "t")
    assert (action.verb, action.unverified) == (Verb.CREATE, True)
    assert "its kind comes with this run" in action.reason
    assert not engine.apply().app.failed


def reasons(done: Done, name: str) -> str:
    (app,) = [result for result in done.result.apps if result.plan.app == name]
    assert app.failed
    assert not app.changed
    return " ".join([app.plan.error, app.error, *(action.reason for action in app.plan.actions)])


def test_row_103_a_kind_of_another_app_needs_depends_on(engine: Engine, group: str) -> None:
    engine.write("kinds/kind.yaml", custom_kind("things", "Thing", group))
    engine.write("app/t.yaml", manifest(f"{group}/v1", "Thing", "t", spec={"a": 1}))
    apps = [engine.spec("app"), engine.spec("kinds")]
    messages = [reasons(done, "app") for done in (engine.check(*apps), engine.apply(*apps))]
    assert messages[0] == messages[1]
    assert "App kinds defines it: add depends_on: [kinds] to app app" in messages[0]


def test_row_103_with_depends_on_the_check_says_so_too(engine: Engine, group: str) -> None:
    engine.write("kinds/kind.yaml", custom_kind("things", "Thing", group))
    engine.write("app/t.yaml", manifest(f"{group}/v1", "Thing", "t", spec={"a": 1}))
    apps = [engine.spec("app", depends_on=("kinds",)), engine.spec("kinds")]
    for done in (engine.check(*apps), engine.apply(*apps)):
        assert not any(app.failed for app in done.result.apps)
        assert done.action("Thing", "t").verb is Verb.CREATE


@pytest.mark.parametrize("bringing", ["manifest", "create_namespace"])
def test_row_103_a_namespace_of_another_app_needs_depends_on(
    engine: Engine, space: str, bringing: str
) -> None:
    engine.write("app/c.yaml", config_map("c", namespace=space))
    engine.write("spaces/c.yaml", config_map("d"))
    other = engine.spec("spaces", namespace=space, create_namespace=True)
    if bringing == "manifest":
        engine.write("spaces/c.yaml", manifest("v1", "Namespace", space))
        other = engine.spec("spaces")
    messages = [
        reasons(done, "app")
        for done in (engine.check(engine.spec("app"), other), engine.apply(engine.spec("app"), other))
    ]
    assert messages[0] == messages[1]
    assert "App spaces brings it: add depends_on: [spaces] to app app" in messages[0]


@pytest.mark.parametrize("name", ["Upper", "under_score", "a" * 64])
def test_row_103_the_server_says_what_is_wrong_with_a_name(engine: Engine, name: str) -> None:
    engine.write("app/c.yaml", config_map("c"))
    app = engine.spec(namespace=name, create_namespace=True)
    messages = [reasons(done, "app") for done in (engine.check(app), engine.apply(app))]
    assert messages[0] == messages[1]
    assert "metadata.name: Invalid value" in messages[0]


def definition(group: str, fields: tuple[str, ...], versions: tuple[str, ...]) -> str:
    properties = {name: {"type": "integer"} for name in fields}
    spec = {"type": "object", "properties": properties}
    crd = json.loads(custom_kind("things", "Thing", group, versions).removeprefix("---\n"))
    for version in crd["spec"]["versions"]:
        version["schema"] = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return json.dumps(crd)


def thing(group: str, version: str, **spec: int) -> str:
    return manifest(f"{group}/{version}", "Thing", "t", spec=spec)


# fields and versions of the kind before and then; the object before and then
SHAPES: dict[str, tuple[Any, Any, Any, Any]] = {
    "a new field": ((("a",), ("v1",)), (("a", "b"), ("v1",)), ("v1", {"a": 1}), ("v1", {"a": 1, "b": 2})),
    "a new version": ((("a",), ("v1",)), (("a",), ("v1", "v2")), ("v1", {"a": 1}), ("v2", {"a": 2})),
    "both": ((("a",), ("v1",)), (("a", "b"), ("v1", "v2")), ("v1", {"a": 1}), ("v2", {"a": 1, "b": 2})),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("apart", [False, True])
def test_row_86_a_kind_and_what_uses_its_change_come_in_one_run(
    engine: Engine, kubectl: Kubectl, group: str, name: str, *, apart: bool
) -> None:
    before, then, was, becomes = SHAPES[name]
    where = "kinds" if apart else "app"
    apps = (
        [engine.spec("kinds"), engine.spec("app", depends_on=("kinds",))] if apart else [engine.spec("app")]
    )
    engine.write(f"{where}/kind.yaml", definition(group, *before))
    engine.write("app/t.yaml", thing(group, was[0], **was[1]))
    assert not any(app.failed for app in engine.apply(*apps).result.apps)
    uid = kubectl.live(f"things.{group}", "t", engine.namespace)["metadata"]["uid"]
    engine.write(f"{where}/kind.yaml", definition(group, *then))
    engine.write("app/t.yaml", thing(group, becomes[0], **becomes[1]))
    checked = engine.check(*apps)
    assert not any(app.failed for app in checked.result.apps)
    planned = checked.action("Thing", "t")
    assert (planned.verb, planned.unverified) == (Verb.UPDATE, True)
    done = engine.apply(*apps)
    assert not any(app.failed for app in done.result.apps), done.result.apps
    live = kubectl.live(f"things.{group}", "t", engine.namespace)
    assert (live["spec"], live["metadata"]["uid"]) == (becomes[1], uid)
    assert engine.apply(*apps).writes == 0


def test_row_86_an_object_that_is_new_is_said_to_be_new(engine: Engine, group: str) -> None:
    engine.write("app/kind.yaml", definition(group, ("a",), ("v1",)))
    engine.apply()
    engine.write("app/kind.yaml", definition(group, ("a", "b"), ("v1", "v2")))
    engine.write("app/t.yaml", thing(group, "v2", b=1))
    planned = engine.check().action("Thing", "t")
    assert (planned.verb, planned.unverified) == (Verb.CREATE, True)
    assert not engine.apply().app.failed


def test_row_87_a_claim_that_waits_for_its_first_pod_is_waited_for_by_nobody(
    engine: Engine, kubectl: Kubectl
) -> None:
    late = {"provisioner": "example.com/none", "volumeBindingMode": "WaitForFirstConsumer"}
    at_once = {**late, "volumeBindingMode": "Immediate"}
    for name, spec in (("late", late), ("at-once", at_once)):
        kubectl.apply(manifest("storage.k8s.io/v1", "StorageClass", f"{engine.namespace}-{name}", **spec))
        claim = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": f"{engine.namespace}-{name}",
        }
        engine.write(f"{name}/claim.yaml", manifest("v1", "PersistentVolumeClaim", name, spec=claim))
    done = engine.apply(engine.spec("late", wait=True))
    assert not done.app.failed, done.app.unhealthy
    assert any("bound when the first Pod uses it" in warning for warning in done.app.plan.warnings)
    assert engine.apply(engine.spec("at-once", wait=True, timeout=1.0)).app.unhealthy
    for name in ("late", "at-once"):
        kubectl("delete", "storageclass", f"{engine.namespace}-{name}")


def test_row_87_a_job_that_its_ttl_removes_while_it_is_awaited_is_done(engine: Engine) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example.com/app:1"}]}
    spec = {"ttlSecondsAfterFinished": 0, "template": {"spec": pod}}
    engine.write("app/j.yaml", manifest("batch/v1", "Job", "j", spec=spec))
    done = engine.apply(engine.spec(wait=True, timeout=60.0))
    assert not done.app.failed, done.app.unhealthy
    assert engine.apply(engine.spec(wait=True)).writes == 0
