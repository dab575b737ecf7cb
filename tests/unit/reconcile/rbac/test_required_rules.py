# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the rights of an agent is a rule, and needs no cluster. The rest is in the integration tests."""

from __future__ import annotations

from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.rbac.reading_reasons import (
    rules_of_reasons,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.rbac.required_rules import (
    AgentAccount,
    _of_grants,
    _of_kinds,
    rules_of_account,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.rbac.rule import Rule
from ansible_collections.plumb.gitops.tests.unit.reconcile.samples import manifest

RBAC = "rbac.authorization.k8s.io"


def test_a_rule_for_each_api_group_names_its_resources_in_order() -> None:
    kinds = {
        GroupKind("", "Service"): "services",
        GroupKind("apps", "Deployment"): "deployments",
        GroupKind("", "ConfigMap"): "configmaps",
    }
    rules = _of_kinds(kinds)
    assert [(rule.groups, rule.resources) for rule in sorted(rules)] == [
        (("",), ("configmaps", "services")),
        (("apps",), ("deployments",)),
    ]
    assert all("*" not in (*rule.resources, *rule.verbs) for rule in rules)


def test_the_right_to_grant_is_for_the_roles_that_the_apps_name_and_no_others() -> None:
    role = manifest("Role", "reader", version=f"{RBAC}/v1")
    binding = manifest(
        "RoleBinding", "readers", version=f"{RBAC}/v1", roleRef={"kind": "ClusterRole", "name": "view"}
    )
    broken = manifest("RoleBinding", "broken", version=f"{RBAC}/v1", roleRef={"kind": "Role"})
    assert sorted(_of_grants([role, binding, broken])) == [
        Rule(groups=(RBAC,), resources=("clusterroles",), verbs=("bind",), names=("view",)),
        Rule(groups=(RBAC,), resources=("roles",), verbs=("escalate",), names=("reader",)),
    ]


def test_its_own_rules_name_its_own_account() -> None:
    rules = rules_of_account(AgentAccount(namespace="plumb-system", name="agent-a"))
    unnamed = [rule for rule in rules if not rule.names]
    assert [(rule.resources, rule.verbs) for rule in unnamed] == [(("leases",), ("create",))]
    assert {name for rule in rules for name in rule.names} == {"agent-a"}


def test_the_right_to_read_reasons_follows_from_the_kinds_of_apps_and_writes_nothing() -> None:
    def resources(*kinds: GroupKind) -> set[str]:
        rules = rules_of_reasons(frozenset(kinds))
        assert all(set(rule.verbs) <= {"get", "list"} for rule in rules)
        return {resource for rule in rules for resource in rule.resources}

    claim, pods = (
        GroupKind("", "PersistentVolumeClaim"),
        {"events", "persistentvolumeclaims", "pods", "storageclasses"},
    )
    assert resources(GroupKind("", "ConfigMap"), GroupKind("batch", "CronJob")) == set()
    assert resources(GroupKind("", "Service")) == {"events"}
    assert resources(claim) == {"events", "storageclasses"}
    assert resources(GroupKind("apps", "DaemonSet")) == pods
    assert resources(GroupKind("apps", "Deployment"), claim) == pods | {"replicasets"}
