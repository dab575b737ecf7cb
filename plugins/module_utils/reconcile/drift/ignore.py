# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that are left to others: by rules of the app, and by an annotation on the manifest.

Only Git and the inventory decide this. An annotation on the live object counts for nothing: whoever may edit the object
could hide what he does. What is left to others is applied as it is live while it is ours (leaving it out of an apply
that owns it alone would reset it), and left out once somebody else owns it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from ...model.app import AdditionPolicy, AppSpec, IgnoreRule
from ...model.objects import Body, digest_of
from ..desired.manifests import DesiredObject
from ..fields.controller_fields import controlled_fields
from ..fields.fieldset import (
    SELF,
    FieldSet,
    Path,
    item_key,
    leaves,
    owns_exactly,
    set_value,
    union,
    without,
)
from ..fields.managed_fields import Owner, our_entry, owners
from ..fields.ownership_match import same
from ..fields.structure import (
    Shape,
    content_of,
    fields_of,
    index_of,
    items_by_key,
    shape_of,
    with_item,
    without_item,
)

ANNOTATION = "plumb.gitops/ignore"  # on a manifest: JSON pointers, separated by commas or blanks
_EVERY = "*"  # in a pointer: each item, or each key


@dataclass(frozen=True, slots=True)
class Ignored:
    """The fields of one object that are left to others."""

    policy: AdditionPolicy = AdditionPolicy.REPORT
    rules: tuple[IgnoreRule, ...] = ()
    paths: frozenset[Path] = frozenset()  # those of the live object that pointers without a manager lead to

    def covers(self, manager: str, path: Path) -> bool:
        """Whether an addition of this manager at this path is left alone."""
        return any(path[: len(known)] == known for known in self.paths) or any(
            rule.manager and fnmatchcase(manager, rule.manager) and _leads_to(rule.pointer, path)
            for rule in self.rules
        )

    def without_ignored(self, owner: Owner) -> FieldSet:
        """Return the fields of an owner that are not left to it."""
        fields: FieldSet = owner.fields
        for path in self.paths:
            fields = without(fields, path)
        for rule in self.rules:
            if rule.manager and fnmatchcase(owner.manager, rule.manager):
                depth = len(segments(rule.pointer))
                for path in {leaf[:depth] for leaf in leaves(fields) if _leads_to(rule.pointer, leaf)}:
                    fields = without(fields, path)
        return fields

    @property
    def digest(self) -> str:
        """A digest of the policy and the rules; empty for the default policy without rules."""
        if self.policy is AdditionPolicy.REPORT and not self.rules:
            return ""
        return digest_of([self.policy.value, [[r.pointer, r.manager] for r in self.rules]])


_NO_RULES = {policy: Ignored(policy) for policy in AdditionPolicy}


def ignored_of(app: AppSpec, wanted: DesiredObject) -> Ignored:
    """Return the rules of an app for this manifest, with those in its own annotation and those of controllers."""
    metadata = wanted.body["metadata"]
    pointers = str((metadata.get("annotations") or {}).get(ANNOTATION) or "")
    of_controllers = controlled_fields(wanted.ref.group_kind, wanted.body)
    if not pointers and not app.ignore and not of_controllers:
        return _NO_RULES[app.additions]
    own = tuple(IgnoreRule(pointer=pointer) for pointer in pointers.replace(",", " ").split())
    return Ignored(
        app.additions, (*(rule for rule in app.ignore if _is_for(rule, wanted)), *own, *of_controllers)
    )


def on_live(ignored: Ignored, live: Body) -> Ignored:
    """Return the same, with the paths that its pointers lead to in the live object."""
    without_manager = [rule for rule in ignored.rules if not rule.manager]
    if not without_manager:
        return ignored
    shape = shape_of(owner.fields for owner in owners(live))
    shape = union(shape or {}, fields_of(content_of(live), shape))  # a field may have no owner
    return replace(
        ignored,
        paths=frozenset(path for rule in without_manager for path in _paths(rule.pointer, shape, live)),
    )


def left_to_others(ignored: Ignored, wanted: DesiredObject, live: Body) -> DesiredObject:
    """Return the manifest with what is left to others: as it is live where we own it, and left out where we do not."""
    entries = owners(live)
    entry = our_entry(entries)
    theirs: set[Path] = {path for path in ignored.paths if path[0] != "f:status"}
    for rule in ignored.rules:
        if rule.manager:
            theirs |= {
                path
                for owner in entries
                if not owner.is_ours and fnmatchcase(owner.manager, rule.manager)
                for path in leaves(owner.fields)
                if _leads_to(rule.pointer, path) and path[0] != "f:status"
            }
    body: Any = wanted.body
    for path in sorted(theirs):
        is_ours = entry is not None and (owns_exactly(entry.fields, path) or _owns_below(entry, path))
        body = _with_live(body, live, path, keep=is_ours)
    return wanted if body is wanted.body else replace(wanted, body=body)


def _owns_below(entry: Owner, path: Path) -> bool:
    node: FieldSet = entry.fields
    for key in path:
        if key not in node:
            return False
        node = node[key]
    return True


def _is_for(rule: IgnoreRule, wanted: DesiredObject) -> bool:
    labels = wanted.body["metadata"].get("labels") or {}
    kind = wanted.ref.group_kind
    return (
        (not rule.kind or fnmatchcase(str(kind), rule.kind) or fnmatchcase(kind.kind, rule.kind))
        and (not rule.name or fnmatchcase(wanted.ref.name, rule.name))
        and all(same(labels.get(name), value) for name, value in rule.labels)
    )


def segments(pointer: str) -> tuple[str, ...]:
    """Return the unescaped segments of a JSON pointer (RFC 6901); none of the empty one, which means all."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def _leads_to(pointer: str, path: Path) -> bool:
    """Whether a pointer names the path or something above it."""
    names = segments(pointer)
    return len(names) <= len(path) and all(
        name == _EVERY or (key[2:] == name if key[:2] == "f:" else name in selectors(key))
        for name, key in zip(names, path, strict=False)
    )


def _paths(pointer: str, shape: FieldSet, live: Any) -> Iterator[Path]:
    """Yield the paths of managedFields that a pointer leads to in an object; a list's items by key, or `*` for all."""

    def walk(names: Sequence[str], node: FieldSet, value: Any, above: Path) -> Iterator[Path]:
        if not names:
            yield above
            return
        name, rest = names[0], names[1:]
        for key, below in node.items():
            if key != SELF and _selects(key, name):
                yield from walk(rest, below, _child(value, key), (*above, key))

    yield from walk(segments(pointer), shape, live, ())


def _selects(key: str, name: str) -> bool:
    return name == _EVERY or (key[2:] == name if key[:2] == "f:" else name in selectors(key))


def selectors(key: str) -> tuple[str, ...]:
    """Return how a pointer may name an item of a list: by its whole key or by one field of it.

    A key is written `containerPort=80,protocol=TCP`. A value of a set is named by itself after `=`.
    """
    if key[:2] == "v:":
        return (f"={_shown(set_value(key))}",)
    if key[:2] != "k:":
        return ()
    parts = [f"{name}={_shown(value)}" for name, value in sorted(item_key(key).items())]
    return (",".join(parts), *parts)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def item_index_error(ignored: Ignored, wanted: Body, live: Body | None) -> str:
    """Return why a rule is wrong: it names an item of a list by its index, which another item has after a commit."""
    shape = shape_of(owner.fields for owner in owners(live)) if live is not None else None
    for rule in ignored.rules:
        for body in (wanted, *((live,) if live is not None else ())):
            better = _with_keys(segments(rule.pointer), body, shape)
            if better is not None:
                return (
                    f"ignore names {rule.pointer}: an item of a list by its number, which is another one once a commit"
                    f" inserts before it. Write {_pointer(better)}."
                )
    return ""


def _with_keys(names: Sequence[str], value: Any, shape: Shape, list_name: str = "") -> tuple[str, ...] | None:
    """Return the segments of a pointer with a key instead of the first index of an item; None if it has no index."""
    if not names:
        return None
    name, rest = names[0], tuple(names[1:])
    if isinstance(value, list):
        items = items_by_key(value, shape, list_name) or {}
        if name.isdecimal():
            keys = list(items)
            known = selectors(keys[int(name)])[0] if int(name) < len(keys) else _EVERY
            return (known, *rest) if keys else ()  # a list that is owned whole is named as a whole
        below = [(key, name, item) for key, item in items.items() if _selects(key, name)]
    elif isinstance(value, Mapping):
        chosen = list(value) if name == _EVERY else [name] if name in value else []
        below = [(f"f:{key}", key, value[key]) for key in chosen]
    else:
        return None
    for key, child_list_name, inner in below:
        deeper = _with_keys(rest, inner, shape.get(key) if shape else None, child_list_name)
        if deeper is not None:
            return (name, *deeper)
    return None


def _pointer(names: Sequence[str]) -> str:
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


def find_value(body: Any, path: Path) -> Any:
    """Return the value at a path of a manifest or a live object; None where there is none."""
    for key in path:
        body = _child(body, key)
    return body


def _child(container: Any, key: str) -> Any:
    """Return what a key of managedFields leads to; None where there is nothing."""
    index = index_of(container, key)
    return None if index is None else container[index]


def _with_live(wanted: Any, live: Any, path: Path, *, keep: bool) -> Any:
    """Return `wanted` with the live value at the path (`keep`, and there is one), or without the path."""
    index, live_index = index_of(wanted, path[0]), index_of(live, path[0])
    if len(path) == 1:
        if keep and live_index is not None:
            value = live[live_index]
            if index is None:
                return wanted
            return with_item(wanted, index, value)
        return wanted if index is None else without_item(wanted, index)
    if index is None:
        return wanted
    inner = _with_live(
        wanted[index], live[live_index] if live_index is not None else None, path[1:], keep=keep
    )
    return wanted if inner is wanted[index] else with_item(wanted, index, inner)
