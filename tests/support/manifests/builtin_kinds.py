# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests of many built-in kinds, written as people write them: with what the server fills in left out."""

from __future__ import annotations

from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, manifest, secret

_POD = {
    "containers": [
        {
            "name": "main",
            "image": "example.com/app:1",
            "ports": [{"containerPort": 8080, "name": "web"}, {"containerPort": 9090}],
            "env": [
                {"name": "A", "value": "1"},
                {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
            "resources": {
                "requests": {"cpu": "1000m", "memory": "1024Mi"},
                "limits": {"cpu": 2, "memory": "2Gi"},
            },
            "readinessProbe": {"httpGet": {"path": "/", "port": "web"}},
            "volumeMounts": [{"name": "config", "mountPath": "/config"}],
        }
    ],
    "volumes": [{"name": "config", "configMap": {"name": "config"}}],
}
_RUN = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example.com/job:1"}]}
_RBAC = "rbac.authorization.k8s.io"
_READ = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
_BIG = {"requests": {"storage": "1024Mi"}}


def _workload(kind: str, name: str, **spec: object) -> str:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": _POD}
    return manifest(
        "apps/v1", kind, name, spec={"selector": {"matchLabels": labels}, "template": template, **spec}
    )


def built_in(unique: str) -> dict[str, str]:
    """Return a manifest of each kind by its name; `unique` is part of the names of cluster-scoped ones."""
    web = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    account = {"kind": "ServiceAccount", "name": "app", "namespace": "default"}
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {
        "host": "a.example.com",
        "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
    }
    policy = {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [f"{unique}.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"],
                 "resources": ["things"]}
            ]
        },
        "validations": [{"expression": "true"}],
    }  # fmt: skip
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
    peers = [{"podSelector": {"matchLabels": {"app": "web"}}}]
    return {
        "Namespace": manifest("v1", "Namespace", unique, metadata={"labels": {"team": "shop"}}),
        "ServiceAccount": manifest("v1", "ServiceAccount", "app", automountServiceAccountToken=False),
        "Role": manifest(f"{_RBAC}/v1", "Role", "app", rules=[_READ]),
        "RoleBinding": manifest(
            f"{_RBAC}/v1", "RoleBinding", "app", subjects=[account],
            roleRef={"apiGroup": _RBAC, "kind": "Role", "name": "app"},
        ),
        "ClusterRole": manifest(f"{_RBAC}/v1", "ClusterRole", unique, rules=[_READ]),
        "ClusterRoleBinding": manifest(
            f"{_RBAC}/v1", "ClusterRoleBinding", unique, subjects=[account],
            roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": unique},
        ),
        "ConfigMap": config_map("config", {"a": "1", "b": "two\nlines\n"}),
        "Secret": secret("key", {"password": "first-value"}),
        "Service": manifest(
            "v1", "Service", "web",
            spec={"selector": {"app": "web"}, "ports": [{"name": "web", "port": 80, "targetPort": "web"}]},
        ),
        "Deployment": _workload("Deployment", "web", replicas=2),
        "StatefulSet": _workload("StatefulSet", "db", serviceName="db"),
        "DaemonSet": _workload("DaemonSet", "agent"),
        "ReplicaSet": _workload("ReplicaSet", "rs", replicas=0),
        "Job": manifest("batch/v1", "Job", "once", spec={"template": {"spec": _RUN}}),
        "CronJob": manifest(
            "batch/v1", "CronJob", "nightly",
            spec={"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": _RUN}}}},
        ),
        "Ingress": manifest("networking.k8s.io/v1", "Ingress", "web", spec={"rules": [rule]}),
        "IngressClass": manifest(
            "networking.k8s.io/v1", "IngressClass", unique, spec={"controller": "example.com/none"}
        ),
        "NetworkPolicy": manifest(
            "networking.k8s.io/v1", "NetworkPolicy", "web",
            spec={"podSelector": {}, "ingress": [{"ports": [{"port": 80}], "from": peers}], "egress": []},
        ),
        "HorizontalPodAutoscaler": manifest(
            "autoscaling/v2", "HorizontalPodAutoscaler", "web",
            spec={"minReplicas": 2, "maxReplicas": 4, "metrics": [metric], "scaleTargetRef": web},
        ),
        "PodDisruptionBudget": manifest(
            "policy/v1", "PodDisruptionBudget", "web",
            spec={"minAvailable": "50%", "selector": {"matchLabels": {"app": "web"}}},
        ),
        "PersistentVolumeClaim": manifest(
            "v1", "PersistentVolumeClaim", "data", spec={"accessModes": ["ReadWriteOnce"], "resources": _BIG},
            metadata={"annotations": {"plumb.gitops/prune": "enabled"}},
        ),
        "ResourceQuota": manifest("v1", "ResourceQuota", "limits", spec={"hard": {"pods": 100, "cpu": "64000m"}}),
        "LimitRange": manifest(
            "v1", "LimitRange", "limits",
            spec={"limits": [{"type": "Container", "default": {"cpu": "0.5"}, "defaultRequest": {"cpu": "100m"}}]},
        ),
        "StorageClass": manifest("storage.k8s.io/v1", "StorageClass", unique, provisioner="example.com/none"),
        "PriorityClass": manifest("scheduling.k8s.io/v1", "PriorityClass", unique, value=7),
        "RuntimeClass": manifest("node.k8s.io/v1", "RuntimeClass", unique, handler="runc"),
        "Lease": manifest("coordination.k8s.io/v1", "Lease", "lock", spec={"holderIdentity": "nobody"}),
        "PodTemplate": manifest("v1", "PodTemplate", "shape", template={"spec": _POD}),
        "ValidatingAdmissionPolicy": manifest(
            "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", unique, spec=policy
        ),
        "ValidatingAdmissionPolicyBinding": manifest(
            "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", unique,
            spec={"policyName": unique, "validationActions": ["Deny"]},
        ),
    }  # fmt: skip
