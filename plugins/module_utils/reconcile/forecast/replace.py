# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dry-run of a replace: what an object will be after fields were taken over and then removed by an apply.

Those are two writes, and one dry-run cannot show both. So a dry-run replaces the live content with the one that they
lead to: the server validates it, sets its defaults and answers with the object as it would be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...cluster.client import Cluster
from ...cluster.discovery import ApiResource
from ...model.change import ABSENT
from ...model.objects import Body, ObjectRef
from ..fields.managed_fields import FIELD_MANAGER
from ..fields.ownership_match import same
from ..fields.structure import CONTENT_METADATA, content_of


def dry_run_replace(
    cluster: Cluster, resource: ApiResource, ref: ObjectRef, live: Body, content: Body
) -> Body:
    """Return the object as it would be with this content. Raises what the request raises; writes nothing."""
    return cluster.json_patch(
        resource,
        namespace=ref.namespace,
        name=ref.name,
        operations=_operations(content_of(live), content_of(content)),
        field_manager=FIELD_MANAGER,
        dry_run=True,
        basis=str(live["metadata"].get("resourceVersion") or ""),
    )


def _operations(live: Mapping[str, Any], content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the JSON patch that replaces one content with the other."""
    top = {
        name: (live.get(name, ABSENT), content.get(name, ABSENT))
        for name in sorted({*live, *content} - {"metadata"})
    }
    below = {
        f"metadata/{name}": (live["metadata"].get(name, ABSENT), content["metadata"].get(name, ABSENT))
        for name in CONTENT_METADATA
    }
    return [
        {"op": "remove", "path": f"/{_escaped(name)}"}
        if after is ABSENT
        else {"op": "add", "path": f"/{_escaped(name)}", "value": after}
        for name, (before, after) in {**top, **below}.items()
        if not same(before, after)
    ]


def _escaped(name: str) -> str:
    return name.replace("~", "~0")
