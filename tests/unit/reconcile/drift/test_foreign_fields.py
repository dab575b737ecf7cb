# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as an addition, whose it is, and what is left to others."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import (
    AdditionPolicy,
    AppSpec,
    IgnoreRule,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.change import MASK, Cause
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import (
    GroupKind,
    Origin,
    ref_of,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.desired.manifests import DesiredObject
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.drift.foreign_fields import (
    as_changes,
    foreign_fields,
    not_in_git,
    removable,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.drift.ignore import (
    ANNOTATION,
    Ignored,
    ignored_of,
    item_index_error,
    left_to_others,
    on_live,
)

DEPLOYMENT = GroupKind("apps", "Deployment")
MAIN, SIDE = 'k:{"name":"main"}', 'k:{"name":"side"}'
OURS: dict[str, Any] = {
    "f:metadata": {"f:labels": {"f:app": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:template": {"f:spec": {"f:containers": {MAIN: {".": {}, "f:name": {}, "f:image": {}}}}},
    },
}


def entry(manager: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": "Update",
        "time": "2026-11-24T03:00:00Z",
        "fieldsV1": fields,
        **more,
    }


def live(*entries: dict[str, Any], kind: str = "Deployment", **more: Any) -> dict[str, Any]:
    ours = {"manager": "plumb", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": OURS}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {
            "name": "a",
            "namespace": "ns",
            "labels": {"app": "a"},
            "managedFields": [ours, *entries],
        },
        "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "main", "image": "i:1"}]}}},
        **more,
    }


def containers(node: dict[str, Any]) -> dict[str, Any]:
    return {"f:spec": {"f:template": {"f:spec": {"f:containers": node}}}}


ALL = Ignored()


def shown_additions(body: dict[str, Any], ignored: Ignored = ALL) -> list[tuple[str, str]]:
    return [
        (change.path, str(change.culprit and change.culprit.manager))
        for change in as_changes(body, foreign_fields(body, DEPLOYMENT, ignored))
    ]


@pytest.mark.parametrize(
    ("theirs", "paths"),
    [
        ({"f:metadata": {"f:annotations": {".": {}, "f:note": {}}}}, ["metadata.annotations.note"]),
        ({"f:metadata": {"f:labels": {"f:team": {}}}}, ["metadata.labels.team"]),
        ({"f:metadata": {"f:finalizers": {".": {}, 'v:"x/y"': {}}}}, ["metadata.finalizers[=x/y]"]),
        (containers({SIDE: {".": {}, "f:name": {}, "f:image": {}}}), ["spec.template.spec.containers[side]"]),
        (
            containers(
                {MAIN: {"f:env": {".": {}, 'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}}}}
            ),
            ["spec.template.spec.containers[main].env[A]"],
        ),
        ({"f:spec": {"f:paused": {}}}, ["spec.paused"]),
        ({"f:spec": {"f:replicas": {}}}, []),  # set by both, so nobody's addition
        (containers({MAIN: {".": {}, "f:name": {}}}), []),
        ({"f:status": {"f:replicas": {}}}, []),
    ],
)
def test_what_only_others_say_is_an_addition(theirs: dict[str, Any], paths: list[str]) -> None:
    assert shown_additions(live(entry("kubectl-edit", theirs))) == [(path, "kubectl-edit") for path in paths]


def test_a_subresource_is_no_claim_on_the_manifest() -> None:
    scaled = entry("kubectl", {"f:spec": {"f:paused": {}}}, subresource="scale")
    assert shown_additions(live(scaled)) == []


def test_an_update_under_our_own_name_is_somebody_elses() -> None:
    assert shown_additions(live(entry("plumb", {"f:spec": {"f:paused": {}}}))) == [("spec.paused", "plumb")]


def test_the_table_is_of_manager_kind_and_path() -> None:
    revision: dict[str, Any] = {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}}
    restarted: dict[str, Any] = {
        "f:spec": {
            "f:template": {
                "f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}
            }
        }
    }
    assert (
        shown_additions(live(entry("kube-controller-manager", revision), entry("kubectl-rollout", restarted)))
        == []
    )
    assert shown_additions(live(entry("kubectl-edit", revision)))
    assert shown_additions(
        live(entry("kube-controller-manager", {"f:metadata": {"f:annotations": {"f:x": {}}}}))
    )
    body = live(entry("kube-controller-manager", revision))
    assert foreign_fields(body, GroupKind("apps", "StatefulSet"), Ignored())


def test_each_path_is_told_once_with_the_latest_culprit() -> None:
    field: dict[str, Any] = {"f:spec": {"f:paused": {}}}
    early = entry("early", field) | {"time": "2026-11-24T01:00:00Z"}
    late = entry("late", field) | {"time": "2026-11-24T02:00:00Z"}
    assert shown_additions(live(late, early)) == [("spec.paused", "late")]


def test_what_was_added_to_a_secret_is_hidden() -> None:
    body = live(
        entry("kubectl-edit", {"f:data": {"f:extra": {}}}), kind="Secret", data={"extra": "aHVudGVyMg=="}
    )
    (change,) = as_changes(body, foreign_fields(body, GroupKind("", "Secret"), Ignored()))
    assert (change.path, change.live, change.cause) == ("data.extra", MASK, Cause.ADDITION)


def test_only_what_the_cluster_can_do_without_is_removed_and_no_other_appliers_claim() -> None:
    body = live(
        entry("kubectl-edit", {"f:metadata": {"f:finalizers": {'v:"x/y"': {}}}, "f:spec": {"f:paused": {}}}),
        entry("helm", {"f:spec": {"f:minReadySeconds": {}}}, operation="Apply"),
        spec={"paused": True, "minReadySeconds": 3},
    )
    added = foreign_fields(body, DEPLOYMENT, Ignored())
    assert removable(added, from_appliers=False) == {"f:spec": {"f:paused": {}}}
    assert removable(added, from_appliers=True) == {"f:spec": {"f:paused": {}, "f:minReadySeconds": {}}}


def wanted(**annotations: str) -> DesiredObject:
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "ns", "labels": {"app": "a"}, "annotations": annotations},
        "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "main", "image": "i:1"}]}}},
    }
    return DesiredObject(ref_of(body), body, "d", Origin("x.yaml"))


def app(*rules: IgnoreRule, additions: AdditionPolicy = AdditionPolicy.REPORT) -> AppSpec:
    return AppSpec(name="shop", source="fleet", ignore=rules, additions=additions)


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        (IgnoreRule(pointer="/spec/paused"), True),
        (IgnoreRule(pointer="/spec"), True),
        (IgnoreRule(manager="kubectl-*"), True),
        (IgnoreRule(manager="kubectl-*", pointer="/spec/paused"), True),
        (IgnoreRule(manager="kubectl-*", pointer="/metadata"), False),
        (IgnoreRule(manager="helm"), False),
        (IgnoreRule(pointer="/spec/paused", kind="Deployment"), True),
        (IgnoreRule(pointer="/spec/paused", kind="Deployment.apps", name="a*"), True),
        (IgnoreRule(pointer="/spec/paused", kind="StatefulSet"), False),
        (IgnoreRule(pointer="/spec/paused", name="b"), False),
        (IgnoreRule(pointer="/spec/paused", labels=(("app", "a"),)), True),
        (IgnoreRule(pointer="/spec/paused", labels=(("app", "b"),)), False),
    ],
)
def test_a_rule_leaves_an_addition_alone(rule: IgnoreRule, left: bool) -> None:
    body = live(entry("kubectl-edit", {"f:spec": {"f:paused": {}}}))
    assert (shown_additions(body, on_live(ignored_of(app(rule), wanted()), body)) == []) is left


def test_the_policy_to_ignore_is_of_the_whole_app() -> None:
    body = live(entry("kubectl-edit", {"f:spec": {"f:paused": {}}}))
    assert shown_additions(body, ignored_of(app(additions=AdditionPolicy.IGNORE), wanted())) == []


def test_only_the_manifest_can_annotate_what_is_ignored() -> None:
    body = live(entry("kubectl-edit", {"f:spec": {"f:paused": {}}}))
    body["metadata"]["annotations"] = {ANNOTATION: "/spec/paused"}
    assert shown_additions(body, on_live(ignored_of(app(), wanted()), body))
    assert not shown_additions(body, on_live(ignored_of(app(), wanted(**{ANNOTATION: "/spec/paused"})), body))


def left(rule: IgnoreRule, body: dict[str, Any]) -> Any:
    return left_to_others(on_live(ignored_of(app(rule), wanted()), body), wanted(), body).body


def test_what_is_ours_still_is_applied_as_it_is_live() -> None:
    body = live()
    body["spec"]["replicas"] = 9
    assert left(IgnoreRule(pointer="/spec/replicas"), body)["spec"]["replicas"] == 9


def test_what_is_somebody_elses_by_now_is_left_out() -> None:
    body = live(entry("keda", {"f:spec": {"f:replicas": {}}}))
    body["metadata"]["managedFields"][0] = {
        **body["metadata"]["managedFields"][0],
        "fieldsV1": {
            "f:metadata": OURS["f:metadata"],
            "f:spec": {"f:template": OURS["f:spec"]["f:template"]},
        },
    }
    for rule in (IgnoreRule(pointer="/spec/replicas"), IgnoreRule(manager="keda")):
        assert "replicas" not in left(rule, body)["spec"]


@pytest.mark.parametrize("item", ["name=main", "*"])
def test_a_pointer_finds_an_item_by_key_or_all(item: str) -> None:
    pointer = f"/spec/template/spec/containers/{item}/image"
    body = live()
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "i:2"
    image = left(IgnoreRule(pointer=pointer), body)["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "i:2"


@pytest.mark.parametrize(
    ("pointer", "better"),
    [
        ("/spec/template/spec/containers/0/image", "/spec/template/spec/containers/name=main/image"),
        ("/spec/template/spec/containers/9/image", "/spec/template/spec/containers/*/image"),
        (
            "/spec/template/spec/containers/*/ports/0/hostPort",
            "/spec/template/spec/containers/*/ports/containerPort=80,protocol=TCP/hostPort",
        ),
        (
            "/spec/template/spec/containers/name=main/volumeMounts/0",
            "/spec/template/spec/containers/name=main/volumeMounts/mountPath=~1x",
        ),
        ("/spec/template/spec/containers/name=main/args/0", "/spec/template/spec/containers/name=main/args"),
        ("/spec/template/metadata/annotations/0", ""),
        ("/spec/template/spec/containers/*/image", ""),
    ],
)
@pytest.mark.parametrize("is_live", [True, False], ids=["live", "new"])
def test_row_89_an_item_by_its_number_is_refused_with_the_form_that_works(
    pointer: str, better: str, is_live: bool
) -> None:
    main = {
        "name": "main",
        "image": "i",
        "args": ["a"],
        "ports": [{"containerPort": 80}],
        "volumeMounts": [{"name": "v", "mountPath": "/x"}],
    }
    template = {"metadata": {"annotations": {"0": "a"}}, "spec": {"containers": [main]}}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {"template": template}}
    message = item_index_error(
        Ignored(rules=(IgnoreRule(pointer=pointer),)), body, live() if is_live else None
    )
    assert message.endswith(f" Write {better}." if better else "")
    assert bool(message) is bool(better)


def test_what_a_pointer_does_not_lead_to_stays() -> None:
    body = live()
    body["spec"]["replicas"] = 9
    for pointer in ("/spec/template/spec/containers/name=x/image", "/spec/none", "/spec/template"):
        assert left(IgnoreRule(pointer=pointer), body)["spec"]["replicas"] == 3


def test_rules_are_part_of_what_a_look_remembers() -> None:
    digests = {
        ignored_of(app(), wanted()).digest,
        ignored_of(app(IgnoreRule(pointer="/a")), wanted()).digest,
        ignored_of(app(IgnoreRule(manager="a")), wanted()).digest,
        ignored_of(app(additions=AdditionPolicy.REMOVE), wanted()).digest,
    }
    assert len(digests) == 4
    assert "" in digests


def test_a_field_that_git_says_is_no_addition_whoever_took_it() -> None:
    theirs: dict[str, Any] = {"f:spec": {"f:replicas": {}, "f:paused": {}, "f:template": {"f:spec": {"f:containers": {
        MAIN: {".": {}, "f:name": {}, "f:image": {}, "f:tty": {}}, SIDE: {".": {}, "f:name": {}}}}}}}  # fmt: skip
    body = live(entry("kubectl-edit", theirs))
    body["metadata"]["managedFields"][0]["fieldsV1"] = {"f:metadata": {"f:labels": {"f:app": {}}}}
    foreign = foreign_fields(body, DEPLOYMENT, ALL)
    paths = {change.path for change in as_changes(body, not_in_git(foreign, OURS))}
    containers = "spec.template.spec.containers"
    assert paths == {"spec.paused", f"{containers}[main].tty", f"{containers}[side]"}
    assert not_in_git(foreign, {}) == foreign


def test_a_field_that_the_server_keeps_equal_to_one_of_ours_is_no_addition() -> None:
    pod: dict[str, Any] = {"f:spec": {"f:template": {"f:spec": {"f:serviceAccountName": {}}}}}
    theirs = entry("kubectl-edit", {"f:spec": {"f:template": {"f:spec": {"f:serviceAccount": {}}}}})
    ours = {**entry("plumb", pod, operation="Apply")}
    body = live(theirs)
    body["metadata"]["managedFields"] = [theirs]
    assert not foreign_fields(body, DEPLOYMENT, Ignored())  # nothing of ours yet
    body["metadata"]["managedFields"] = [theirs, ours]
    assert not foreign_fields(body, DEPLOYMENT, Ignored())
    body["metadata"]["managedFields"] = [
        theirs,
        entry("plumb", {"f:spec": {"f:replicas": {}}}, operation="Apply"),
    ]
    assert [a.path[-1] for a in foreign_fields(body, DEPLOYMENT, Ignored())] == ["f:serviceAccount"]
