# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small manifests for tests, as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def manifest(api_version: str, kind: str, name: str, /, **rest: Any) -> str:
    """Return one object as a YAML document; `metadata` in `rest` is merged with the name."""
    metadata = {"name": name, **rest.pop("metadata", {})}
    return "---\n" + json.dumps(
        {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}, indent=1
    ) + "\n"  # fmt: skip


def config_map(name: str, data: Mapping[str, str] | None = None, **metadata: Any) -> str:
    """Return a ConfigMap."""
    return manifest("v1", "ConfigMap", name, metadata=metadata, data=dict(data or {"a": "1"}))


def secret(name: str, values: Mapping[str, str], **metadata: Any) -> str:
    """Return a Secret; the values are plain text."""
    return manifest("v1", "Secret", name, metadata=metadata, stringData=dict(values))


def deployment(name: str, *, image: str = "example.com/app:1", app: str = "", **spec: Any) -> str:
    """Return a Deployment of one container, `main`; `spec` is merged into its own."""
    labels = {"app": app or name}
    pod = {"containers": [{"name": "main", "image": image}]}
    return manifest(
        "apps/v1",
        "Deployment",
        name,
        spec={
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            **spec,
        },
    )


def custom_kind(
    plural: str, kind: str, group: str, versions: tuple[str, ...] = ("v1",), **metadata: Any
) -> str:
    """Return a CRD for a namespaced kind whose spec takes anything; the first version is the stored one."""
    schema = {
        "openAPIV3Schema": {
            "type": "object",
            "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        }
    }
    return manifest(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        f"{plural}.{group}",
        metadata=metadata,
        spec={
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [
                {"name": version, "served": True, "storage": version == versions[0], "schema": schema}
                for version in versions
            ],
        },
    )
