# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patches and manifests by which others tamper with an object, drawn at random. The server may refuse any of them.

A draw is a `random.Random`: one with a seed, or one of Hypothesis's (`strategies.randoms`), which it can shrink.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.managed_fields import (
    FIELD_MANAGER,
)
from ansible_collections.plumb.gitops.tests.support.manifests.drawn import SAMPLE, VERSIONS, Body

Path = tuple[Any, ...]
Operation = dict[str, Any]

_NOT_CONTENT = {"apiVersion", "kind", "status"}
_EDITABLE_METADATA = {"labels", "annotations"}
_REVISION = "deployment.kubernetes.io/revision"
_VALUES: list[Any] = ["other", "", "UDP", 0, 1, 7, 1.0, True, False, None, [], {}, [{}], {"a": 1}, "1"]


def editable_values(body: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value of a body that somebody may write, with its path."""
    if path:
        yield path, body
    if isinstance(body, dict):
        for key in sorted(body):
            if len(path) == 0 and key in _NOT_CONTENT:
                continue
            if path == ("metadata",) and key not in _EDITABLE_METADATA:
                continue
            if key == _REVISION:
                continue  # a controller writes it some time later, and draws must not depend on when
            yield from editable_values(body[key], (*path, key))
    elif isinstance(body, list):
        for index, item in enumerate(body):
            yield from editable_values(item, (*path, index))


def pointer(path: Path) -> str:
    """Return a path as a JSON pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _draw_value(
    draw: random.Random, live: Body, types: type | tuple[type, ...] = object
) -> tuple[Path, Any] | None:
    values = [item for item in editable_values(live) if len(item[0]) > 1 and isinstance(item[1], types)]
    return draw.choice(values) if values else None


def _replace(draw: random.Random, live: Body) -> list[Operation]:
    drawn = _draw_value(draw, live)
    if drawn is None:
        return []
    return [{"op": "replace", "path": pointer(drawn[0]), "value": draw.choice(_VALUES)}]


def _retype(draw: random.Random, live: Body) -> list[Operation]:
    """Replace a value by one that seems the same and is not: 1 for true, "1" for 1."""
    drawn = _draw_value(draw, live, (int, bool, str))
    if drawn is None:
        return []
    value = drawn[1]
    if isinstance(value, bool):
        twin: Any = int(value)
    elif isinstance(value, int):
        twin = bool(value) if value in {0, 1} else str(value)
    else:
        twin = int(value) if value.isdecimal() else [value]
    return [{"op": "replace", "path": pointer(drawn[0]), "value": twin}]


def _remove(draw: random.Random, live: Body) -> list[Operation]:
    drawn = _draw_value(draw, live)
    return [{"op": "remove", "path": pointer(drawn[0])}] if drawn else []


def _reorder(draw: random.Random, live: Body) -> list[Operation]:
    drawn = _draw_value(draw, live, list)
    if drawn is None:
        return []
    return [{"op": "replace", "path": pointer(drawn[0]), "value": draw.sample(drawn[1], len(drawn[1]))}]


def _insert(draw: random.Random, live: Body) -> list[Operation]:
    """Add an item to a list or a key to a map: like an existing one, or something else."""
    drawn = _draw_value(draw, live, (list, dict))
    if drawn is None:
        return []
    path, value = drawn
    if isinstance(value, dict):
        return [{"op": "add", "path": pointer((*path, "added")), "value": draw.choice(_VALUES)}]
    item: Any = {}
    if value:
        item = deepcopy(draw.choice(value))
        if isinstance(item, dict):
            item |= {key: "added" for key in ("name", "host") if key in item}
            item |= {key: item[key] + 10 for key in ("port", "containerPort") if key in item}
        else:
            item = "added"
    at = draw.randint(0, len(value))
    return [{"op": "add", "path": pointer((*path, at)), "value": item}]


_EDITS = (_replace, _replace, _retype, _remove, _reorder, _insert, _insert)
EDITORS = ("kubectl-edit", "some-controller", FIELD_MANAGER)


def drawn_patch(draw: random.Random, live: Body) -> list[Operation]:
    """Return a JSON patch of a live object; empty where what was drawn cannot be done to it."""
    return draw.choice(_EDITS)(draw, live)


def drawn_managers(draw: random.Random, live: Body) -> list[Operation]:
    """Return a patch of managedFields: wiped, or one entry dropped, handed to another manager, or made an Update."""
    controllers = {"kube-controller-manager"}  # it comes some time later, and draws must not depend on when
    entries = [
        deepcopy(entry)
        for entry in live["metadata"].get("managedFields") or ()
        if entry.get("manager") not in controllers
    ]
    if not entries or draw.randint(0, 3) == 0:
        entries = [{}]
    else:
        at = draw.randint(0, len(entries) - 1)
        change = draw.choice([{"manager": "someone"}, {"operation": "Update"}, None])
        if change is None:
            del entries[at]
        else:
            entries[at] |= change
    return [{"op": "add", "path": "/metadata/managedFields", "value": entries or [{}]}]


def drawn_apply(draw: random.Random, desired: Body, live: Body) -> Body:
    """Return what somebody applies, maybe under our own name: the manifest or the live object, changed a little."""
    body = deepcopy(desired if draw.choice((False, True)) else {**desired, **_content(live)})
    for _ in range(draw.randint(0, 2)):
        paths = [path for path, _value in editable_values(body) if len(path) > 1]
        if not paths:
            break
        path = draw.choice(paths)
        if draw.choice((False, True)):
            _delete(body, path)
        else:
            _parent_of(body, path)[path[-1]] = draw.choice(_VALUES)
    if body["kind"] == SAMPLE and draw.choice((False, True)):
        body["apiVersion"] = f"{body['apiVersion'].partition('/')[0]}/{draw.choice(VERSIONS)}"
    return body


def _parent_of(body: Body, path: Path) -> Any:
    parent: Any = body
    for key in path[:-1]:
        parent = parent[key]
    return parent


def _delete(body: Body, path: Path) -> None:
    del _parent_of(body, path)[path[-1]]


def _content(live: Body) -> Body:
    metadata = {
        key: value
        for key, value in live["metadata"].items()
        if key in {*_EDITABLE_METADATA, "name", "namespace"}
    }
    return {**{key: value for key, value in live.items() if key not in _NOT_CONTENT}, "metadata": metadata}


def restore(live: Body) -> list[Operation]:
    """Return the patch that puts back what a person can edit, as it is in this state."""
    metadata = live["metadata"]
    parts = [("/" + key, value) for key, value in live.items() if key not in {*_NOT_CONTENT, "metadata"}]
    parts += [(f"/metadata/{key}", metadata[key]) for key in sorted(_EDITABLE_METADATA) if key in metadata]
    return [{"op": "add", "path": path, "value": value} for path, value in parts]


def without_drawn_value(draw: random.Random, body: Body) -> Body:
    """Return the manifest without one of its fields or list items."""
    paths = [path for path, _value in editable_values(body) if path != ("metadata",)]
    smaller = deepcopy(body)
    if paths:
        _delete(smaller, draw.choice(paths))
    return smaller


def split_at_drawn_value(draw: random.Random, body: Body) -> tuple[Path, Body]:
    """Return the path of a value below the first level, and the manifest without it; without one, () and a copy."""
    paths = [path for path, _value in editable_values(body) if len(path) > 1]
    path, smaller = draw.choice(paths) if paths else (), deepcopy(body)
    if path:
        _delete(smaller, path)
    return path, smaller


def other_values(body: Body, path: Path) -> list[Operation]:
    """Return a JSON patch that changes the text and numbers below a path, but none that a list's item is known by."""
    value: Any = body
    for key in path:
        value = value[key]
    scalars = [(path, value)] if not isinstance(value, dict | list) else []
    if isinstance(value, dict | list):
        scalars = [((*path, *below), leaf) for below, leaf in _leaves(value)]
    return [
        {"op": "replace", "path": pointer(where), "value": f"{leaf}x" if isinstance(leaf, str) else leaf + 1}
        for where, leaf in scalars
        if isinstance(leaf, str | int) and not isinstance(leaf, bool) and not _KEY_FIELDS & {*where[-2:]}
    ]


_KEY_FIELDS = {"name", "port", "containerPort", "protocol", "mountPath", "ip", "host", "type", "set"}


def _leaves(value: Any) -> Iterator[tuple[Path, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from (((key, *below), leaf) for below, leaf in _leaves(item))
        else:
            yield (key,), item


# What the server allocates to each object.
_ALLOCATED = {"clusterIP", "clusterIPs"}
_DIGEST = "plumb.gitops/manifest"
_FIELDS = "plumb.gitops/applied-fields"
_PART_OF = "applyset.kubernetes.io/part-of"


def comparable(live: Body) -> Body:
    """Return a live object's content, without what differs between two objects of one manifest."""
    content = _content(live)
    metadata = content.pop("metadata")
    labels = {k: v for k, v in metadata.get("labels", {}).items() if k != _PART_OF}
    annotations = {
        k: v for k, v in metadata.get("annotations", {}).items() if k not in {_DIGEST, _FIELDS, _REVISION}
    }
    spec = content.get("spec")
    if isinstance(spec, dict):
        content["spec"] = {key: value for key, value in spec.items() if key not in _ALLOCATED}
    return {**content, "labels": labels, "annotations": annotations}


def has_empty_list(value: Any) -> bool:
    """Return whether an empty list is in it. The server keeps no owner of an empty keyed list or set."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value == [] or any(map(has_empty_list, inner))
