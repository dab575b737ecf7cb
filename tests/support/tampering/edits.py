# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of live objects by any field manager, without a process for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.plumb.gitops.tests.support.cluster.api import api_of
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Done, Engine

_PLURALS = {
    "Ingress": "ingresses",
    "NetworkPolicy": "networkpolicies",
    "PodDisruptionBudget": "poddisruptionbudgets",
}
_CLUSTER_WIDE = frozenset(
    {
        "ValidatingWebhookConfiguration",
        "ClusterRole",
        "PersistentVolume",
        "Namespace",
        "CustomResourceDefinition",
    }
)


def path_of(engine: Engine, body: Mapping[str, Any]) -> str:
    """Return the path of an object of a manifest on the API server."""
    version, kind = body["apiVersion"], body["kind"]
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    within = "" if kind in _CLUSTER_WIDE else f"/namespaces/{engine.namespace}"
    return f"{base}{within}/{_PLURALS.get(kind, f'{kind.lower()}s')}/{body['metadata']['name']}"


def live_of(engine: Engine, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the live object of a manifest."""
    status, answer = api_of(engine.sandbox.kubeconfig).request("GET", path_of(engine, body))
    assert status == 200, answer
    return answer


def edit(
    engine: Engine,
    body: Mapping[str, Any],
    *operations: Mapping[str, Any],
    manager: str = "kubectl-edit",
    subresource: str = "",
) -> dict[str, Any]:
    """Change the live object of a manifest by a JSON patch; return the object as it is then."""
    where = path_of(engine, body) + (f"/{subresource}" if subresource else "")
    path = f"{where}?fieldManager={quote(manager)}"
    api = api_of(engine.sandbox.kubeconfig)
    status, answer = api.request("PATCH", path, list(operations), content="application/json-patch+json")
    assert status == 200, answer
    return answer


def replaced(path: str, value: Any) -> dict[str, Any]:
    """Return an operation of a JSON patch."""
    return {"op": "replace", "path": path, "value": value}


def changes_of(done: Done) -> dict[str, set[tuple[str, str, str]]]:
    """Return path, live and desired value of each change, by object."""
    return {
        str(a.ref): {(c.path, repr(c.live), repr(c.desired)) for c in a.changes}
        for a in done.app.plan.actions
    }


def made(engine: Engine, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the server makes of a manifest, without keeping it, under another name."""
    fresh = {**body, "metadata": {**body["metadata"], "name": f"{body['metadata']['name']}-fresh"}}
    path = path_of(engine, body).rpartition("/")[0] + "?dryRun=All"
    status, answer = api_of(engine.sandbox.kubeconfig).request("POST", path, fresh)
    assert status == 201, answer
    return answer


def content(body: Mapping[str, Any]) -> Any:
    """Return an object's content, without its name, allocated values, and what Plumb and the cluster write."""
    metadata = body["metadata"]
    notes = {
        f"{where}/{key}": value
        for where in ("labels", "annotations")
        for key, value in (metadata.get(where) or {}).items()
        if not key.startswith(_NOT_SAID)
    }
    spec = {k: v for k, v in (body.get("spec") or {}).items() if k not in ("clusterIP", "clusterIPs")}
    strategy = spec.get("updateStrategy") or {}
    # The server takes `rollingUpdate` beside OnDelete, and nothing comes of it. A StatefulSet's is a default only where
    # Git says no type, and stays where Git comes to say one.
    if strategy.get("type") == "OnDelete" or strategy.get("rollingUpdate") == {"partition": 0}:
        spec["updateStrategy"] = {"type": strategy["type"]}
    return [body.get("data") or {}, notes, spec]


_NOT_SAID = ("applyset.", "plumb.", "deployment.", "deprecated.", "autoscaling.", "mine")
