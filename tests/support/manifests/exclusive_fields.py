# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Either-or fields of the built-in kinds, and of a custom one: of each, manifests that differ in the branch alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.plumb.gitops.tests.support.manifests.bodies import body, pod_of, workload

Branches = tuple[Mapping[str, Any], ...]
Make = Callable[[str, Mapping[str, Any]], dict[str, Any]]
GROUP = "eitheror.plumb.test"


@dataclass(frozen=True, slots=True)
class EitherOr:
    """How a manifest of a name is made with one of the branches; the table switches between the first two."""

    make: Make
    branches: Branches


def _container(key: str) -> Make:
    return lambda name, branch: workload(name, {key: dict(branch)}, {})


def _env(kind: str) -> Make:
    return lambda name, branch: workload(name, {"env": [{"name": "A", **branch}]}, {}, kind=kind)


def _hook(name: str, branch: Mapping[str, Any]) -> dict[str, Any]:
    return workload(name, {"lifecycle": {"preStop": dict(branch)}}, {})


def _volume(name: str, branch: Mapping[str, Any]) -> dict[str, Any]:
    return workload(name, {}, {"volumes": [{"name": "v", **branch}]})


def _seccomp(name: str, branch: Mapping[str, Any]) -> dict[str, Any]:
    return workload(name, {}, {"securityContext": {"seccompProfile": dict(branch)}})


def _strategy(key: str, kind: str) -> Make:
    return lambda name, branch: workload(name, {}, {}, kind=kind, **({key: dict(branch)} if branch else {}))


def _budget(name: str, branch: Mapping[str, Any]) -> dict[str, Any]:
    return body(
        "policy/v1", "PodDisruptionBudget", name, {"selector": {"matchLabels": {"app": name}}, **branch}
    )


def _ingress(name: str, branch: Mapping[str, Any]) -> dict[str, Any]:
    return body("networking.k8s.io/v1", "Ingress", name, {"defaultBackend": dict(branch)})


def _rule(name: str, branch: Mapping[str, Any]) -> dict[str, Any]:
    paths = [{"path": "/", "pathType": "Prefix", "backend": dict(branch)}]
    return body("networking.k8s.io/v1", "Ingress", name, {"rules": [{"http": {"paths": paths}}]})


def _service(name: str, branch: Mapping[str, Any]) -> dict[str, Any]:
    return body("v1", "Service", name, {"selector": {"app": name}, "ports": [{"port": 80}], **branch})


def _peer(name: str, branch: Mapping[str, Any]) -> dict[str, Any]:
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [dict(branch)]}]}
    return body("networking.k8s.io/v1", "NetworkPolicy", name, spec)


def _metric(name: str, branch: Mapping[str, Any]) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"maxReplicas": 2, "scaleTargetRef": target, "metrics": [dict(branch)]}
    return body("autoscaling/v2", "HorizontalPodAutoscaler", name, spec)


def _cron(name: str, branch: Mapping[str, Any]) -> dict[str, Any]:
    pod = pod_of({"env": [{"name": "A", **branch}]}, {"restartPolicy": "Never"})
    return body(
        "batch/v1",
        "CronJob",
        name,
        {"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": pod}}}},
    )


def _custom(name: str, branch: Mapping[str, Any]) -> dict[str, Any]:
    return body(f"{GROUP}/v1", "Choice", name, {"common": "x", **branch})


_FIELD = {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
_CONFIG = {"valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
_SECRET = {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
_VALUES: Branches = ({"value": "1"}, _FIELD, _CONFIG, _SECRET)
_HTTP, _TCP = {"httpGet": {"path": "/", "port": 80}}, {"tcpSocket": {"port": 80}}
_EXEC, _GRPC = {"exec": {"command": ["true"]}}, {"grpc": {"port": 80}}
_PROBES: Branches = (_HTTP, _TCP, _EXEC, _GRPC)
_CLAIM = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
_VOLUMES: Branches = (
    {"emptyDir": {}},
    {"configMap": {"name": "c"}},
    {"secret": {"secretName": "s"}},
    {"hostPath": {"path": "/x"}},
    {"persistentVolumeClaim": {"claimName": "p"}},
    {"projected": {"sources": [{"configMap": {"name": "c"}}]}},
    {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    {"ephemeral": {"volumeClaimTemplate": _CLAIM}},
    {"nfs": {"server": "n", "path": "/"}},
    {"csi": {"driver": "d.example.com"}},
)
_OF_SERVICE = {"service": {"name": "x", "port": {"number": 80}}}
_BACKENDS: Branches = (_OF_SERVICE, {"resource": {"kind": "K", "name": "x", "apiGroup": "x.example.com"}})
_RECREATE, _ON_DELETE, _ROLLING = {"type": "Recreate"}, {"type": "OnDelete"}, {"type": "RollingUpdate"}
_HALF = {"type": "Utilization", "averageUtilization": 50}
_STICKY = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}
_TARGET = {"type": "AverageValue", "averageValue": "1"}

EITHER_OR: Mapping[str, EitherOr] = {
    "strategy": EitherOr(_strategy("strategy", "Deployment"), ({}, _RECREATE, _ROLLING)),
    "daemon-strategy": EitherOr(_strategy("updateStrategy", "DaemonSet"), ({}, _ON_DELETE, _ROLLING)),
    "stateful-strategy": EitherOr(_strategy("updateStrategy", "StatefulSet"), ({}, _ON_DELETE, _ROLLING)),
    "env": EitherOr(_env("Deployment"), _VALUES),
    "env-of-daemon": EitherOr(_env("DaemonSet"), _VALUES),
    "env-of-cron": EitherOr(_cron, _VALUES),
    "liveness": EitherOr(_container("livenessProbe"), _PROBES),
    "readiness": EitherOr(_container("readinessProbe"), _PROBES),
    "startup": EitherOr(_container("startupProbe"), _PROBES),
    "hook": EitherOr(_hook, (_EXEC, _HTTP, {"sleep": {"seconds": 1}})),
    "volume": EitherOr(_volume, _VOLUMES),
    "seccomp": EitherOr(_seccomp, ({"type": "RuntimeDefault"}, {"type": "Localhost", "localhostProfile": "p"})),
    "budget": EitherOr(_budget, ({"minAvailable": 1}, {"maxUnavailable": 1})),
    "backend": EitherOr(_ingress, _BACKENDS),
    "rule-backend": EitherOr(_rule, _BACKENDS),
    "affinity": EitherOr(
        _service,
        ({"sessionAffinity": "None"}, _STICKY),
    ),
    "peer": EitherOr(
        _peer,
        ({"ipBlock": {"cidr": "10.0.0.0/8"}}, {"podSelector": {"matchLabels": {"a": "b"}}}, {"namespaceSelector": {}}),
    ),
    "metric": EitherOr(
        _metric,
        (
            {"type": "Resource", "resource": {"name": "cpu", "target": _HALF}},
            {"type": "Pods", "pods": {"metric": {"name": "m"}, "target": _TARGET}},
        ),
    ),
    "custom": EitherOr(_custom, ({"one": {"a": "x"}}, {"two": {"b": "x"}}, {"three": "x"})),
}  # fmt: skip

CHOICE: dict[str, Any] = body(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    f"choices.{GROUP}",
    {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "choices", "singular": "choice", "kind": "Choice"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "oneOf": [{"required": [name]} for name in ("one", "two", "three")],
                                "properties": {
                                    "common": {"type": "string"},
                                    "one": {
                                        "type": "object",
                                        "properties": {
                                            "a": {"type": "string"},
                                            "level": {"type": "integer", "default": 3},
                                        },
                                    },
                                    "two": {"type": "object", "properties": {"b": {"type": "string"}}},
                                    "three": {"type": "string"},
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
)
