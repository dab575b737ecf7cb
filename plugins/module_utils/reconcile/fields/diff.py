# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Field by field: how two states of one object differ.

Both states come from the API server (the live object, and what a dry-run makes of it), so lists need a schema to be
matched item by item. managedFields has it: the keys under a list's path say whether it is keyed, a set, or atomic.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ...model.change import ABSENT, MASK
from ...model.objects import Body
from .fieldset import FieldSet, Path, item_key, set_value, union
from .managed_fields import owners
from .ownership_match import same

# What the server keeps for itself, and what says nothing to a reader of a diff.
_SERVER_OWNED = frozenset(
    {"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"}
)

# Fields of a Secret that may be shown; every other value is hidden.
_SECRET_SHOWN: tuple[Path, ...] = (("f:type",), ("f:immutable",), ("f:metadata", "f:labels"))

Difference = tuple[Path, Any, Any]  # where, live, desired


def differences(live: Body, wanted: Body) -> tuple[Difference, ...]:
    """Each field in which `wanted` differs from `live`, sorted by path; status and the server's own fields aside."""
    shape = _shape(live, wanted)
    found = _map(_compared(live), _compared(wanted), shape, ())
    return tuple(sorted(found, key=lambda difference: difference[0]))


def masked(body: Body, path: Path, value: Any) -> Any:
    """The value as it may be shown: hidden if it stands in a Secret, except what names rather than contains."""
    if value is ABSENT or body.get("kind") != "Secret":
        return value
    return value if any(path[: len(shown)] == shown for shown in _SECRET_SHOWN) else MASK


def _compared(body: Body) -> dict[str, Any]:
    kept = {key: value for key, value in body.items() if key not in ("status", "apiVersion", "kind")}
    kept["metadata"] = {key: value for key, value in body["metadata"].items() if key not in _SERVER_OWNED}
    return kept


def _shape(*bodies: Body) -> FieldSet:
    shape: FieldSet = {}
    for body in bodies:
        for owner in owners(body):
            shape = union(shape, owner.fields)
    return shape


def _node(shape: FieldSet, key: str) -> FieldSet:
    node: FieldSet = shape.get(key, {})
    return node


def _any(live: Any, wanted: Any, shape: FieldSet, path: Path) -> Iterator[Difference]:
    if same(live, wanted):
        return
    if isinstance(live, Mapping) and isinstance(wanted, Mapping):
        yield from _map(live, wanted, shape, path)
    elif isinstance(live, list) and isinstance(wanted, list):
        yield from _list(live, wanted, shape, path)
    else:
        yield path, live, wanted


def _map(
    live: Mapping[str, Any], wanted: Mapping[str, Any], shape: FieldSet, path: Path
) -> Iterator[Difference]:
    for name in sorted({*live, *wanted}):
        here = (*path, f"f:{name}")
        node = _node(shape, f"f:{name}")
        if name not in live:
            yield from _one_side(wanted[name], node, here, added=True)
        elif name not in wanted:
            yield from _one_side(live[name], node, here, added=False)
        else:
            yield from _any(live[name], wanted[name], node, here)


def _one_side(value: Any, shape: FieldSet, path: Path, *, added: bool) -> Iterator[Difference]:
    """A field that only one side has: a map of several is told field by field, so that a reader sees each."""
    if isinstance(value, Mapping) and value and any(key.startswith("f:") for key in shape):
        yield from _map({}, value, shape, path) if added else _map(value, {}, shape, path)
    else:
        yield (path, ABSENT, value) if added else (path, value, ABSENT)


def _list(live: list[Any], wanted: list[Any], shape: FieldSet, path: Path) -> Iterator[Difference]:
    names = next((tuple(item_key(key)) for key in shape if key.startswith("k:")), ())
    if names:
        before, after = _keyed(live, names), _keyed(wanted, names)
    elif any(key.startswith("v:") for key in shape):
        before, after = _valued(live), _valued(wanted)
    else:
        yield path, live, wanted  # atomic
        return
    if len(before) != len(live) or len(after) != len(wanted):
        yield path, live, wanted  # the keys do not tell the items apart: show it whole
        return
    for key in sorted({*before, *after}):
        here = (*path, key)
        if key not in before or key not in after:
            yield here, before.get(key, ABSENT), after.get(key, ABSENT)
        else:
            yield from _any(before[key], after[key], _node(shape, key), here)
    common = [key for key in before if key in after]
    if common != [key for key in after if key in before]:
        yield path, [_label(key) for key in before], [_label(key) for key in after]


def _keyed(items: list[Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Items under their `k:` keys, written as the server writes them: compact JSON, sorted names."""
    return {
        "k:"
        + json.dumps(
            {name: item[name] for name in sorted(names) if name in item}, separators=(",", ":")
        ): item
        for item in items
        if isinstance(item, Mapping)
    }


def _valued(items: list[Any]) -> dict[str, Any]:
    return {"v:" + json.dumps(item, separators=(",", ":")): item for item in items}


def _label(key: str) -> Any:
    return "/".join(map(str, item_key(key).values())) if key.startswith("k:") else set_value(key)
