# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may add fields to an object of Git's without being reported: a table of managers, kinds and paths.

A manager's name is chosen by whoever writes, so a row names paths as narrowly as its writer allows. What admission adds
has no entry in managedFields at all, so no row can name it. Sources: the field managers and writes of kube-controller-
manager, kube-scheduler and kube-apiserver 1.36; cert-manager's cainjector; Istio's and Linkerd's webhook patchers; the
Vertical and the cluster autoscaler; KEDA; `kubectl rollout restart`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from ...model.objects import GroupKind
from .fieldset import Path, display

_ANY = "*"


@dataclass(frozen=True, slots=True)
class KnownWriter:
    """A row: `manager` and `kind` (as `Kind.group`) and `path` (as people write it) are patterns with `*`."""

    manager: str
    kind: str
    path: str

    def covers(self, manager: str, kind: str, path: str) -> bool:
        """Whether the row is for this manager, kind (`Kind.group`) and path (as people write it)."""
        return (
            fnmatchcase(manager, self.manager)
            and fnmatchcase(kind, self.kind)
            and fnmatchcase(path, self.path)
        )


KNOWN_WRITERS: tuple[KnownWriter, ...] = (
    # The controllers that come with Kubernetes.
    KnownWriter(
        "kube-controller-manager", "Deployment.apps", "metadata.annotations?deployment.kubernetes.io/*"
    ),
    KnownWriter(
        "kube-controller-manager",
        "DaemonSet.apps",
        "metadata.annotations?deprecated.daemonset*",
    ),
    KnownWriter(
        "kube-controller-manager", "PersistentVolumeClaim", "metadata.annotations?*volume*kubernetes.io/*"
    ),
    KnownWriter(
        "kube-controller-manager", "PersistentVolumeClaim", "metadata.annotations?pv.kubernetes.io/*"
    ),
    KnownWriter("kube-controller-manager", "PersistentVolumeClaim", "spec.volumeName"),
    KnownWriter("kube-controller-manager", "PersistentVolume", "spec.claimRef*"),
    KnownWriter("kube-controller-manager", "PersistentVolume", "metadata.annotations?pv.kubernetes.io/*"),
    KnownWriter("kube-controller-manager", "ServiceAccount", "secrets*"),
    KnownWriter(
        "kube-controller-manager", "HorizontalPodAutoscaler.autoscaling", "metadata.annotations?autoscaling*"
    ),
    KnownWriter("kube-controller-manager", _ANY, "metadata.finalizers*"),
    KnownWriter("clusterrole-aggregation-controller", "ClusterRole.rbac.authorization.k8s.io", "rules"),
    KnownWriter(
        "kube-scheduler", "PersistentVolumeClaim", "metadata.annotations?volume.kubernetes.io/selected-node?"
    ),
    KnownWriter("kube-scheduler", "Pod", "spec.nodeName"),
    KnownWriter("kubelet", "Pod", "metadata.annotations?kubernetes.io/*"),
    KnownWriter("kube-apiserver", "APIService.apiregistration.k8s.io", "spec.*"),
    KnownWriter("kube-apiserver", "CustomResourceDefinition.apiextensions.k8s.io", "spec.*"),
    KnownWriter("cloud-controller-manager", "Service", "metadata.finalizers*"),
    KnownWriter("service-controller", "Service", "metadata.finalizers*"),
    KnownWriter("csi-*", "PersistentVolumeClaim", "metadata.*"),
    KnownWriter("external-provisioner*", "PersistentVolumeClaim", "metadata.*"),
    # Autoscalers: those of replicas write by the scale subresource, which does not concern the manifest.
    KnownWriter("cluster-autoscaler*", _ANY, "metadata.annotations?cluster-autoscaler.kubernetes.io/*"),
    KnownWriter("keda*", "HorizontalPodAutoscaler.autoscaling", "*"),
    # Injectors: what they write into webhook configurations, CRDs and APIServices, and mark on what they have injected.
    KnownWriter("cainjector*", _ANY, "*caBundle"),
    KnownWriter("cert-manager-cainjector*", _ANY, "*caBundle"),
    KnownWriter("pilot-discovery", "*WebhookConfiguration.admissionregistration.k8s.io", "webhooks*"),
    KnownWriter("linkerd*", "*WebhookConfiguration.admissionregistration.k8s.io", "webhooks*caBundle"),
    # A restart is a request of a person, not a state.
    KnownWriter(
        "kubectl-rollout", _ANY, "spec.template.metadata.annotations?kubectl.kubernetes.io/restartedAt?"
    ),
)


@lru_cache(maxsize=16384)
def is_expected(
    manager: str, kind: GroupKind, path: Path, rows: tuple[KnownWriter, ...] = KNOWN_WRITERS
) -> bool:
    """Whether a row lets this manager add this path to an object of this kind."""
    shown, name = display(path), str(kind)
    return any(row.covers(manager, name, shown) for row in rows)
