# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that tests of several rules need: apps, manifests, a cluster's kinds."""

from __future__ import annotations

from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.discovery import ApiResource, Discovery
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AppSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Manifest, Origin

_VERBS = frozenset({"list", "patch", "delete"})
_KINDS = [
    ("", "v1", "ConfigMap", "configmaps", True),
    ("", "v1", "Namespace", "namespaces", False),
    ("", "v1", "Service", "services", True),
    ("apps", "v1", "Deployment", "deployments", True),
]

DISCOVERY = Discovery(
    ApiResource(group=group, version=version, kind=kind, plural=plural, namespaced=namespaced, verbs=_VERBS)
    for group, version, kind, plural, namespaced in _KINDS
)


def app(name: str = "shop", **options: Any) -> AppSpec:
    return AppSpec(name=name, **{"source": "git", "namespace": "shop", **options})


def manifest(kind: str, name: str, *, namespace: str = "", version: str = "v1", **content: Any) -> Manifest:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    body = {"apiVersion": version, "kind": kind, "metadata": metadata, **content}
    return Manifest.of(body, Origin(f"{name}.yaml", 1))
