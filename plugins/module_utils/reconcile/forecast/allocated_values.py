# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that the server allocates anew for each write: a dry-run shows some, but the write gets others.

Source: the allocators of Services (`pkg/registry/core/service/storage/alloc.go`, and `patchAllocatedValues` in
`storage.go` beside it) in Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...model.change import ABSENT, ALLOCATED
from ...model.objects import Body, GroupKind, ref_of
from ..drift.explain import value_at
from ..fields.fieldset import FieldSet, Path, owns
from ..fields.ownership_match import same
from ..fields.structure import index_of, items_by_key, with_item

_EACH = "*"  # stands for each item of a keyed list
_SERVICE = GroupKind("", "Service")
_ALLOCATED_FIELDS: Mapping[GroupKind, tuple[Path, ...]] = {
    _SERVICE: (
        ("f:spec", "f:clusterIP"),
        ("f:spec", "f:clusterIPs"),
        ("f:spec", "f:healthCheckNodePort"),
        ("f:spec", "f:ports", _EACH, "f:nodePort"),
    ),
}


def mask_allocated(live: Body, outcome: Body, git_fields: FieldSet) -> Body:
    """Return the outcome of a dry-run with ALLOCATED for each value that was allocated for this dry-run alone.

    `git_fields` are those that Git has.
    """
    for path in _ALLOCATED_FIELDS.get(ref_of(live).group_kind, ()):
        for concrete in _expanded(outcome, path, git_fields):
            value = value_at(outcome, concrete)
            if (
                value is not ABSENT
                and not owns(git_fields, concrete)
                and not same(value, value_at(live, concrete))
            ):
                outcome = _replaced(outcome, concrete, _node_port_of_same_name(live, outcome, concrete))
    return outcome


def _node_port_of_same_name(live: Body, outcome: Body, path: Path) -> Any:
    """Return what the server gives a port under another number: the node port of the live port of its name, if free."""
    if path[-1] != "f:nodePort":
        return ALLOCATED
    name = _name(value_at(outcome, path[:-1]))
    live_ports, ports = (value_at(body, path[:-2]) for body in (live, outcome))
    used = {port.get("nodePort") for port in ports if _name(port) != name}
    before = (port["nodePort"] for port in _list(live_ports) if _name(port) == name and "nodePort" in port)
    return next((value for value in before if value not in used), ALLOCATED)


def _name(port: Mapping[str, Any]) -> Any:
    return port.get("name", "")


def _list(value: Any) -> Sequence[Mapping[str, Any]]:
    return value if isinstance(value, list) else ()


def _expanded(body: Any, path: Path, shape: FieldSet, above: Path = ()) -> Iterator[Path]:
    """Yield the paths that a pattern stands for in a body, whose keyed lists the fields of an owner show."""
    if not path:
        yield above
        return
    if path[0] != _EACH:
        yield from _expanded(_child(body, path[0]), path[1:], shape.get(path[0], {}), (*above, path[0]))
        return
    items = items_by_key(body, shape, above[-1][2:]) if isinstance(body, list) else None
    for key in items or ():
        yield from _expanded(_child(body, key), path[1:], shape.get(key, {}), (*above, key))


def _child(body: Any, key: str) -> Any:
    index = index_of(body, key)
    return None if index is None else body[index]


def _replaced(body: Any, path: Sequence[str], value: Any) -> Any:
    index = index_of(body, path[0])
    if index is None:
        return body
    return with_item(body, index, _replaced(body[index], path[1:], value) if path[1:] else value)
