# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The structure of objects without their schema: which lists are keyed, the fields of a body, and bodies merged.

managedFields of a live object say which of its lists are keyed. Where they do not, a table of the built-in kinds' lists
does. Source of the table: `x-kubernetes-list-map-keys` in the OpenAPI document of Kubernetes 1.36.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from ...model.objects import Body
from .fieldset import SELF, FieldSet, item_key, set_value, union
from .ownership_match import same

_NAME = ("name",)
_LIST_KEYS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "claims": (_NAME,),
    "containers": (_NAME,),
    "env": (_NAME,),
    "ephemeralContainers": (_NAME,),
    "hostAliases": (("ip",),),
    "imagePullSecrets": (_NAME,),
    "initContainers": (_NAME,),
    "matchConditions": (_NAME,),
    "ports": (("containerPort", "protocol"), ("port", "protocol")),
    "resourceClaims": (_NAME,),
    "schedulingGates": (_NAME,),
    "secrets": (_NAME,),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "variables": (_NAME,),
    "volumeDevices": (("devicePath",),),
    "volumeMounts": (("mountPath",),),
    "volumes": (_NAME,),
    "webhooks": (_NAME,),
}
KEY_DEFAULTS: Mapping[str, Any] = {"protocol": "TCP"}  # key fields that a manifest may leave out
_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, sort_keys=True)
_SETS = frozenset({"finalizers"})
# None: nobody owns anything here, so nothing is known; empty: somebody owns it as a whole.
Shape = Optional[FieldSet]  # noqa: UP045 - pylint takes the other form for arithmetic


def shape_of(field_sets: Iterable[FieldSet]) -> Shape:
    """Return what several managers' fields tell of an object's structure; None where nobody owns anything."""
    shape: FieldSet = {}
    for fields in field_sets:
        shape = union(shape, fields)
    return shape or None


def fields_of(value: Any, shape: Shape = None, name: str = "") -> dict[str, Any]:
    """Return the fields of a value as managedFields writes them; none below a list that is not known to be keyed."""
    if shape is not None and not shape:
        return {}
    if isinstance(value, dict):
        if shape is None:
            return {f"f:{key}": fields_of(item, None, key) for key, item in value.items()}
        return {f"f:{key}": fields_of(item, _below(shape, f"f:{key}"), key) for key, item in value.items()}
    if isinstance(value, list) and value:
        items = items_by_key(value, shape, name)
        if items is not None:
            return {key: _item_fields(key, item, shape) for key, item in items.items()}
    return {}


def _below(shape: Shape, key: str) -> Shape:
    return shape.get(key) if shape else None


def _item_fields(key: str, item: Any, shape: Shape) -> dict[str, Any]:
    return {SELF: {}, **fields_of(item, _below(shape, key))} if key[:2] == "k:" else {}


def items_by_key(items: Sequence[Any], shape: Shape, name: str) -> dict[str, Any] | None:
    """Return a list's items under their keys in managedFields; None for a list that is owned as a whole."""
    is_set = name in _SETS if shape is None else any(key[:2] == "v:" for key in shape)
    if is_set:
        keyed = {f"v:{_text(item)}": item for item in items}
    else:
        names = _key_names(items, shape, name)
        if names is None:
            return None
        keyed = {_item_key(item, names): item for item in items}
    return keyed if len(keyed) == len(items) else None


def _key_names(items: Sequence[Any], shape: Shape, name: str) -> tuple[str, ...] | None:
    known: Sequence[tuple[str, ...]] = (
        _LIST_KEYS.get(name, ())
        if shape is None
        else [tuple(item_key(key)) for key in shape if key[:2] == "k:"][:1]
    )
    for names in known:
        if all(
            isinstance(item, dict) and all(key in item or key in KEY_DEFAULTS for key in names)
            for item in items
        ):
            return names
    return None


def _item_key(item: Mapping[str, Any], names: Sequence[str]) -> str:
    return "k:" + _text({key: item.get(key, KEY_DEFAULTS.get(key)) for key in names})


def _text(value: Any) -> str:
    """Return JSON as the server writes it in a key."""
    return str(_JSON.encode(value))


def has_items_without_key(value: Any, shape: Shape) -> bool:
    """Whether a list whose items are owned by their keys has one without: only the server can merge that."""
    if not shape:
        return False
    if isinstance(value, Mapping):
        return any(has_items_without_key(item, shape.get(f"f:{key}")) for key, item in value.items())
    if not isinstance(value, list) or all(key[:2] != "k:" for key in shape):
        return False
    items = items_by_key(value, shape, "")
    return items is None or any(has_items_without_key(item, shape.get(key)) for key, item in items.items())


def merged(live: Any, wanted: Any, shape: Shape, name: str = "") -> Any:
    """Return what an apply of `wanted` makes of `live` if nothing that it leaves out is removed."""
    if isinstance(live, Mapping) and isinstance(wanted, Mapping) and shape != {}:
        both = {
            key: merged(live[key], value, _below(shape, f"f:{key}"), key) if key in live else value
            for key, value in wanted.items()
        }
        return {**{key: value for key, value in live.items() if key not in wanted}, **both}
    if isinstance(live, list) and isinstance(wanted, list):
        return _merged_list(live, wanted, shape, name)
    return wanted


def _merged_list(live: list[Any], wanted: list[Any], shape: Shape, name: str) -> list[Any]:
    live_items, wanted_items = items_by_key(live, shape, name), items_by_key(wanted, shape, name)
    if live_items is None or wanted_items is None:
        return wanted
    both = [
        merged(live_items[key], item, _below(shape, key)) if key in live_items else item
        for key, item in wanted_items.items()
    ]
    return [*both, *(item for key, item in live_items.items() if key not in wanted_items)]


def index_of(container: Any, key: str) -> Any:
    """Return the name or index under which a container has what a key of managedFields names; None where it has not."""
    if key[:2] == "f:":
        return key[2:] if isinstance(container, Mapping) and key[2:] in container else None
    for index, item in enumerate(container if isinstance(container, list) else ()):
        if key[:2] == "v:" and same(item, set_value(key)):
            return index
        # A key field that the manifest leaves to its default is in the key only.
        if key[:2] == "k:" and isinstance(item, Mapping) and _has_key(item, item_key(key)):
            return index
    return None


def _has_key(item: Mapping[str, Any], keys: Mapping[str, Any]) -> bool:
    names = keys.keys() & item.keys()
    return bool(names) and all(same(item[name], keys[name]) for name in names)


def with_item(container: Any, index: Any, value: Any) -> Any:
    """Return a container with another value at a name or index."""
    if isinstance(container, Mapping):
        return {**container, index: value}
    return [*container[:index], value, *container[index + 1 :]]


def without_item(container: Any, index: Any) -> Any:
    """Return a container without what it has at a name or index."""
    if isinstance(container, Mapping):
        return {key: value for key, value in container.items() if key != index}
    return [*container[:index], *container[index + 1 :]]


def content_of(body: Body) -> dict[str, Any]:
    """Return what people write in a body: without identity, status, and what the server writes in metadata."""
    content = {
        key: value for key, value in body.items() if key not in ("apiVersion", "kind", "status", "metadata")
    }
    metadata = {key: value for key, value in body["metadata"].items() if key in CONTENT_METADATA}
    return {**content, "metadata": metadata}


CONTENT_METADATA = ("labels", "annotations", "finalizers", "ownerReferences")
