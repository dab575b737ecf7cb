# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others do to an object behind Plumb's back, drawn at random. The server may refuse any of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.managed_fields import (
    FIELD_MANAGER,
)
from ansible_collections.plumb.gitops.tests.support.manifests.drawn import SAMPLE, VERSIONS, Body

Draw = Callable[[st.SearchStrategy[Any]], Any]
Operation = dict[str, Any]

_NOT_CONTENT = {"apiVersion", "kind", "status"}
_EDITABLE_METADATA = {"labels", "annotations"}
_REVISION = "deployment.kubernetes.io/revision"
_VALUES: list[Any] = ["other", "", "UDP", 0, 1, 7, 1.0, True, False, None, [], {}, [{}], {"a": 1}, "1"]


def nodes(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value of a body that somebody may write, with its path."""
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
            yield from nodes(body[key], (*path, key))
    elif isinstance(body, list):
        for index, item in enumerate(body):
            yield from nodes(item, (*path, index))


def pointer(path: tuple[Any, ...]) -> str:
    """A path as a JSON pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _place(
    draw: Draw, live: Body, wanted: type | tuple[type, ...] = object
) -> tuple[tuple[Any, ...], Any] | None:
    found = [(path, value) for path, value in nodes(live) if len(path) > 1 and isinstance(value, wanted)]
    return draw(st.sampled_from(found)) if found else None


def _replace(draw: Draw, live: Body) -> list[Operation]:
    place = _place(draw, live)
    if place is None:
        return []
    return [{"op": "replace", "path": pointer(place[0]), "value": draw(st.sampled_from(_VALUES))}]


def _retype(draw: Draw, live: Body) -> list[Operation]:
    """1 for true, "1" for 1: what looks the same and is not."""
    place = _place(draw, live, (int, bool, str))
    if place is None:
        return []
    value = place[1]
    if isinstance(value, bool):
        twin: Any = int(value)
    elif isinstance(value, int):
        twin = bool(value) if value in {0, 1} else str(value)
    else:
        twin = int(value) if value.isdecimal() else [value]
    return [{"op": "replace", "path": pointer(place[0]), "value": twin}]


def _remove(draw: Draw, live: Body) -> list[Operation]:
    place = _place(draw, live)
    return [{"op": "remove", "path": pointer(place[0])}] if place else []


def _reorder(draw: Draw, live: Body) -> list[Operation]:
    place = _place(draw, live, list)
    if place is None:
        return []
    return [{"op": "replace", "path": pointer(place[0]), "value": draw(st.permutations(place[1]))}]


def _insert(draw: Draw, live: Body) -> list[Operation]:
    """An item more in a list, or a key more in a map: like one that is there, or something else."""
    place = _place(draw, live, (list, dict))
    if place is None:
        return []
    path, value = place
    if isinstance(value, dict):
        return [{"op": "add", "path": pointer((*path, "added")), "value": draw(st.sampled_from(_VALUES))}]
    item: Any = {}
    if value:
        item = deepcopy(draw(st.sampled_from(value)))
        if isinstance(item, dict):
            item |= {key: "added" for key in ("name", "host") if key in item}
            item |= {key: item[key] + 10 for key in ("port", "containerPort") if key in item}
        else:
            item = "added"
    at = draw(st.integers(0, len(value)))
    return [{"op": "add", "path": pointer((*path, at)), "value": item}]


_EDITS = (_replace, _replace, _retype, _remove, _reorder, _insert, _insert)
EDITORS = ("kubectl-edit", "some-controller", FIELD_MANAGER)


def edit(draw: Draw, live: Body) -> list[Operation]:
    """One JSON patch."""
    chosen = draw(st.sampled_from(_EDITS))
    made: list[Operation] = chosen(draw, live)
    return made


def rewrite_managers(draw: Draw, live: Body) -> list[Operation]:
    """managedFields wiped, or one entry dropped, handed to another manager, or made an Update."""
    controllers = {"kube-controller-manager"}  # it comes some time later, and draws must not depend on when
    entries = [
        deepcopy(entry)
        for entry in live["metadata"].get("managedFields") or ()
        if entry.get("manager") not in controllers
    ]
    if not entries or draw(st.integers(0, 3)) == 0:
        entries = [{}]
    else:
        at = draw(st.integers(0, len(entries) - 1))
        change = draw(st.sampled_from([{"manager": "someone"}, {"operation": "Update"}, None]))
        if change is None:
            del entries[at]
        else:
            entries[at] |= change
    return [{"op": "add", "path": "/metadata/managedFields", "value": entries or [{}]}]


def claim(draw: Draw, desired: Body, live: Body) -> Body:
    """What somebody applies, maybe under our own name: the manifest or the live object, changed a little."""
    said = deepcopy(desired if draw(st.booleans()) else {**desired, **_content(live)})
    for _ in range(draw(st.integers(0, 2))):
        places = [path for path, _value in nodes(said) if len(path) > 1]
        if not places:
            break
        path = draw(st.sampled_from(places))
        holder: Any = said
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.booleans()):
            del holder[path[-1]]
        else:
            holder[path[-1]] = draw(st.sampled_from(_VALUES))
    if said["kind"] == SAMPLE and draw(st.booleans()):
        said["apiVersion"] = f"{said['apiVersion'].partition('/')[0]}/{draw(st.sampled_from(VERSIONS))}"
    return said


def _content(live: Body) -> Body:
    kept = {key: value for key, value in live.items() if key not in _NOT_CONTENT}
    metadata = live["metadata"]
    kept["metadata"] = {
        key: value for key, value in metadata.items() if key in {*_EDITABLE_METADATA, "name", "namespace"}
    }
    return kept


def restore(live: Body) -> list[Operation]:
    """The patch that puts back what a person can edit, as it is in this state."""
    metadata = live["metadata"]
    parts = [("/" + key, value) for key, value in live.items() if key not in {*_NOT_CONTENT, "metadata"}]
    parts += [(f"/metadata/{key}", metadata[key]) for key in sorted(_EDITABLE_METADATA) if key in metadata]
    return [{"op": "add", "path": path, "value": value} for path, value in parts]


def without_one(draw: Draw, body: Body) -> Body:
    """The manifest without one of its fields or list items."""
    less = deepcopy(body)
    places = [path for path, _value in nodes(body) if path != ("metadata",)]
    if places:
        path = draw(st.sampled_from(places))
        holder: Any = less
        for key in path[:-1]:
            holder = holder[key]
        del holder[path[-1]]
    return less


def without_place(draw: Draw, body: Body) -> tuple[tuple[Any, ...], Body]:
    """A place in a manifest, and the manifest without it."""
    places = [path for path, _value in nodes(body) if len(path) > 1]
    path = draw(st.sampled_from(places)) if places else ()
    less = deepcopy(body)
    holder: Any = less
    for key in path[:-1]:
        holder = holder[key]
    if path:
        del holder[path[-1]]
    return path, less


def other_values(body: Body, path: tuple[Any, ...]) -> list[Operation]:
    """A JSON patch that changes values at a place: text and numbers, but none that an item of a list is known by."""
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


def _leaves(value: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from (((key, *below), leaf) for below, leaf in _leaves(item))
        else:
            yield (key,), item


# What the server or a controller writes into each object on its own.
_ITS_OWN = {"clusterIP", "clusterIPs"}
_DIGEST = "plumb.gitops/manifest"
_FIELDS = "plumb.gitops/applied-fields"
_PART_OF = "applyset.kubernetes.io/part-of"


def said(live: Body) -> Body:
    """What a live object says, without what differs between two objects of one manifest."""
    content = _content(live)
    metadata = content.pop("metadata")
    labels = {k: v for k, v in metadata.get("labels", {}).items() if k != _PART_OF}
    notes = {
        k: v for k, v in metadata.get("annotations", {}).items() if k not in {_DIGEST, _FIELDS, _REVISION}
    }
    spec = content.get("spec")
    if isinstance(spec, dict):
        content["spec"] = {key: value for key, value in spec.items() if key not in _ITS_OWN}
    return {**content, "labels": labels, "annotations": notes}


def has_empty_list(value: Any) -> bool:
    """Whether an empty list is in it. The server keeps no owner of an empty keyed list or set."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value == [] or any(map(has_empty_list, inner))
