# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is still waited for after a run, as JSON and back: whoever follows it up reads it from the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model.health import Health, HealthStatus
from ..model.objects import ObjectRef
from ..model.plan import Awaited, FollowUp


def follow_up_document(follow_up: FollowUp) -> dict[str, Any]:
    """Return what is waited for as JSON types."""
    return {
        "set": follow_up.set_id,
        "seconds": follow_up.seconds,
        "objects": [awaited_document(awaited) for awaited in follow_up.objects],
    }


def awaited_document(awaited: Awaited) -> dict[str, Any]:
    """Return one object that is waited for as JSON types, without what is empty."""
    ref = awaited.ref
    values = {
        "object": str(ref),
        "apiVersion": awaited.api_version,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "status": awaited.health.status.value,
        "message": awaited.health.message,
        "removed_by_ttl": awaited.removed_by_ttl,
        "deleted_uid": awaited.deleted_uid,
    }
    return {key: value for key, value in values.items() if value}


def parse_follow_up(content: Mapping[str, Any]) -> FollowUp:
    """Return what `follow_up_document` made JSON of. Raises KeyError, ValueError."""
    objects = tuple(map(_awaited, content["objects"]))
    return FollowUp(set_id=content["set"], seconds=float(content["seconds"]), objects=objects)


def _awaited(content: Mapping[str, Any]) -> Awaited:
    version = content["apiVersion"]
    group = version.partition("/")[0] if "/" in version else ""
    return Awaited(
        ref=ObjectRef(group, content["kind"], content.get("namespace", ""), content["name"]),
        api_version=version,
        health=Health(HealthStatus(content["status"]), content.get("message", "")),
        removed_by_ttl=content.get("removed_by_ttl", False),
        deleted_uid=content.get("deleted_uid", ""),
    )
