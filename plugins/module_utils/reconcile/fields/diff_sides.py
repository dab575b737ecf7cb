# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two sides of an object's diff: its manifest as in Git, and the same with what is live where the plan has changes.

The server's answers hold defaults, and values in a form of its own, which nobody wrote. So the sides are made from the
manifest, and only at the paths of the plan's changes from the server:

    live     replicas: 5   progressDeadlineSeconds: 600        before   replicas: 5
    outcome  replicas: 3   progressDeadlineSeconds: 600        after    replicas: 3
    Git      replicas: 3
    change   replicas

Both sides are equal exactly where the plan has no change.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode
from binascii import Error
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

from ...model.change import ABSENT, MASK
from ...model.compact import compact
from ...model.objects import Body
from .fieldset import SELF, FieldSet, Path, item_key
from .ownership_match import same
from .structure import KEY_DEFAULTS, index_of, items_by_key
from .yaml_lines import Changed, Verbatim

Paths = Mapping[Path, str]  # of changes, with how they are displayed
Sides = tuple[Any, Any]

_NAME = ""  # in a tree of paths: the key of what a node's own change is called
_KEY = os.urandom(32)  # of this process: without it nobody can try values on a digest

_SECRET_SHOWN = ("apiVersion", "kind", "type", "immutable")
_LABEL = re.compile(r"[A-Za-z0-9._-]{0,63}", re.ASCII)


def sides(live: Body, git: Body, outcome: Body, paths: Paths, shape: FieldSet) -> Sides:
    """Return the object before and after: the manifest, but at the paths of changes what is live, and what comes of it.

    `shape` are the fields that somebody owns in the live object. Values at the paths are `Changed`.
    """
    tree: dict[str, Any] = {}
    for path, name in paths.items():
        node = tree
        for key in path:
            node = node.setdefault(key, {})
        node[_NAME] = name
    return _sides(git, live, outcome, tree, shape)


def _sides(git: Any, live: Any, outcome: Any, node: Mapping[str, Any], shape: FieldSet) -> Sides:
    if _NAME in node:
        names = tuple(_names(node))
        before, after = _before(git, live, outcome, shape), _after(git, live, outcome)
        if same(before, after) and not same(live, outcome):
            before, after = live, outcome
        return _changed(before, names), _changed(after, names)
    if any(key[:2] == "f:" for key in node):
        before, after = _map_sides(git if isinstance(git, Mapping) else {}, live, outcome, node, shape)
    else:
        before, after = _list_sides(git if isinstance(git, list) else [], live, outcome, node, shape)
    return (
        ABSENT if not before and live is ABSENT else before,
        ABSENT if not after and git is ABSENT else after,
    )


def _map_sides(
    git: Mapping[str, Any], live: Any, outcome: Any, node: Mapping[str, Any], shape: FieldSet
) -> tuple[dict[str, Any], dict[str, Any]]:
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name in [*git, *(key[2:] for key in node if key[2:] not in git)]:
        key, value = f"f:{name}", git.get(name, ABSENT)
        old = new = value
        if key in node:
            old, new = _sides(value, _child(live, key), _child(outcome, key), node[key], shape.get(key, {}))
        elif live is ABSENT:
            old = ABSENT
        if old is not ABSENT:
            before[name] = old
        if new is not ABSENT:
            after[name] = new
    return before, after


def _list_sides(
    git: list[Any], live: Any, outcome: Any, node: Mapping[str, Any], shape: FieldSet
) -> tuple[list[Any], list[Any]]:
    keys = {index_of(git, key): key for key in node}
    before, after = [], []
    for index, item in enumerate(git):
        old = new = item
        if index in keys:
            key = keys[index]
            old, new = _sides(item, _child(live, key), _child(outcome, key), node[key], shape.get(key, {}))
        elif live is ABSENT:
            old = ABSENT
        before += [] if old is ABSENT else [old]
        after += [] if new is ABSENT else [new]
    for key in sorted(node, key=lambda key: index_of(live, key) or 0):
        if index_of(git, key) is None:
            old, new = _sides(ABSENT, _child(live, key), _child(outcome, key), node[key], shape.get(key, {}))
            before[index_of(live, key) or 0 : 0] = [] if old is ABSENT else [old]
            after += [] if new is ABSENT else [new]
    return before, after


def _names(node: Mapping[str, Any]) -> Iterator[str]:
    for key, child in node.items():
        if key == _NAME:
            yield child
        else:
            yield from _names(child)


def _changed(value: Any, names: tuple[str, ...]) -> Any:
    return value if value is ABSENT else Changed(value, names)


def _child(container: Any, key: str) -> Any:
    index = index_of(container, key)
    return ABSENT if index is None else container[index]


def _before(git: Any, live: Any, outcome: Any, shape: FieldSet) -> Any:
    """Return a live value in the manifest's form: what an apply leaves as it is is written as Git writes it."""
    if git is ABSENT:
        return owned_part(live, shape)
    if live is not ABSENT and same(live, outcome):
        return git
    if isinstance(git, Mapping) and isinstance(live, Mapping) and isinstance(outcome, Mapping):
        old = {
            key: _before(value, live[key], outcome.get(key, ABSENT), {})
            for key, value in git.items()
            if key in live
        }
        new = {
            key: value
            for key, value in live.items()
            if key not in git and not (key in outcome and same(value, outcome[key]))
        }
        return {**old, **new}
    lists = isinstance(git, list) and isinstance(live, list) and isinstance(outcome, list)
    if lists and len(git) == len(outcome):
        pairs = list(zip(git, live, outcome, strict=False))
        return [*(_before(*values, {}) for values in pairs), *live[len(pairs) :]]
    return live


def _after(git: Any, live: Any, outcome: Any) -> Any:
    """Return what Git has; where it has nothing, what the apply makes of it, unless it leaves it as it is."""
    if git is not ABSENT:
        return git
    return ABSENT if same(live, outcome) else outcome


def owned_part(value: Any, shape: FieldSet) -> Any:
    """Return what of a live value somebody owns; all of it where it is owned as a whole."""
    if not any(key != SELF for key in shape):
        return value
    if isinstance(value, Mapping):
        return {
            key: owned_part(child, shape[f"f:{key}"]) for key, child in value.items() if f"f:{key}" in shape
        }
    items = items_by_key(value, shape, "") if isinstance(value, list) else None
    if items is None:
        return value
    return [
        {**_written_key(key), **owned_part(item, shape[key])} if key[:2] == "k:" else item
        for key, item in items.items()
        if key in shape
    ]


def _written_key(key: str) -> dict[str, Any]:
    """Return the key fields of an item, but for those that a manifest may leave to their defaults."""
    return {name: value for name, value in item_key(key).items() if value != KEY_DEFAULTS.get(name)}


def without_secret_values(secret: Any) -> Any:
    """Return a Secret with a digest in place of each value but its type and its labels.

    Fields that no Secret has are left out: the server takes none, and what stands in their place may be a value.
    """
    if not isinstance(secret, Mapping):
        return secret
    shown = {name: secret[name] for name in _SECRET_SHOWN if name in secret}
    if "metadata" in secret:
        shown["metadata"] = _without_metadata_values(secret["metadata"])
    if "data" in secret:
        shown["data"] = _each(secret["data"], lambda value: _hidden(value, encoded=True))
    return {name: shown[name] for name in secret if name in shown}


def _without_metadata_values(metadata: Any) -> Any:
    hidden = _each(metadata, lambda value: _each(value, _hidden))
    if isinstance(hidden, Mapping):
        named = {name: metadata[name] for name in ("name", "namespace") if name in metadata}
        labels = {"labels": _each(metadata["labels"], _label)} if "labels" in metadata else {}
        return {name: {**hidden, **named, **labels}[name] for name in hidden}
    return hidden


def _each(value: Any, hide: Callable[[Any], Any]) -> Any:
    """Return a map with each of its values hidden, or anything else hidden as a whole."""
    if isinstance(value, Changed):
        return Changed(_each(value.value, hide), value.paths)
    return (
        {key: hide(child) for key, child in value.items()} if isinstance(value, Mapping) else _hidden(value)
    )


def _label(value: Any) -> Any:
    """Return a label as it is, if it can be one."""
    if isinstance(value, Changed):
        return Changed(_label(value.value), value.paths)
    return value if isinstance(value, str) and _LABEL.fullmatch(value) else _hidden(value)


def _hidden(value: Any, *, encoded: bool = False) -> Any:
    if isinstance(value, Changed):
        return Changed(_hidden(value.value, encoded=encoded), value.paths)
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    if value == MASK:
        return Verbatim(MASK)
    paths: list[str] = []
    content = _content(_unmarked(value, paths), encoded=encoded)
    digest = blake2b(content, key=_KEY, digest_size=6).hexdigest()
    text = Verbatim(f"<hidden: {len(content)} bytes, digest {digest}>")
    return Changed(text, tuple(paths)) if paths else text


def _unmarked(value: Any, paths: list[str]) -> Any:
    """Return a value without marks of changes, whose paths are appended to `paths`."""
    if isinstance(value, Changed):
        paths += value.paths
        return _unmarked(value.value, paths)
    if isinstance(value, Mapping):
        return {key: _unmarked(child, paths) for key, child in value.items()}
    return [_unmarked(item, paths) for item in value] if isinstance(value, list) else value


def _content(value: Any, *, encoded: bool) -> bytes:
    if not isinstance(value, str):
        return bytes(compact(value))
    try:
        return b64decode(value, validate=True) if encoded else value.encode()
    except (Error, ValueError):
        return value.encode(errors="replace")


def with_value(container: Any, path: Iterable[str], value: Any) -> Any:
    """Return a body with a value at a path, and with the maps and lists that lead to it."""
    key, *rest = path
    child = _child(container, key)
    if rest:
        new = dict(item_key(key)) if key[:2] == "k:" else {} if rest[0][:2] == "f:" else []
        value = with_value(new if child is ABSENT else child, rest, value)
    index = index_of(container, key)
    if key[:2] == "f:":
        return {**container, key[2:]: value}
    return [*container, value] if index is None else [*container[:index], value, *container[index + 1 :]]
