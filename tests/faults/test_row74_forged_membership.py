# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may patch an object gains no delete by it: labels, field managers and parents prove nothing (row 74)."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AppState, PruneLimit
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Done, Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, manifest

LABEL = "applyset.kubernetes.io/part-of"


@pytest.fixture
def tenant(kubectl: Kubectl, sandbox: Sandbox, engine: Engine) -> Kubectl:
    """Somebody who may do all but delete, in the app's namespace and in one beside it."""
    kubectl("create", "namespace", beside(engine))
    for place in (engine.namespace, beside(engine)):
        kubectl.apply(
            manifest(
                "rbac.authorization.k8s.io/v1",
                "Role",
                "no-delete",
                metadata={"namespace": place},
                rules=[
                    {
                        "apiGroups": ["", "apps"],
                        "resources": ["*"],
                        "verbs": ["get", "list", "create", "patch", "update"],
                    }
                ],
            )
        )
        kubectl("create", "rolebinding", "no-delete", "-n", place, "--role=no-delete", "--user=tenant")
    return Kubectl(sandbox.kubeconfig_of("tenant"))


def beside(engine: Engine) -> str:
    return f"{engine.namespace}-b"


def set_id(kubectl: Kubectl, engine: Engine) -> str:
    return str(kubectl.live("configmap", "c", engine.namespace)["metadata"]["labels"][LABEL])


def forge(tenant: Kubectl, text: str) -> None:
    tenant.apply(text, "--server-side", "--force-conflicts", "--field-manager=plumb")


def unrecorded(done: Done) -> list[str]:
    return [warning for warning in done.app.plan.warnings if "confirm_members" in warning]


def confirmation(done: Done) -> str:
    (warning,) = unrecorded(done)
    match = re.search(r"confirm_members: ([0-9a-f]+)", warning)
    assert match, warning
    return match[1]


@pytest.mark.parametrize("hints", [False, True], ids=["forged", "forged, with the parent's hints"])
def test_row_74_what_a_tenant_applies_in_our_name_is_neither_pruned_nor_counted(
    engine: Engine, kubectl: Kubectl, tenant: Kubectl, *, hints: bool
) -> None:
    twelve = "".join(config_map(f"c{n}") for n in range(12))
    engine.write("app/all.yaml", config_map("c") + twelve)
    engine.apply()
    ours = {LABEL: set_id(kubectl, engine)}
    for place in (engine.namespace, beside(engine)):
        kubectl("create", "serviceaccount", "foreign", "-n", place)
        foreign = manifest("v1", "ServiceAccount", "foreign", metadata={"namespace": place, "labels": ours})
        forge(
            tenant, foreign + "".join(config_map(f"more{n}", namespace=place, labels=ours) for n in range(8))
        )
    if hints:
        annotations = {
            "applyset.kubernetes.io/contains-group-kinds": "ConfigMap,ServiceAccount",
            "applyset.kubernetes.io/additional-namespaces": beside(engine),
        }
        patch = json.dumps({"metadata": {"annotations": annotations}})
        tenant("patch", "configmap", "plumb-app", "-n", engine.namespace, "-p", patch)
    for _run in range(2):
        done = engine.apply()
        assert not done.app.failed
        assert not done.verbs()
        assert len(unrecorded(done)) == 1
    engine.write("app/all.yaml", config_map("c") + config_map("c0"))
    held = engine.apply()
    assert "11 of 13 objects" in held.app.plan.prune_blocked, "what is forged does not count"
    assert not engine.apply(engine.spec(prune_limit=PruneLimit(100))).app.failed
    assert not engine.apply(engine.spec(state=AppState.ABSENT)).app.failed
    for place in (engine.namespace, beside(engine)):
        assert kubectl.live("serviceaccount", "foreign", place)
        assert kubectl.live("configmap", "more7", place)
    assert kubectl.get("configmap", "c", engine.namespace) is None


def test_row_74_a_parent_that_a_tenant_deletes_or_edits_makes_nothing_ours(
    engine: Engine, kubectl: Kubectl, tenant: Kubectl
) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.apply()
    kubectl("create", "configmap", "foreign", "-n", engine.namespace)
    forge(tenant, config_map("foreign", namespace=engine.namespace, labels={LABEL: set_id(kubectl, engine)}))
    kubectl("delete", "configmap", "plumb-app", "-n", engine.namespace)
    engine.write("app/all.yaml", config_map("c"))
    assert engine.apply().verbs() == {}, "nothing is pruned in a run that rebuilds the inventory"
    done = engine.apply()
    assert done.verbs() == {f"ConfigMap {engine.namespace}/left": Verb.PRUNE}
    assert kubectl.live("configmap", "foreign", engine.namespace)
    assert unrecorded(engine.apply())


def test_row_74_a_forged_object_that_git_then_has_is_not_taken_over_unasked(
    engine: Engine, kubectl: Kubectl, tenant: Kubectl
) -> None:
    engine.write("app/all.yaml", config_map("c"))
    engine.apply()
    kubectl("create", "configmap", "foreign", "-n", beside(engine), "--from-literal=a=theirs")
    ours = {LABEL: set_id(kubectl, engine)}
    engine.write("app/all.yaml", config_map("c") + config_map("foreign", namespace=beside(engine)))
    for label in ({}, ours):  # with our field manager alone, and with the label
        forge(tenant, config_map("foreign", {"a": "theirs"}, namespace=beside(engine), labels=label))
        done = engine.apply()
        assert done.action("ConfigMap", "foreign").verb is Verb.REFUSED
        assert "adopt: true" in done.action("ConfigMap", "foreign").reason
    engine.write("app/all.yaml", config_map("c"))
    engine.apply(engine.spec(prune_limit=PruneLimit(100)))
    assert kubectl.live("configmap", "foreign", beside(engine))["data"] == {"a": "theirs"}


def lose_record(kubectl: Kubectl, engine: Engine) -> None:
    kubectl("delete", "configmap", f"plumb-members.{engine.namespace}.app", "-n", "plumb-system")


def lose_both(kubectl: Kubectl, engine: Engine) -> None:
    lose_record(kubectl, engine)
    kubectl("delete", "configmap", "plumb-app", "-n", engine.namespace)


@pytest.mark.parametrize("lose", [lose_record, lose_both])
@pytest.mark.parametrize("state", [AppState.PRESENT, AppState.ABSENT])
def test_row_74_after_a_loss_what_git_does_not_have_is_reported_until_the_operator_confirms(
    engine: Engine, kubectl: Kubectl, lose: Callable[[Kubectl, Engine], None], state: AppState
) -> None:
    engine.write("app/all.yaml", config_map("c") + manifest("v1", "ServiceAccount", "left"))
    engine.apply()
    lose(kubectl, engine)
    engine.write("app/all.yaml", config_map("c"))
    for _run in range(2):
        done = engine.apply()
        assert not done.app.failed
        assert not done.verbs()
        assert f"ServiceAccount {engine.namespace}/left" in unrecorded(done)[0]
    assert engine.apply(engine.spec(confirm_members="0123456789abcdef")).verbs() == {}
    if state is AppState.ABSENT:
        absent = engine.apply(engine.spec(state=state))
        assert absent.verbs() == {f"ConfigMap {engine.namespace}/c": Verb.PRUNE}
        done = engine.apply(engine.spec(state=state))
    assert kubectl.live("serviceaccount", "left", engine.namespace)
    confirmed = engine.spec(state=state, confirm_members=confirmation(done))
    assert engine.check(confirmed).verbs() == {f"ServiceAccount {engine.namespace}/left": Verb.PRUNE}
    assert not engine.apply(confirmed).app.failed
    assert kubectl.get("serviceaccount", "left", engine.namespace) is None
    assert engine.apply(confirmed).writes == 0
    if state is AppState.ABSENT:
        assert kubectl.get("configmap", "plumb-app", engine.namespace) is None
        assert kubectl.get("configmap", f"plumb-members.{engine.namespace}.app", "plumb-system") is None


def test_row_74_the_record_has_names_and_no_app_may_write_it(engine: Engine, kubectl: Kubectl) -> None:
    values = manifest("v1", "Secret", "s", stringData={"password": "hunter2"})
    engine.write("app/all.yaml", config_map("c") + values)
    engine.apply()
    record = kubectl.live("configmap", f"plumb-members.{engine.namespace}.app", "plumb-system")
    text = gzip.decompress(base64.b64decode(record["binaryData"]["members.json.gz"])).decode()
    assert {tuple(row[:4]) for row in json.loads(text)["members"]} == {
        ("", "ConfigMap", engine.namespace, "c"),
        ("", "Secret", engine.namespace, "s"),
    }
    digest = kubectl.live("secret", "s", engine.namespace)["metadata"]["annotations"]["plumb.gitops/manifest"]
    assert digest[:16] not in text, "on a Secret's digest guesses of its values could be tried"
    for name in (f"plumb-members.{engine.namespace}.app", "plumb-members.other.app"):
        engine.write("evil/all.yaml", config_map(name, namespace="plumb-system"))
        done = engine.apply(
            engine.spec(), engine.spec("evil", adopt=True, force_conflicts=True), only=["evil"]
        )
        (action,) = done.app.plan.actions
        assert action.verb is Verb.REFUSED
        assert "record of what apps have" in action.reason


def test_row_74_a_quiet_run_reads_no_record(engine: Engine) -> None:
    for name in ("a", "b", "c"):
        engine.write(f"{name}/all.yaml", config_map(name))
    apps = [engine.spec(name) for name in ("a", "b", "c")]
    engine.apply(*apps)
    single, three = engine.apply(*apps, only=["a"]), engine.apply(*apps)
    assert single.writes == three.writes == 0
    assert single.reads == three.reads
    engine.write("b/all.yaml", config_map("b", {"a": "2"}))
    changed = engine.apply(*apps)
    assert changed.reads == three.reads + 1, "one LIST has the records of all apps"


@pytest.mark.parametrize("how", ["deleted", "emptied"])
def test_row_74_a_parent_that_says_nothing_lets_no_empty_rendering_prune(
    engine: Engine, kubectl: Kubectl, how: str
) -> None:
    engine.write("app/all.yaml", config_map("c"))
    engine.apply()
    if how == "deleted":
        kubectl("delete", "configmap", "plumb-app", "-n", engine.namespace)
    else:
        names = ("applyset.kubernetes.io/contains-group-kinds", "plumb.gitops/names")
        patch = json.dumps({"metadata": {"annotations": dict.fromkeys(names, "")}})
        kubectl("patch", "configmap", "plumb-app", "-n", engine.namespace, "-p", patch)
    engine.write("app/all.yaml", "# nothing\n")
    for _run in range(2):
        done = engine.apply()
        assert "would prune all of the app" in done.app.plan.error
        assert done.writes == 0
    assert kubectl.live("configmap", "c", engine.namespace)
