# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of live objects by any field manager, without a process for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.plumb.gitops.tests.api import api_of
from ansible_collections.plumb.gitops.tests.engine import Engine

_PLURALS = {
    "Ingress": "ingresses",
    "NetworkPolicy": "networkpolicies",
    "PodDisruptionBudget": "poddisruptionbudgets",
}
_CLUSTER_WIDE = frozenset({"ClusterRole", "PersistentVolume", "Namespace", "CustomResourceDefinition"})


def path_of(engine: Engine, body: Mapping[str, Any]) -> str:
    """Where an object of a manifest is served."""
    version, kind = body["apiVersion"], body["kind"]
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    within = "" if kind in _CLUSTER_WIDE else f"/namespaces/{engine.namespace}"
    return f"{base}{within}/{_PLURALS.get(kind, f'{kind.lower()}s')}/{body['metadata']['name']}"


def live_of(engine: Engine, body: Mapping[str, Any]) -> dict[str, Any]:
    """The live object of a manifest."""
    status, answer = api_of(engine.sandbox.kubeconfig).ask("GET", path_of(engine, body))
    assert status == 200, answer
    return answer


def edit(
    engine: Engine,
    body: Mapping[str, Any],
    *operations: Mapping[str, Any],
    manager: str = "kubectl-edit",
    subresource: str = "",
) -> dict[str, Any]:
    """Change the live object of a manifest by a JSON patch; the object as it is then."""
    where = path_of(engine, body) + (f"/{subresource}" if subresource else "")
    path = f"{where}?fieldManager={quote(manager)}"
    api = api_of(engine.sandbox.kubeconfig)
    status, answer = api.ask("PATCH", path, list(operations), content="application/json-patch+json")
    assert status == 200, answer
    return answer
