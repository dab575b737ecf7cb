# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of work within an app, and of apps among each other."""

from __future__ import annotations

from itertools import permutations

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AppSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind, ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.desired.dependencies import dependencies
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.desired.order import (
    Stage,
    stage_of,
    staged,
)
from ansible_collections.plumb.gitops.tests.unit.reconcile.samples import app

STAGES = {
    "Namespace": Stage.DEFINITIONS,
    "CustomResourceDefinition.apiextensions.k8s.io": Stage.DEFINITIONS,
    "StorageClass.storage.k8s.io": Stage.CLASSES,
    "PriorityClass.scheduling.k8s.io": Stage.CLASSES,
    "IngressClass.networking.k8s.io": Stage.CLASSES,
    "GatewayClass.gateway.networking.k8s.io": Stage.CLASSES,
    "ServiceAccount": Stage.ROLES,
    "Role.rbac.authorization.k8s.io": Stage.ROLES,
    "ClusterRole.rbac.authorization.k8s.io": Stage.ROLES,
    "RoleBinding.rbac.authorization.k8s.io": Stage.BINDINGS,
    "ClusterRoleBinding.rbac.authorization.k8s.io": Stage.BINDINGS,
    "ConfigMap": Stage.THE_REST,
    "Deployment.apps": Stage.THE_REST,
    "Role.iam.example.com": Stage.THE_REST,
    "Namespace.example.com": Stage.THE_REST,
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io": Stage.ADMISSION,
    "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io": Stage.ADMISSION,
}


@pytest.mark.parametrize("kind", STAGES)
def test_stage_of(kind: str) -> None:
    assert stage_of(GroupKind.parse(kind)) is STAGES[kind]


def test_staged_is_the_same_for_every_order_of_input() -> None:
    refs = [
        ObjectRef("", "ConfigMap", "b", "x"),
        ObjectRef("", "ConfigMap", "a", "x"),
        ObjectRef("", "Namespace", "", "a"),
        ObjectRef("apps", "Deployment", "a", "x"),
    ]
    wanted = [(Stage.DEFINITIONS, ["Namespace a"]),
              (Stage.THE_REST, ["ConfigMap a/x", "ConfigMap b/x", "Deployment a/x"])]  # fmt: skip
    for order in permutations(refs):
        assert staged([(ref, str(ref)) for ref in order]) == wanted
        stages = [stage for stage, _items in staged([(ref, str(ref)) for ref in order], reverse=True)]
        assert stages == [Stage.THE_REST, Stage.DEFINITIONS]


def test_items_need_no_order_of_their_own() -> None:
    refs = [ObjectRef("", "Namespace", "", name) for name in "ab"]
    assert staged([(ref, object()) for ref in refs], reverse=True)


def waves(*apps: AppSpec) -> list[set[str]]:
    sorter, order = dependencies(apps), []
    while sorter.is_active():
        ready = sorter.get_ready()
        order.append(set(ready))
        sorter.done(*ready)
    return order


def test_apps_wait_for_what_they_depend_on() -> None:
    apps = [
        app("front", depends_on=("cart", "pay")),
        app("cart", depends_on=("base",)),
        app("pay", depends_on=("base",)),
        app("base"),
        app("alone"),
    ]
    assert waves(*apps) == [{"base", "alone"}, {"cart", "pay"}, {"front"}]


@pytest.mark.parametrize(
    ("apps", "why"),
    [
        ([app("a"), app("a")], "app a: reading the apps: two apps have this name"),
        ([app("cart", depends_on=("bse",)), app("base")], "there is no app 'bse'. Did you mean 'base'?"),
        ([app("cart", depends_on=("zebra",)), app("base")], "Name one of the apps"),
        ([app("a", depends_on=("a",))], "they wait for each other: a -> a"),
        (
            [app("a", depends_on=("b",)), app("b", depends_on=("c",)), app("c", depends_on=("a",))],
            "they wait for each other",
        ),
    ],
)
def test_apps_that_contradict_themselves(apps: list[AppSpec], why: str) -> None:
    with pytest.raises(InputError) as caught:
        dependencies(apps)
    assert why in str(caught.value)
