# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a live object already has all that its manifest wants, and Plumb owns all of it; read without a request.

Our managedFields entry is walked along the manifest and the live object:

    entry:     f:spec: {f:replicas: {}, f:paused: {}}       each field that we own ...
    manifest:  spec: {replicas: 3, paused: false}           ... must be wanted,
    live:      spec: {replicas: 3, paused: false, ...}      must be live with the same value,
                                                            and nothing may be wanted that we do not own

Equal objects may fail to match (a default inside an atomic list, `1000m` for `1`): then a dry-run decides. An object
that an apply would change must never match; a property test holds this against the dry-run of a real API server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...model.objects import Body
from .fieldset import SELF, FieldSet, item_key, set_value
from .managed_fields import our_entry, owners

OtherFields = Sequence[FieldSet]  # what the other managers own, at the same node

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
        or any(owner.is_before_first_apply for owner in entries)
    ):
        return False
    top = {key: value for key, value in desired.items() if key not in _IDENTITY}
    top["metadata"] = {k: v for k, v in desired["metadata"].items() if k not in _METADATA_IDENTITY}
    others = [owner.fields for owner in entries if owner is not entry]
    return _map_matches(entry.fields, others, top, live)


def same(value: Any, other: Any) -> bool:
    """Whether two JSON values are of the same type and equal: `1` is neither `true` nor `1.0`."""
    kind = type(value)
    if kind is not type(other):
        return False
    if kind is dict:
        return value.keys() == other.keys() and all(same(child, other[key]) for key, child in value.items())
    if kind is list:
        return len(value) == len(other) and all(map(same, value, other))
    return bool(value == other)


def _value_matches(fields: FieldSet, others: OtherFields, desired: Any, live: Any) -> bool:
    """Whether a value is wanted and live alike, with exactly the fields of `fields`."""
    if not _has_members(fields):
        # Owned whole: a scalar, an empty map, an atomic list or map. Where others own members of it, it is a map
        # that is not atomic, and ours in it were lost to them.
        return desired is not None and same(desired, live) and not any(map(_has_members, others))
    if isinstance(desired, dict) and isinstance(live, dict):
        return _map_matches(fields, others, desired, live)
    if isinstance(desired, list) and isinstance(live, list):
        return _list_matches(fields, others, desired, live)
    return False


def _has_members(fields: FieldSet) -> bool:
    """Whether something below the node is a member, not only the node itself."""
    return len(fields) > (SELF in fields)


def _below(others: OtherFields, key: str) -> OtherFields:
    return [fields[key] for fields in others if key in fields] if others else others


def _map_matches(
    fields: FieldSet, others: OtherFields, desired: Mapping[str, Any], live: Mapping[str, Any]
) -> bool:
    """Whether each owned field is wanted and live, and each wanted field owned.

    A wanted field that nobody owns, such as an empty keyed list, does not match: it may have been ours.
    """
    matched = 0
    for key, node in fields.items():
        if key == SELF:
            continue
        name = key[2:]
        if (
            key[:2] != "f:"
            or name not in desired
            or name not in live
            or not _value_matches(node, _below(others, key), desired[name], live[name])
        ):
            return False
        matched += 1
    return matched == len(desired)


def _list_matches(fields: FieldSet, others: OtherFields, desired: list[Any], live: list[Any]) -> bool:
    """Whether each owned item of a keyed list or set is wanted and live, each wanted one owned, all in order."""
    live_indexes: dict[int, int] = {}  # index in desired -> index in live
    for key, node in fields.items():
        if key == SELF:
            continue
        indexes = _indexes_of(key, node, desired, live)
        if indexes is None or indexes[0] in live_indexes:
            return False
        live_indexes[indexes[0]] = indexes[1]
        if key[:2] == "k:" and not _map_matches(
            node, _below(others, key), desired[indexes[0]], live[indexes[1]]
        ):
            return False
    if len(live_indexes) != len(desired):
        return False
    order = [live_indexes[index] for index in range(len(desired))]
    return order == sorted(order)


def _indexes_of(key: str, node: FieldSet, desired: list[Any], live: list[Any]) -> tuple[int, int] | None:
    """Return the indexes of the item of a `k:` or `v:` key in both lists; None if it is not exactly once in each."""
    if key[:2] == "v:":
        value = set_value(key)
        desired_indexes = [i for i, item in enumerate(desired) if same(item, value)]
        live_indexes = [i for i, item in enumerate(live) if same(item, value)]
    elif key[:2] == "k:":
        keys = item_key(key)
        # A key field that the manifest leaves to its default is in the key, but not among the owned fields.
        key_fields = {name: value for name, value in keys.items() if f"f:{name}" in node}
        desired_indexes = [
            i for i in _matching(desired, key_fields) if keys.keys() & desired[i].keys() == key_fields.keys()
        ]
        live_indexes = _matching(live, keys)
    else:
        return None
    return (
        (desired_indexes[0], live_indexes[0])
        if len(desired_indexes) == 1 and len(live_indexes) == 1
        else None
    )


def _matching(items: Sequence[Any], keys: Mapping[str, Any]) -> list[int]:
    return [
        index
        for index, item in enumerate(items)
        if isinstance(item, dict)
        and all(name in item and same(item[name], value) for name, value in keys.items())
    ]
