# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A generated fleet: services of eight kinds, written as a team would, with some labels, probes and limits."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

Body = dict[str, Any]

KINDS: tuple[tuple[str, str, str], ...] = (
    # kind, apiVersion, plural
    ("ServiceAccount", "v1", "serviceaccounts"),
    ("ConfigMap", "v1", "configmaps"),
    ("Secret", "v1", "secrets"),
    ("Role", "rbac.authorization.k8s.io/v1", "roles"),
    ("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings"),
    ("Service", "v1", "services"),
    ("Deployment", "apps/v1", "deployments"),
    ("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
)
_VERSIONS = {kind: version for kind, version, _plural in KINDS}


@dataclass(frozen=True, slots=True)
class Shape:
    """How many objects, and in how many apps. The objects of an app differ by two at most from app to app."""

    objects: int
    apps: int = 1

    @property
    def name(self) -> str:
        """A short name, for paths."""
        return f"{self.objects}" if self.apps == 1 else f"{self.objects}-in-{self.apps}"

    @property
    def title(self) -> str:
        """A heading."""
        if self.apps == 1:
            return f"{self.objects:,} objects in one app"
        return f"{self.objects:,} objects in {self.apps:,} apps"


def apps_of(shape: Shape, namespace: str) -> dict[str, list[list[Body]]]:
    """Return the services of each app, each a list of objects; together they are as many as the shape says."""
    names = [f"app-{index:03}" for index in range(shape.apps)] if shape.apps > 1 else ["fleet"]
    share, left = divmod(shape.objects, shape.apps)
    return {
        name: list(_services(f"{name}-" if shape.apps > 1 else "", share + (index < left), namespace))
        for index, name in enumerate(names)
    }


def files_of(apps: Mapping[str, Sequence[Sequence[Body]]]) -> dict[str, str]:
    """Return one file for each service by its path, `<app>/<service>.yaml`."""
    return {
        f"{app}/{service[0]['metadata']['name']}.yaml": "---\n".join(map(_dumped, service))
        for app, services in apps.items()
        for service in services
    }


def changed(files: Mapping[str, str]) -> dict[str, str]:
    """Return the last file with another value in its ConfigMap."""
    path, text = list(files.items())[-1]
    assert _LOG_LEVEL in text
    return {path: text.replace(_LOG_LEVEL, "log level: debug", 1)}


def _dumped(body: Body) -> str:
    dumped: str = yaml.dump(body, Dumper=yaml.CSafeDumper, sort_keys=False)
    return dumped


_LOG_LEVEL = "log level: info"


def _services(prefix: str, objects: int, namespace: str) -> Iterator[list[Body]]:
    """Whole services, and in the last file what is left over as ConfigMaps."""
    whole, left = divmod(objects, len(KINDS))
    for index in range(whole):
        service = _service(f"{prefix}service-{index:04}", index, namespace)
        last = index == whole - 1
        extra = range(left if last else 0)
        yield [*service, *(_flags(f"{prefix}flags-{number}", namespace) for number in extra)]


def _object(kind: str, name: str, namespace: str, **fields: Any) -> Body:
    labels = {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": "bench",
        "app.kubernetes.io/managed-by": "platform-team",
    }
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": _VERSIONS[kind], "kind": kind, "metadata": metadata, **fields}


def _flags(name: str, namespace: str) -> Body:
    return _object("ConfigMap", name, namespace, data={"flags": "new-basket=off\nfree-parcel=on\n"})


def _service(name: str, index: int, namespace: str) -> list[Body]:
    password = base64.b64encode(f"not a secret, number {index}".encode()).decode()
    settings = f"port: 8080\n{_LOG_LEVEL}\nworkers: 4\ncache:\n  seconds: {60 + index % 7}\n"
    account = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [name], "verbs": ["get", "watch"]}
    ]
    selector = {"app.kubernetes.io/name": name}
    return [
        _object("ServiceAccount", name, namespace, automountServiceAccountToken=False),
        _object("ConfigMap", name, namespace, data={"settings.yaml": settings, "region": "eu-north"}),
        _object("Secret", name, namespace, type="Opaque", data={"password": password}),
        _object("Role", name, namespace, rules=rules),
        _object("RoleBinding", name, namespace, roleRef=role, subjects=[account]),
        _object(
            "Service",
            name,
            namespace,
            spec={
                "type": "ClusterIP",
                "selector": selector,
                "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
            },
        ),
        _object("Deployment", name, namespace, spec=_deployment(name, selector, index)),
        _object(
            "NetworkPolicy",
            name,
            namespace,
            spec={
                "podSelector": {"matchLabels": selector},
                "policyTypes": ["Ingress"],
                "ingress": [
                    {
                        "from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "bench"}}}],
                        "ports": [{"port": 8080, "protocol": "TCP"}],
                    }
                ],
            },
        ),
    ]


def _deployment(name: str, selector: Mapping[str, str], index: int) -> Body:
    container = {
        "name": "main",
        "image": f"registry.example.com/bench/{name}:1.{index % 9}.0",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [
            {"name": "REGION", "valueFrom": {"configMapKeyRef": {"name": name, "key": "region"}}},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": name, "key": "password"}}},
        ],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"memory": "128Mi"},
        },
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
        "volumeMounts": [{"name": "settings", "mountPath": "/etc/service", "readOnly": True}],
    }
    pod = {
        "serviceAccountName": name,
        "securityContext": {"runAsNonRoot": True},
        "containers": [container],
        "volumes": [{"name": "settings", "configMap": {"name": name}}],
    }
    return {
        "replicas": 0,
        "selector": {"matchLabels": dict(selector)},
        "template": {"metadata": {"labels": {**selector, "app.kubernetes.io/part-of": "bench"}}, "spec": pod},
    }
