# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to which app, and who says so (rows 16 and 26-33 of the list of faults)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AppState
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Result, Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, manifest

LABEL = "applyset.kubernetes.io/part-of"


def uid(kubectl: Kubectl, name: str, namespace: str) -> str:
    return str(kubectl.live("configmap", name, namespace)["metadata"]["uid"])


def test_row_16_a_conflict_with_another_applier_is_named_and_forced_only_where_told(
    engine: Engine, kubectl: Kubectl
) -> None:
    engine.write("app/all.yaml", config_map("c", {"a": "1", "b": "1"}) + config_map("d"))
    engine.apply()
    theirs = config_map("c", {"a": "theirs"}, namespace=engine.namespace)
    kubectl.apply(theirs, "--server-side", "--force-conflicts", "--field-manager=other")
    engine.write("app/all.yaml", config_map("c", {"a": "1", "b": "1"}) + config_map("d", {"a": "2"}))
    done = engine.apply()
    action = done.action("ConfigMap", "c")
    assert action.verb is Verb.REFUSED
    assert "other claims data.a" in action.reason
    assert "force_conflicts: true" in action.reason
    assert done.app.failed
    assert kubectl.live("configmap", "c", engine.namespace)["data"]["a"] == "theirs"
    assert kubectl.live("configmap", "d", engine.namespace)["data"] == {"a": "2"}
    forcing = engine.spec(force_conflicts=True)
    assert not engine.apply(forcing).app.failed
    assert kubectl.live("configmap", "c", engine.namespace)["data"]["a"] == "1"
    assert engine.apply().writes == 0


@pytest.fixture
def undeletable(kubectl: Kubectl, engine: Engine) -> Iterator[str]:
    """A policy that denies to delete ConfigMaps of the test's namespace that are named `left`; its name."""
    name = f"deny-{uuid.uuid4().hex[:8]}"
    group = "admissionregistration.k8s.io/v1"
    rules = [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["configmaps"]}
    ]
    here = {"matchLabels": {"kubernetes.io/metadata.name": engine.namespace}}
    kubectl.apply(
        manifest(
            group,
            "ValidatingAdmissionPolicy",
            name,
            spec={
                "matchConstraints": {"resourceRules": rules, "namespaceSelector": here},
                "validations": [
                    {"expression": "oldObject.metadata.name != 'left'", "message": "left is kept"}
                ],
            },
        )
        + manifest(
            group,
            "ValidatingAdmissionPolicyBinding",
            name,
            spec={"policyName": name, "validationActions": ["Deny"]},
        )
    )
    yield name
    kubectl("delete", "validatingadmissionpolicybinding", name, "--ignore-not-found")
    kubectl("delete", "validatingadmissionpolicy", name)


def denied(kubectl: Kubectl, namespace: str) -> bool:
    """Whether the policy is in force: it takes the server a moment."""
    try:
        kubectl("delete", "configmap", "left", "-n", namespace, "--dry-run=server")
    except AssertionError:
        return True
    return False


def test_row_26_what_may_not_be_deleted_stays_in_the_inventory_and_is_tried_again(
    engine: Engine, kubectl: Kubectl, undeletable: str
) -> None:
    engine.write("app/all.yaml", manifest("v1", "ServiceAccount", "s") + config_map("left"))
    engine.apply()
    while not denied(kubectl, engine.namespace):
        pass
    engine.write("app/all.yaml", manifest("v1", "ServiceAccount", "s"))
    for _ in range(2):
        done = engine.apply()
        (outcome,) = (o for o in done.app.outcomes if o.action.verb is Verb.PRUNE)
        assert outcome.result is Result.FAILED
        assert "left is kept" in outcome.error
        parent = kubectl.live("configmap", "plumb-app", engine.namespace)
        assert "ConfigMap" in parent["metadata"]["annotations"]["applyset.kubernetes.io/contains-group-kinds"]
    kubectl("delete", "validatingadmissionpolicybinding", undeletable)
    while denied(kubectl, engine.namespace):
        pass
    assert not engine.apply().app.failed
    assert kubectl.get("configmap", "left", engine.namespace) is None


def test_row_27_a_deleted_parent_prunes_nothing_and_is_rebuilt_from_labels(
    engine: Engine, kubectl: Kubectl
) -> None:
    engine.write("app/all.yaml", config_map("c") + manifest("v1", "ServiceAccount", "left"))
    engine.apply()
    kubectl("delete", "configmap", "plumb-app", "-n", engine.namespace)
    engine.write("app/all.yaml", config_map("c"))
    held = engine.check().action("ServiceAccount", "left")
    assert held.verb is Verb.UNCHANGED
    assert "the next one prunes" in held.reason
    done = engine.apply()
    assert not done.app.failed  # nothing is wrong with the app
    assert "inventory was missing" in done.app.plan.prune_blocked
    assert kubectl.live("serviceaccount", "left", engine.namespace)
    assert not engine.apply().app.failed
    assert kubectl.get("serviceaccount", "left", engine.namespace) is None


def test_row_27_a_deleted_parent_alone_changes_nothing_of_the_app(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/all.yaml", config_map("c"))
    engine.apply()
    kubectl("delete", "configmap", "plumb-app", "-n", engine.namespace)
    done = engine.apply()
    assert not done.app.changed
    assert not done.app.failed
    assert kubectl.live("configmap", "plumb-app", engine.namespace)
    assert engine.apply().writes == 0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"labels": {"applyset.kubernetes.io/id": "applyset-other-v1"}}, "applyset-other-v1"),
        ({"annotations": {"applyset.kubernetes.io/tooling": "kubectl/v1.37"}}, "it belongs to kubectl"),
        ({"annotations": {"plumb.gitops/owner": "another"}}, "the owner another"),
        ({"labels": {"applyset.kubernetes.io/id": None}}, "missing"),
    ],
)
def test_row_28_a_parent_that_is_not_ours_is_an_error(
    engine: Engine, kubectl: Kubectl, change: dict[str, dict[str, str | None]], named: str
) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.apply()
    patch = json.dumps({"metadata": change})
    kubectl("patch", "configmap", "plumb-app", "-n", engine.namespace, "-p", patch)
    engine.write("app/all.yaml", config_map("c", {"a": "2"}))
    done = engine.apply()
    assert named in done.app.plan.error
    assert "plumb-app" in done.app.plan.error
    assert done.writes == 0
    assert kubectl.live("configmap", "left", engine.namespace)


def test_row_28_hostile_hints_of_a_parent_harm_nothing(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/all.yaml", config_map("c"))
    engine.apply()
    hints = {
        "applyset.kubernetes.io/contains-group-kinds": "Nonsense.example.com,,ConfigMap,..,Pod",
        "applyset.kubernetes.io/additional-namespaces": "kube-system,no/such,..",
    }
    patch = json.dumps({"metadata": {"annotations": hints}, "data": {"finished-jobs": "[not json"}})
    kubectl("patch", "configmap", "plumb-app", "-n", engine.namespace, "-p", patch)
    engine.write("app/all.yaml", config_map("d"))
    assert not engine.apply().app.failed
    assert kubectl.get("configmap", "c", engine.namespace) is None
    assert engine.apply().writes == 0


def test_row_29_a_renamed_app_deletes_nothing_without_a_declared_move(
    engine: Engine, kubectl: Kubectl
) -> None:
    engine.write("old/all.yaml", config_map("c") + config_map("d"))
    engine.apply(engine.spec("old"))
    before = uid(kubectl, "c", engine.namespace)
    renamed = engine.apply(engine.spec("new", path="old"))
    assert set(renamed.verbs().values()) == {Verb.REFUSED}
    unclaimed = f"app old (ConfigMap {engine.namespace}/plumb-old)"
    assert unclaimed in renamed.result.unclaimed
    assert uid(kubectl, "c", engine.namespace) == before
    moved = engine.apply(engine.spec("new", path="old", moved_from=("old",)))
    assert not moved.app.failed
    assert unclaimed not in moved.result.unclaimed
    assert uid(kubectl, "c", engine.namespace) == before
    assert kubectl.get("configmap", "plumb-old", engine.namespace) is None
    assert engine.apply(engine.spec("new", path="old")).writes == 0


def test_row_29_a_declared_move_prunes_what_left_git_meanwhile(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("old/all.yaml", config_map("c") + config_map("left"))
    engine.apply(engine.spec("old"))
    engine.write("old/all.yaml", config_map("c"))
    moved = engine.spec("new", path="old", moved_from=("old",))
    checked = engine.check(moved)
    assert checked.action("ConfigMap", "left").verb is Verb.PRUNE
    assert not engine.apply(moved).app.failed
    assert kubectl.get("configmap", "left", engine.namespace) is None
    assert kubectl.get("configmap", "plumb-old", engine.namespace) is None


def test_row_29_an_app_that_gets_another_namespace_moves_what_names_its_own(
    engine: Engine, kubectl: Kubectl
) -> None:
    engine.write("app/all.yaml", config_map("c", namespace=engine.namespace) + config_map("d"))
    engine.apply()
    before = uid(kubectl, "c", engine.namespace)
    home = engine.spec(namespace="default", moved_from=(f"{engine.namespace}/app",))
    done = engine.apply(home)
    assert not done.app.failed
    assert uid(kubectl, "c", engine.namespace) == before
    assert kubectl.get("configmap", "d", engine.namespace) is None
    assert kubectl.live("configmap", "d", "default")
    assert kubectl.get("configmap", "plumb-app", engine.namespace) is None
    assert not engine.apply(engine.spec(namespace="default", state=AppState.ABSENT)).app.failed
    assert kubectl.get("configmap", "c", engine.namespace) is None
    assert kubectl.get("configmap", "plumb-app", "default") is None


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("depends", [False, True])
def test_row_30_an_object_that_moves_between_apps_is_never_deleted(
    engine: Engine, kubectl: Kubectl, order: tuple[str, str], *, depends: bool
) -> None:
    engine.write("a/all.yaml", config_map("stays-a") + config_map("moves"))
    engine.write("b/all.yaml", config_map("stays-b"))
    earlier, later = order
    apps = engine.spec(earlier), engine.spec(later, depends_on=(earlier,) if depends else ())
    engine.apply(*apps)
    before = uid(kubectl, "moves", engine.namespace)
    engine.write("a/all.yaml", config_map("stays-a"))
    engine.write("b/all.yaml", config_map("stays-b") + config_map("moves", {"a": "2"}))
    checked = engine.check(*apps)
    assert Verb.PRUNE not in checked.verbs().values()
    done = engine.apply(*apps)
    assert not any(app.failed for app in done.result.apps)
    live = kubectl.live("configmap", "moves", engine.namespace)
    assert live["metadata"]["uid"] == before
    assert live["data"] == {"a": "2"}
    engine.apply(*apps)
    again = engine.apply(*apps)
    assert again.writes == 0
    assert uid(kubectl, "moves", engine.namespace) == before
    engine.write("b/all.yaml", config_map("stays-b"))
    engine.apply(*apps)
    assert kubectl.get("configmap", "moves", engine.namespace) is None


@pytest.mark.parametrize("only", [("a", "b"), ("b", "a")])
def test_row_30_a_move_whose_sides_run_one_after_the_other_deletes_nothing(
    engine: Engine, kubectl: Kubectl, only: tuple[str, str]
) -> None:
    engine.write("a/all.yaml", config_map("stays-a") + config_map("moves"))
    engine.write("b/all.yaml", config_map("stays-b"))
    apps = engine.spec("a"), engine.spec("b")
    engine.apply(*apps)
    before = uid(kubectl, "moves", engine.namespace)
    engine.write("a/all.yaml", config_map("stays-a"))
    engine.write("b/all.yaml", config_map("stays-b") + config_map("moves"))
    for name in only:
        done = engine.apply(*apps, only=[name])
        assert not done.app.failed
        assert not done.app.drifted, "a move that Git asks for is nobody's doing"
        assert uid(kubectl, "moves", engine.namespace) == before
    engine.apply(*apps)
    assert engine.apply(*apps).writes == 0
    assert uid(kubectl, "moves", engine.namespace) == before


def test_row_30_a_move_into_an_app_that_does_not_render_deletes_nothing(
    engine: Engine, kubectl: Kubectl
) -> None:
    engine.write("a/all.yaml", config_map("stays-a") + config_map("moves"))
    engine.write("b/all.yaml", config_map("stays-b"))
    apps = engine.spec("a"), engine.spec("b")
    engine.apply(*apps)
    engine.write("a/all.yaml", config_map("stays-a"))
    engine.write("b/all.yaml", config_map("moves") + "---\n: [")
    done = engine.apply(*apps)
    assert "app b does not render" in done.result.apps[0].plan.prune_blocked
    assert kubectl.live("configmap", "moves", engine.namespace)


def test_row_31_of_two_apps_with_one_object_the_second_errors(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("a/all.yaml", config_map("both", {"from": "a"}))
    engine.write("b/all.yaml", config_map("both", {"from": "b"}) + config_map("d"))
    apps = engine.spec("a"), engine.spec("b")
    checked = engine.check(*apps)
    done = engine.apply(*apps)
    for run in (checked, done):
        first, two = run.result.apps
        assert not first.failed
        assert two.failed
        (refused,) = (action for action in two.plan.actions if action.verb is Verb.REFUSED)
        assert "app a has it too" in refused.reason
    assert kubectl.live("configmap", "both", engine.namespace)["data"] == {"from": "a"}
    assert kubectl.live("configmap", "d", engine.namespace)
    swapped = engine.apply(*reversed(apps))  # who has it keeps it
    assert not next(app for app in swapped.result.apps if app.plan.app == "a").failed
    assert kubectl.live("configmap", "both", engine.namespace)["data"] == {"from": "a"}


def test_row_31_removing_an_app_leaves_what_another_has(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("a/all.yaml", config_map("both") + config_map("a"))
    engine.write("b/all.yaml", config_map("both") + config_map("b"))
    engine.apply(engine.spec("a"), engine.spec("b"))
    before = uid(kubectl, "both", engine.namespace)
    done = engine.apply(engine.spec("a", state=AppState.ABSENT), engine.spec("b"))
    assert not any(app.failed for app in done.result.apps)
    assert uid(kubectl, "both", engine.namespace) == before
    engine.apply(engine.spec("a", state=AppState.ABSENT), engine.spec("b"))
    assert kubectl.get("configmap", "a", engine.namespace) is None
    assert kubectl.get("configmap", "plumb-a", engine.namespace) is None


def test_row_32_an_object_that_nobodys_set_owns_is_refused_unless_adopted(
    engine: Engine, kubectl: Kubectl
) -> None:
    kubectl("create", "configmap", "c", "-n", engine.namespace, "--from-literal=a=theirs")
    engine.write("app/all.yaml", config_map("c") + config_map("d"))
    done = engine.apply()
    action = done.action("ConfigMap", "c")
    assert action.verb is Verb.REFUSED
    assert "adopt: true" in action.reason
    assert "kubectl-create" in action.reason
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "theirs"}
    assert kubectl.live("configmap", "d", engine.namespace)
    engine.write("app/all.yaml", config_map("d"))
    assert not engine.apply().app.failed  # what was refused is not pruned either
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "theirs"}


def test_row_33_a_label_that_a_tenant_wrote_makes_nothing_ours(
    engine: Engine, kubectl: Kubectl, sandbox: Sandbox
) -> None:
    engine.write("app/all.yaml", config_map("c"))
    engine.apply()
    set_id = kubectl.live("configmap", "c", engine.namespace)["metadata"]["labels"][LABEL]
    kubectl("create", "rolebinding", "tenant", "-n", engine.namespace, "--clusterrole=edit", "--user=tenant")
    tenant = Kubectl(sandbox.kubeconfig_of("tenant"))
    tenant("create", "configmap", "foreign", "-n", engine.namespace, "--from-literal=a=theirs")
    tenant("label", "configmap", "foreign", "-n", engine.namespace, f"{LABEL}={set_id}")
    done = engine.apply()
    assert not done.app.failed
    assert not done.verbs()
    assert any("ConfigMap" in warning and "foreign" in warning for warning in done.app.plan.warnings)
    gone = engine.apply(engine.spec(state=AppState.ABSENT))
    assert not gone.app.failed
    assert kubectl.live("configmap", "foreign", engine.namespace)["data"] == {"a": "theirs"}
    assert kubectl.get("configmap", "c", engine.namespace) is None


def test_row_33_what_inherits_a_services_labels_is_no_member(engine: Engine, kubectl: Kubectl) -> None:
    ports = {"selector": {"app": "s"}, "ports": [{"port": 80}]}
    engine.write("app/all.yaml", manifest("v1", "Service", "s", spec=ports) + config_map("c"))
    engine.apply()
    kubectl("wait", "--for=create", "endpoints/s", "-n", engine.namespace, "--timeout=30s")
    slices = kubectl("get", "endpointslice", "-n", engine.namespace, "-l", LABEL, "-o", "name")
    assert slices.strip()
    kubectl("delete", "configmap", "plumb-app", "-n", engine.namespace)
    done = engine.apply()
    assert not done.app.failed
    assert not done.verbs()
    assert not done.app.plan.warnings
    assert engine.apply().writes == 0
