# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of fields as managedFields writes them (fieldsV1), and the paths in them.

A set is a tree of maps. A key is `f:NAME` (a field), `k:{...}` (an item of a keyed list), `v:VALUE` (a value of a set)
or `i:N` (an item by index). A key whose value is empty is a member; `.` marks a node with children that is a member
itself. Source: sigs.k8s.io/structured-merge-diff, fieldpath/serialize.go.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

FieldSet = Mapping[str, Any]
Path = tuple[str, ...]  # the keys from the root: ("f:spec", "f:replicas")

SELF = "."


def union(first: FieldSet, second: FieldSet) -> dict[str, Any]:
    """Return the fields that are in either set."""
    merged: dict[str, Any] = {}
    for key in [*first, *(key for key in second if key not in first)]:
        if key not in second:
            merged[key] = first[key]
        elif key not in first:
            merged[key] = second[key]
        else:
            merged[key] = _union_node(first[key], second[key])
    return merged


def _union_node(first: FieldSet, second: FieldSet) -> dict[str, Any]:
    """Merge two nodes under one key: an empty one is a member, which a merge with children must keep as `.`."""
    if not first and not second:
        return {}
    merged = union(first, second)
    if not first or not second:
        merged[SELF] = {}
    return merged


def subtract(first: FieldSet, second: FieldSet) -> dict[str, Any]:
    """Return the fields of `first` that are not members of `second`."""
    left: dict[str, Any] = {}
    for key, node in first.items():
        if key == SELF:
            if SELF not in second:
                left[SELF] = {}
        elif key not in second:
            left[key] = node
        else:
            rest = _subtract_node(node, second[key])
            if rest is not None:
                left[key] = rest
    return left


def _subtract_node(first: FieldSet, second: FieldSet) -> dict[str, Any] | None:
    if not first:  # a leaf member: gone if the other has it as a member too
        return None if is_member_node(second) else {}
    rest = subtract(first, {**second, SELF: {}} if is_member_node(second) else second)
    if not rest:
        return None
    # A node that has only "." left is the leaf itself.
    return {} if set(rest) == {SELF} else rest


def intersect(first: FieldSet, second: FieldSet) -> dict[str, Any]:
    """Return the fields that are members of both sets."""
    return subtract(first, subtract(first, second))


def is_member_node(node: FieldSet) -> bool:
    """Whether the node itself is a member, not only something below it."""
    return not node or SELF in node


def leaves(fields: FieldSet, prefix: Path = ()) -> Iterator[Path]:
    """Yield the paths of all members that have no member below them, sorted."""
    for key in sorted(fields):
        if key == SELF:
            continue
        node = fields[key]
        if any(child != SELF for child in node):
            yield from leaves(node, (*prefix, key))
        else:
            yield (*prefix, key)


def set_of_paths(paths: Iterable[Path]) -> dict[str, Any]:
    """Return the set whose members these paths are."""
    fields: dict[str, Any] = {}
    for path in paths:
        node: FieldSet = {}
        for key in reversed(path):
            node = {key: node}
        fields = union(fields, node)
    return fields


def without(fields: FieldSet, path: Path) -> FieldSet:
    """Return the set without the member at a path, all below it, and what holds nothing else."""
    head, rest = path[0], path[1:]
    if head not in fields:
        return fields
    if not rest:
        return {key: node for key, node in fields.items() if key != head}
    below = without(fields[head], rest)
    if not below and fields[head]:
        return {key: node for key, node in fields.items() if key != head}
    return {**fields, head: below}


def owns(fields: FieldSet, path: Path) -> bool:
    """Whether the path, something above it that is owned whole, or something below it, is in the set."""
    node: FieldSet = fields
    for key in path:
        if key not in node:
            return False
        node = node[key]
        if not node:
            return True  # a leaf: owned whole, with all below
    return True


def owns_exactly(fields: FieldSet, path: Path) -> bool:
    """Whether the path itself is a member."""
    node: FieldSet = fields
    for key in path:
        if key not in node:
            return False
        node = node[key]
    return is_member_node(node)


@lru_cache(maxsize=4096)
def item_key(key: str) -> Mapping[str, Any]:
    """Return the key fields of a `k:` item: `k:{"containerPort":80,"protocol":"TCP"}`."""
    loaded: Mapping[str, Any] = json.loads(key[2:])
    return loaded


@lru_cache(maxsize=4096)
def set_value(key: str) -> Any:
    """Return the value of a `v:` item."""
    return json.loads(key[2:])


def display(path: Path) -> str:
    """Return a path as people write it: `spec.containers[main].ports[80/TCP].hostPort`, `metadata.labels[a.b/c]`."""
    shown = ""
    for key in path:
        kind, _colon, name = key.partition(":")
        if kind == "f" and name.replace("-", "").replace("_", "").replace("$", "").isalnum():
            shown += f".{name}" if shown else name
        elif kind == "k":
            shown += "[" + "/".join(str(value) for value in item_key(key).values()) + "]"
        elif kind == "v":
            shown += f"[={set_value(key)}]"
        else:
            shown += f"[{name}]"
    return shown
