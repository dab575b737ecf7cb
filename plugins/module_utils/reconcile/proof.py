# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The content proof: does the live object already say all that the manifest says, and is all of it ours?

It walks our managedFields entry along manifest and live object. It may fail to prove what is equal (a default inside an
atomic list, `1000m` for `1`): then a dry-run decides. It must never prove what an apply would change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..model.objects import Body
from .fieldset import SELF, FieldSet, item_key, set_value
from .ownership import our_entry, owners

# Part of an object's identity, so never in managedFields.
_IDENTITY = frozenset({"apiVersion", "kind"})
_METADATA_IDENTITY = frozenset({"name", "namespace"})


def proven(desired: Body, live: Body) -> bool:
    """Whether applying `desired` is certain to change neither a value nor an owner of `live`."""
    entries = owners(live)
    entry = our_entry(entries)
    if (
        entry is None
        or entry.api_version != desired["apiVersion"]
        or any(owner.is_nobody_known for owner in entries)
    ):
        return False
    top = {key: value for key, value in desired.items() if key not in _IDENTITY}
    top["metadata"] = {k: v for k, v in desired["metadata"].items() if k not in _METADATA_IDENTITY}
    return _map_holds(entry.fields, top, live)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are of the same type and equal: `1` is neither `true` nor `1.0`."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _holds(fields: FieldSet, desired: Any, live: Any) -> bool:
    """Whether one node is wanted and live alike, with exactly the fields of `fields`."""
    if not any(key != SELF for key in fields):
        # Owned whole: a scalar, an atomic list or map, or an empty one.
        return desired is not None and same(desired, live)
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        return _map_holds(fields, desired, live)
    if isinstance(desired, list) and isinstance(live, list):
        return _list_holds(fields, desired, live)
    return False


def _map_holds(fields: FieldSet, desired: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    wanted = 0
    for key, node in fields.items():
        if key == SELF:
            continue
        name = key[2:]
        if (
            key[:2] != "f:"
            or name not in desired
            or name not in live
            or not _holds(node, desired[name], live[name])
        ):
            return False
        wanted += 1
    if wanted == len(desired):
        return True
    return all(f"f:{name}" in fields or _nothing(desired[name], live.get(name)) for name in desired)


def _nothing(desired: Any, live: Any) -> bool:
    """Whether an unowned wanted field is an empty map or list, and is there and just as empty in the live object."""
    return isinstance(desired, (dict, list)) and not desired and same(desired, live)


def _list_holds(fields: FieldSet, desired: list[Any], live: list[Any]) -> bool:
    """A keyed list or a set: each owned item wanted and live, each wanted item owned, in the wanted order."""
    places: dict[int, int] = {}  # index in desired -> index in live
    for key, node in fields.items():
        if key == SELF:
            continue
        at = _places(key, desired, live)
        if at is None or at[0] in places:
            return False
        places[at[0]] = at[1]
        if key[:2] == "k:" and not _item_holds(key, node, desired[at[0]], live[at[1]]):
            return False
    if len(places) != len(desired):
        return False
    order = [places[index] for index in range(len(desired))]
    return order == sorted(order)


def _item_holds(key: str, node: FieldSet, desired: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """An item of a keyed list; a key field that the manifest leaves to its default is owned and need not be wanted."""
    left_out = {f"f:{name}" for name in item_key(key) if name not in desired}
    return _map_holds({k: v for k, v in node.items() if k not in left_out}, desired, live)


def _places(key: str, desired: list[Any], live: list[Any]) -> tuple[int, int] | None:
    """Where the item named by a `k:` or `v:` key stands in both lists; None if not exactly once in each."""
    if key[:2] == "v:":
        value = set_value(key)
        wanted = [i for i, item in enumerate(desired) if same(item, value)]
        found = [i for i, item in enumerate(live) if same(item, value)]
    elif key[:2] == "k:":
        keys = item_key(key)
        wanted = _matching(desired, keys, may_lack=True)
        found = _matching(live, keys, may_lack=False)
    else:
        return None
    return (wanted[0], found[0]) if len(wanted) == 1 and len(found) == 1 else None


def _matching(items: Sequence[Any], keys: Mapping[str, Any], *, may_lack: bool) -> list[int]:
    return [
        index
        for index, item in enumerate(items)
        if isinstance(item, Mapping)
        and all(same(item[name], value) if name in item else may_lack for name, value in keys.items())
    ]
