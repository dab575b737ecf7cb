# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds that amount to rights on the whole cluster (row 110)."""

from __future__ import annotations

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.rbac.cluster_rights import cluster_rights


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("Pod", "pods"),
        ("Deployment.apps", "pods"),
        ("StatefulSet.apps", "pods"),
        ("DaemonSet.apps", "pods"),
        ("ReplicaSet.apps", "pods"),
        ("ReplicationController", "pods"),
        ("Job.batch", "pods"),
        ("CronJob.batch", "pods"),
        ("Role.rbac.authorization.k8s.io", "grants"),
        ("ClusterRole.rbac.authorization.k8s.io", "grants"),
        ("RoleBinding.rbac.authorization.k8s.io", "grants"),
        ("ClusterRoleBinding.rbac.authorization.k8s.io", "grants"),
        ("MutatingWebhookConfiguration.admissionregistration.k8s.io", "write"),
        ("ValidatingWebhookConfiguration.admissionregistration.k8s.io", "write"),
        ("CustomResourceDefinition.apiextensions.k8s.io", "conversion"),
        ("APIService.apiregistration.k8s.io", "API group"),
        ("Secret", "credentials"),
        ("PersistentVolume", "node"),
    ],
)
def test_row_110_kinds_that_reach_further_are_named_with_the_reason(kind: str, word: str) -> None:
    ((named, why),) = cluster_rights([GroupKind.parse(kind), GroupKind("", "ConfigMap")])
    assert str(named) == kind
    assert word in why


def test_row_110_other_kinds_are_not_named() -> None:
    assert (
        cluster_rights([GroupKind("", "ConfigMap"), GroupKind("", "Service"), GroupKind("x.io", "Pod")]) == ()
    )
