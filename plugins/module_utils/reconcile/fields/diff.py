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

# Metadata that the server itself maintains: not part of a diff.
_SERVER_OWNED = frozenset(
    {"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"}
)

# Fields of a Secret that may be shown; every other value is hidden.
_SECRET_SHOWN: tuple[Path, ...] = (("f:type",), ("f:immutable",), ("f:metadata", "f:labels"))

Difference = tuple[Path, Any, Any]  # where, live, desired


def differences(live: Body, wanted: Body) -> tuple[Difference, ...]:
    """Return the fields in which `wanted` differs from `live`, by path; without status and the server's own fields."""
    shape = _shape(live, wanted)
    changes = _diff_maps(_content(live), _content(wanted), shape, ())
    return tuple(sorted(changes, key=lambda difference: difference[0]))


def masked(body: Body, path: Path, value: Any) -> Any:
    """Return the value as it may be shown: MASK for one of a Secret, but for its type, `immutable` and its labels."""
    if value is ABSENT or body.get("kind") != "Secret":
        return value
    return value if any(path[: len(shown)] == shown for shown in _SECRET_SHOWN) else MASK


def _content(body: Body) -> dict[str, Any]:
    content = {key: value for key, value in body.items() if key not in ("status", "apiVersion", "kind")}
    content["metadata"] = {key: value for key, value in body["metadata"].items() if key not in _SERVER_OWNED}
    return content


def _shape(*bodies: Body) -> FieldSet:
    shape: FieldSet = {}
    for body in bodies:
        for owner in owners(body):
            shape = union(shape, owner.fields)
    return shape


def _node(shape: FieldSet, key: str) -> FieldSet:
    node: FieldSet = shape.get(key, {})
    return node


def _diff_values(live: Any, wanted: Any, shape: FieldSet, path: Path) -> Iterator[Difference]:
    if same(live, wanted):
        return
    if isinstance(live, Mapping) and isinstance(wanted, Mapping):
        yield from _diff_maps(live, wanted, shape, path)
    elif isinstance(live, list) and isinstance(wanted, list):
        yield from _diff_lists(live, wanted, shape, path)
    else:
        yield path, live, wanted


def _diff_maps(
    live: Mapping[str, Any], wanted: Mapping[str, Any], shape: FieldSet, path: Path
) -> Iterator[Difference]:
    for name in sorted({*live, *wanted}):
        child_path = (*path, f"f:{name}")
        node = _node(shape, f"f:{name}")
        if name not in live:
            yield from _diff_one_sided(wanted[name], node, child_path, added=True)
        elif name not in wanted:
            yield from _diff_one_sided(live[name], node, child_path, added=False)
        else:
            yield from _diff_values(live[name], wanted[name], node, child_path)


def _diff_one_sided(value: Any, shape: FieldSet, path: Path, *, added: bool) -> Iterator[Difference]:
    """Yield a field that only one side has: a map of several fields one by one, so that a reader sees each."""
    if isinstance(value, Mapping) and value and any(key.startswith("f:") for key in shape):
        yield from _diff_maps({}, value, shape, path) if added else _diff_maps(value, {}, shape, path)
    else:
        yield (path, ABSENT, value) if added else (path, value, ABSENT)


def _diff_lists(live: list[Any], wanted: list[Any], shape: FieldSet, path: Path) -> Iterator[Difference]:
    names = next((tuple(item_key(key)) for key in shape if key.startswith("k:")), ())
    if names:
        before, after = _by_key(live, names), _by_key(wanted, names)
    elif any(key.startswith("v:") for key in shape):
        before, after = _by_value(live), _by_value(wanted)
    else:
        yield path, live, wanted  # atomic
        return
    if len(before) != len(live) or len(after) != len(wanted):
        yield path, live, wanted  # the keys do not tell the items apart: the list is shown whole
        return
    for key in sorted({*before, *after}):
        child_path = (*path, key)
        if key not in before or key not in after:
            yield child_path, before.get(key, ABSENT), after.get(key, ABSENT)
        else:
            yield from _diff_values(before[key], after[key], _node(shape, key), child_path)
    common = [key for key in before if key in after]
    if common != [key for key in after if key in before]:
        yield path, [_label(key) for key in before], [_label(key) for key in after]


def _by_key(items: list[Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return items under their `k:` keys, written as the server writes them: compact JSON, sorted names."""
    return {
        "k:"
        + json.dumps(
            {name: item[name] for name in sorted(names) if name in item}, separators=(",", ":")
        ): item
        for item in items
        if isinstance(item, Mapping)
    }


def _by_value(items: list[Any]) -> dict[str, Any]:
    return {"v:" + json.dumps(item, separators=(",", ":")): item for item in items}


def _label(key: str) -> Any:
    return "/".join(map(str, item_key(key).values())) if key.startswith("k:") else set_value(key)
