# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds whose objects give anybody who may write them more rights than it seems: often those of a cluster admin."""

from __future__ import annotations

from collections.abc import Iterable

from ...model.objects import GroupKind

_RUNS_PODS = (
    "it runs pods: with any service account, Secret and claim of their namespace and, where no admission policy forbids"
    " it, as root on a node"
)
_GRANTS = "it grants rights"
_ADMITS = "the API server asks what it names before each write, and lets that change or deny anything"
_HOLDS_SECRETS = "it holds credentials, and a service account's token can be asked for by one"

# Sources: Kubernetes, "Role Based Access Control Good Practices", and the baseline of "Pod Security Standards".
_REASONS = {
    **dict.fromkeys(
        [
            GroupKind("", "Pod"),
            GroupKind("", "PodTemplate"),
            GroupKind("", "ReplicationController"),
            GroupKind("apps", "DaemonSet"),
            GroupKind("apps", "Deployment"),
            GroupKind("apps", "ReplicaSet"),
            GroupKind("apps", "StatefulSet"),
            GroupKind("batch", "CronJob"),
            GroupKind("batch", "Job"),
        ],
        _RUNS_PODS,
    ),
    **dict.fromkeys(
        [
            GroupKind("rbac.authorization.k8s.io", kind)
            for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
        ],
        _GRANTS,
    ),
    **dict.fromkeys(
        [
            GroupKind("admissionregistration.k8s.io", kind)
            for kind in (
                "MutatingWebhookConfiguration",
                "ValidatingWebhookConfiguration",
                "MutatingAdmissionPolicy",
                "MutatingAdmissionPolicyBinding",
                "ValidatingAdmissionPolicy",
                "ValidatingAdmissionPolicyBinding",
            )
        ],
        _ADMITS,
    ),
    GroupKind("", "Secret"): _HOLDS_SECRETS,
    GroupKind(
        "", "ServiceAccount"
    ): "pods act as it, and annotations on it may grant rights at a cloud provider",
    GroupKind(
        "", "Namespace"
    ): "its labels say which admission policies hold inside, and all in it goes with it",
    GroupKind("", "Node"): "pods are placed by its labels and taints",
    GroupKind("", "PersistentVolume"): "it can name any path of a node",
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): (
        "a conversion webhook reads and changes all objects of its kind, which go with it when it is deleted"
    ),
    GroupKind("apiregistration.k8s.io", "APIService"): "a server of its choice answers for a whole API group",
    GroupKind("certificates.k8s.io", "CertificateSigningRequest"): "its certificate may be anybody's",
}


def cluster_rights(kinds: Iterable[GroupKind]) -> tuple[tuple[GroupKind, str], ...]:
    """Return those of the kinds that amount to rights on the whole cluster, or nearly, and why; sorted.

    Of other kinds it is not known what their controllers do with them.
    """
    return tuple((kind, _REASONS[kind]) for kind in sorted(set(kinds)) if kind in _REASONS)
