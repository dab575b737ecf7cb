# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a sandbox's cluster from the start: nodes for the pods, and the viewer's rights."""

from __future__ import annotations

from typing import Any

from plumb_sandbox.cluster.api import Api
from plumb_sandbox.cluster.users import VIEWER

NODES = ("sandbox-node-0", "sandbox-node-1")


def node(name: str) -> dict[str, Any]:
    """Return the manifest of a node whose kubelet is kwok; kwok fills in the status."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "node-role.kubernetes.io/worker": "",
            },
        },
    }


VIEWER_BINDING: dict[str, Any] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "sandbox-viewer"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": VIEWER.name}],
}


def apply_seed(api: Api, *, nodes: bool) -> None:
    """Apply the viewer's rights and the nodes; harmless where they exist already."""
    api.apply("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/sandbox-viewer", VIEWER_BINDING)
    for name in NODES if nodes else ():
        api.apply(f"/api/v1/nodes/{name}", node(name))


def is_api_ready(api: Api) -> bool:
    """Return whether the API server takes requests and has its RBAC defaults."""
    return api.get("/readyz")[0] == 200


def is_cluster_ready(api: Api) -> bool:
    """Return whether pods can be created, scheduled and run, and the viewer may view."""
    account = api.get("/api/v1/namespaces/default/serviceaccounts/default")[0]
    nodes, listed = api.get("/api/v1/nodes")
    roles, view = api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/view")
    return (
        account == nodes == roles == 200
        and all(map(_is_schedulable, listed["items"]))
        and bool(view.get("rules"))  # a controller collects them
    )


def _is_schedulable(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
    return ready and not node["spec"].get("taints")
