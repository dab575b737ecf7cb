# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Empty lists that an apply leaves where they are, though nobody owns them any more.

An apply owns the items of a list whose schema says `x-kubernetes-list-type: map` or `set`, not the list. With no item
in it such a list is in nobody's fields and so is never removed; a list that is owned as a whole is. Only the schema
tells the two apart, so the server is asked, by a dry-run of another manager: what it comes to own is owned as a whole.
Source: structured-merge-diff, typed/tofieldset.go and merge/update.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...cluster.client import Cluster
from ...cluster.discovery import ApiResource
from ...cluster.errors import RequestError
from ...model.objects import Body
from ..drift.explain import value_at
from ..fields.fieldset import FieldSet, Path, item_key, leaves, owns_exactly, set_of_paths
from ..fields.managed_fields import owners

_MANAGER = "plumb-dry-run"


def lasting_empty_lists(
    cluster: Cluster, resource: ApiResource, predicted: Body, fields: FieldSet
) -> FieldSet:
    """Return those of the fields that are empty lists in `predicted` and that no apply removes."""
    paths = [path for path in leaves(fields) if value_at(predicted, path) == []]
    if not paths:
        return {}
    body: Any = {}
    for path in paths:
        body = _with_empty_list(body, path)
    metadata = {
        name: predicted["metadata"][name] for name in ("name", "namespace") if name in predicted["metadata"]
    }
    body |= {"apiVersion": predicted["apiVersion"], "kind": predicted["kind"], "metadata": metadata}
    try:
        answer = cluster.apply(resource, body, field_manager=_MANAGER, force=True, dry_run=True)
    except RequestError:
        return {}
    entry = next((owner.fields for owner in owners(answer) if owner.manager == _MANAGER), {})
    return set_of_paths(path for path in paths if not owns_exactly(entry, path))


def _with_empty_list(body: Any, path: Path) -> Any:
    """Return a body with an empty list at a path, and the items above it by their keys."""
    if not path:
        return []
    key, below = path[0], path[1:]
    if key[:2] == "f:":
        body = body if isinstance(body, Mapping) else {}
        return {**body, key[2:]: _with_empty_list(body.get(key[2:]), below)}
    keys = item_key(key)
    items = body if isinstance(body, list) else []
    item = next((item for item in items if item.items() >= keys.items()), keys)
    return [*(other for other in items if other is not item), {**item, **_with_empty_list(item, below)}]
