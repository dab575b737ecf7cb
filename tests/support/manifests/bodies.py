# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests as bodies, and a folder of them for the engine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine


def body(api_version: str, kind: str, name: str, spec: Mapping[str, Any], **rest: Any) -> dict[str, Any]:
    """Return a manifest with a spec."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": dict(spec), **rest}


def pod_of(container: Mapping[str, Any], pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Pod's spec with one container, `main`."""
    return {"containers": [{"name": "main", "image": "example.com/app:1", **container}], **pod}


def workload(
    name: str, container: Mapping[str, Any], pod: Mapping[str, Any], *, kind: str = "Deployment", **spec: Any
) -> dict[str, Any]:
    """Return a workload of one container."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod_of(container, pod)}
    defaults: Mapping[str, dict[str, Any]] = {
        "Deployment": {"replicas": 1},
        "StatefulSet": {"serviceName": name},
    }
    more = defaults.get(kind, {})
    return body(
        "apps/v1", kind, name, {"selector": {"matchLabels": labels}, "template": template, **more, **spec}
    )


def plain(name: str, data: Mapping[str, str], **metadata: Any) -> dict[str, Any]:
    """Return a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
        "data": dict(data),
    }


def service(name: str, *ports: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Service."""
    return body("v1", "Service", name, {"selector": {"app": name}, "ports": list(ports)})


def write(engine: Engine, bodies: Sequence[Mapping[str, Any]], app: str = "app") -> None:
    """Write these manifests, and no others, as an app's folder."""
    engine.write(f"{app}/all.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": list(bodies)}))
