# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that exclude each other: which live fields beside Git's have to go, so that the server accepts the object.

An apply leaves alone what it neither sets nor owns: a default, or the other branch that somebody has set. Where the
server refuses both together, its causes name a field:

    live:      strategy: {type: RollingUpdate, rollingUpdate: {...}}
    manifest:  strategy: {type: Recreate}
    refusal:   spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'

The live fields at that place that Git does not have are left out in dry-runs until the object is valid, then one by one
put back as long as it stays valid. There is no list of such fields, so custom resources work as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...cluster.errors import Invalid
from ...cluster.requests.api_status import StatusCause
from ...model.objects import Body, GroupKind
from ..drift.ignore import Ignored
from ..fields.fieldset import SELF, FieldSet, Path, leaves, owns, union
from ..fields.known_writers import is_expected
from ..fields.managed_fields import Owner, owners, without_never_folded
from ..fields.structure import Shape, content_of, fields_of, items_by_key
from .rewrite import Forecast

_ROUNDS = 3  # a server may name one either-or after another
_MOST_BRANCHES = 24  # fields that are tried one by one
_QUOTED = re.compile(r'"([^"\s]+)"')
_SEGMENT = re.compile(r"\[[^\]]*\]|[^.\[\]]+")


@dataclass(frozen=True, slots=True)
class Branch:
    """A live field that Git does not have, with all that is below it."""

    path: Path
    fields: FieldSet  # from the root


@dataclass(frozen=True, slots=True)
class Branches:
    """The branches that may be removed, and those that may not because of their owners."""

    free: tuple[Branch, ...]
    held: tuple[tuple[Path, Owner], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplySides:
    """The live object and the manifest of an apply, and which managers may not lose a field to it."""

    live: Body
    wanted: Body
    kind: GroupKind
    ignored: Ignored
    from_appliers: bool  # the app takes fields from other appliers
    not_conflicting: frozenset[str]  # appliers that may lose what they own

    def branches(self, error: Invalid) -> Branches:
        """Return the live fields beside those that a refusal names."""
        entries = owners(self.live)
        shape: FieldSet = {}
        for owner in entries:
            shape = union(shape, owner.fields)
        live, wanted = content_of(self.live), content_of(self.wanted)
        fields_of_path = {
            path: fields
            for cause in error.causes
            for field in _fields_named(cause)
            for path, fields in _fields_beside(_SEGMENT.findall(field), live, wanted, shape, ())
            if path[0] not in ("f:metadata", "f:status")
        }
        free: list[Branch] = []
        held: list[tuple[Path, Owner]] = []
        for path, fields in sorted(fields_of_path.items()):
            owner_of_branch = next((owner for owner in entries if self._keeps(owner, path, fields)), None)
            if owner_of_branch is not None:
                held.append((path, owner_of_branch))
            elif without_never_folded(fields) == fields:
                free.append(Branch(path, _with_owned_below(path, fields, entries)))
        return Branches(tuple(free), tuple(held))

    def _keeps(self, owner: Owner, path: Path, fields: FieldSet) -> bool:
        """Whether the owner has something of a branch and may not lose it."""
        if owner.is_ours or not owns(owner.fields, path):
            return False
        if owner.subresource or (
            owner.is_applier and not self.from_appliers and owner.manager not in self.not_conflicting
        ):
            return True
        paths = [path, *leaves(fields)]
        return any(is_expected(owner.manager, self.kind, below) for below in paths) or any(
            self.ignored.covers(owner.manager, below) for below in paths
        )


def without_other_branch(
    error: Invalid, sides: ApplySides, outcome: Callable[[FieldSet], Forecast]
) -> Forecast | None:
    """Return the forecast without the fewest fields that make the object valid; None where no such fields do.

    `outcome` returns the forecast without a set of fields, by a dry-run; it raises Invalid where that is refused.
    """
    taken: FieldSet = {}
    for _round in range(_ROUNDS):
        free = sides.branches(error).free
        if not free or len(free) > _MOST_BRANCHES:
            return None
        everything = _union_of(free, taken)
        try:
            expected = outcome(everything)
        except Invalid as later:
            if later.causes == error.causes:
                return None
            error, taken = later, everything
            continue
        return _fewest(free, taken, expected, outcome)
    return None


def _fewest(
    free: Sequence[Branch], taken: FieldSet, expected: Forecast, outcome: Callable[[FieldSet], Forecast]
) -> Forecast:
    needed = list(free)
    for branch in free if len(free) > 1 else ():
        fewer = [other for other in needed if other is not branch]
        try:
            expected = outcome(_union_of(fewer, taken))
        except Invalid:
            continue
        needed = fewer
    return expected


def _union_of(branches: Sequence[Branch], fields: FieldSet) -> FieldSet:
    for branch in branches:
        fields = union(fields, branch.fields)
    return fields


def _fields_named(cause: StatusCause) -> Sequence[str]:
    """Return the fields that a cause names; for `oneOf` in the schema of a custom resource, those in its message."""
    return _QUOTED.findall(cause.message) if cause.field in ("", "<nil>") else [cause.field]


def _fields_beside(
    segments: Sequence[str], live: Any, wanted: Any, shape: Shape, above: Path, *, name: str = ""
) -> Iterator[tuple[Path, FieldSet]]:
    """Yield live fields that Git does not have: the named one, or those beside or below it, as deep as it leads."""
    if isinstance(live, list) and isinstance(wanted, list):
        live_items, wanted_items = items_by_key(live, shape, name), items_by_key(wanted, shape, name)
        # An index in a cause is one of the merged list, so each item is tried.
        for key in live_items or {} if segments and wanted_items is not None else ():
            if live_items is not None and wanted_items is not None and key in wanted_items:
                below = shape.get(key) if shape else None
                yield from _fields_beside(
                    segments[1:], live_items[key], wanted_items[key], below, (*above, key)
                )
        return
    if not (isinstance(live, Mapping) and isinstance(wanted, Mapping)) or shape == {}:
        return
    key = segments[0].strip("[]") if segments else ""
    if key in live and key in wanted:
        below = shape.get(f"f:{key}") if shape else None
        deeper = [
            *_fields_beside(segments[1:], live[key], wanted[key], below, (*above, f"f:{key}"), name=key)
        ]
        if deeper:
            yield from deeper
            return
    is_named = key in live and key not in wanted
    for field in [key] if is_named else [other for other in live if other not in wanted]:
        path = (*above, f"f:{field}")
        below = shape.get(path[-1]) if shape else None
        yield path, _field_set_at(path, {SELF: {}, **fields_of(live[field], below, field)})


def _with_owned_below(path: Path, fields: FieldSet, entries: Sequence[Owner]) -> FieldSet:
    """Return the fields of a branch with what managers own of it: also the maps themselves, which would remain."""
    for owner in entries:
        node: FieldSet | None = owner.fields
        for key in path:
            node = node.get(key) if node else None
        if node:
            fields = union(fields, _field_set_at(path, node))
    return fields


def _field_set_at(path: Path, node: FieldSet) -> FieldSet:
    fields: FieldSet = {} if set(node) == {SELF} else node
    for key in reversed(path):
        fields = {key: fields}
    return fields
