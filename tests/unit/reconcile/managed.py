# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""managedFields for tests, in a line each."""

from __future__ import annotations

from typing import Any

Entry = dict[str, Any]


def entry(manager: str, operation: str, fields: dict[str, Any], **more: str) -> Entry:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **more,
    }


def ours(fields: dict[str, Any]) -> Entry:
    """Return our own entry."""
    return entry("plumb", "Apply", fields)


def update(manager: str, fields: dict[str, Any], **more: str) -> Entry:
    return entry(manager, "Update", fields, **more)


def live(*entries: Entry, **content: Any) -> dict[str, Any]:
    """A live ConfigMap with these owners."""
    metadata = {"name": "cart", "namespace": "shop", **content.pop("metadata", {})}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**metadata, "managedFields": list(entries)},
        **content,
    }


def data(*names: str) -> dict[str, Any]:
    """The fields `data[...]`."""
    return {"f:data": {f"f:{name}": {} for name in names}}
