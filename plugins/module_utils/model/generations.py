# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds whose `metadata.generation` says whether an object has changed."""

from __future__ import annotations

from .objects import GroupKind

# Built-in kinds whose generation moves with every change outside metadata and status. Others have none, or one that
# stays at 1 (PriorityClass).
_GENERATIONS = frozenset(
    {
        GroupKind("", "Pod"),
        GroupKind("", "ReplicationController"),
        GroupKind("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        GroupKind("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        GroupKind("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        GroupKind("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"),
        GroupKind("apps", "DaemonSet"),
        GroupKind("apps", "Deployment"),
        GroupKind("apps", "ReplicaSet"),
        GroupKind("apps", "StatefulSet"),
        GroupKind("batch", "CronJob"),
        GroupKind("batch", "Job"),
        GroupKind("networking.k8s.io", "Ingress"),
        GroupKind("networking.k8s.io", "IngressClass"),
        GroupKind("networking.k8s.io", "NetworkPolicy"),
        GroupKind("policy", "PodDisruptionBudget"),
    }
)


def keeps_generation(kind: GroupKind) -> bool:
    """Return whether an unmoved generation says that nothing outside metadata and status has changed.

    The API server sees to that itself for kinds that a CRD defines; those of reserved groups may be
    built in.
    """
    custom = "." in kind.group and not kind.group.endswith((".k8s.io", ".kubernetes.io"))
    return custom or kind in _GENERATIONS
