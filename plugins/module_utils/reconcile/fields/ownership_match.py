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

from ...model.objects import Body
from .fieldset import SELF, FieldSet, item_key, set_value
from .managed_fields import our_entry, owners

Others = Sequence[FieldSet]  # what the other managers own, at the same node

# Part of an object's identity, so never in managedFields.
_IDENTITY = frozenset({"apiVersion", "kind"})
_METADATA_IDENTITY = frozenset({"name", "namespace"})


def matches_managed_fields(desired: Body, live: Body) -> bool:
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
    others = [owner.fields for owner in entries if owner is not entry]
    return _map_holds(entry.fields, others, top, live)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are of the same type and equal: `1` is neither `true` nor `1.0`."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is dict:
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if kind is list:
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _holds(fields: FieldSet, others: Others, desired: Any, live: Any) -> bool:
    """Whether one node is wanted and live alike, with exactly the fields of `fields`."""
    if not _has_members(fields):
        # Owned whole: a scalar, an empty map, an atomic list or map. Only a map that is not atomic has members that
        # others own; ours in it were lost to them.
        return desired is not None and same(desired, live) and not any(map(_has_members, others))
    if isinstance(desired, dict) and isinstance(live, dict):
        return _map_holds(fields, others, desired, live)
    if isinstance(desired, list) and isinstance(live, list):
        return _list_holds(fields, others, desired, live)
    return False


def _has_members(fields: FieldSet) -> bool:
    """Whether something below the node is a member, not only the node itself."""
    return len(fields) > (SELF in fields)


def _below(others: Others, key: str) -> Others:
    return [fields[key] for fields in others if key in fields] if others else others


def _map_holds(fields: FieldSet, others: Others, desired: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Each owned field wanted and live, each wanted field owned.

    A wanted field that nobody owns, such as an empty keyed list, is not proven: it may have been ours.
    """
    wanted = 0
    for key, node in fields.items():
        if key == SELF:
            continue
        name = key[2:]
        if (
            key[:2] != "f:"
            or name not in desired
            or name not in live
            or not _holds(node, _below(others, key), desired[name], live[name])
        ):
            return False
        wanted += 1
    return wanted == len(desired)


def _list_holds(fields: FieldSet, others: Others, desired: list[Any], live: list[Any]) -> bool:
    """A keyed list or a set: each owned item wanted and live, each wanted item owned, in the wanted order."""
    places: dict[int, int] = {}  # index in desired -> index in live
    for key, node in fields.items():
        if key == SELF:
            continue
        at = _places(key, node, desired, live)
        if at is None or at[0] in places:
            return False
        places[at[0]] = at[1]
        if key[:2] == "k:" and not _map_holds(node, _below(others, key), desired[at[0]], live[at[1]]):
            return False
    if len(places) != len(desired):
        return False
    order = [places[index] for index in range(len(desired))]
    return order == sorted(order)


def _places(key: str, node: FieldSet, desired: list[Any], live: list[Any]) -> tuple[int, int] | None:
    """Where the item named by a `k:` or `v:` key stands in both lists; None if not exactly once in each."""
    if key[:2] == "v:":
        value = set_value(key)
        wanted = [i for i, item in enumerate(desired) if same(item, value)]
        found = [i for i, item in enumerate(live) if same(item, value)]
    elif key[:2] == "k:":
        keys = item_key(key)
        # A key field that the manifest leaves to its default stands in the key, but not among the owned fields.
        said = {name: value for name, value in keys.items() if f"f:{name}" in node}
        wanted = [i for i in _matching(desired, said) if keys.keys() & desired[i].keys() == said.keys()]
        found = _matching(live, keys)
    else:
        return None
    return (wanted[0], found[0]) if len(wanted) == 1 and len(found) == 1 else None


def _matching(items: Sequence[Any], keys: Mapping[str, Any]) -> list[int]:
    return [
        index
        for index, item in enumerate(items)
        if isinstance(item, dict) and all(n in item and same(item[n], v) for n, v in keys.items())
    ]
