# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Either-or fields: what of a live object stands beside what Git says, so that the server takes neither.

An apply leaves alone what it does not say and does not own: a default, or the other branch that somebody has put there.
Where the server refuses both together, its causes name a field. The live fields there that Git does not say are tried
without, by dry-runs, until the object is valid; no list of such fields is kept, so custom resources are served as well.
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
    """A live field that Git does not say, with all that is below it."""

    path: Path
    fields: FieldSet  # from the root


@dataclass(frozen=True, slots=True)
class Branches:
    """What may be taken away, and what may not because of those who hold it."""

    free: tuple[Branch, ...]
    held: tuple[tuple[Path, Owner], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both sides of an apply, and who may not lose a field to it."""

    live: Body
    wanted: Body
    kind: GroupKind
    ignored: Ignored
    from_appliers: bool  # the app takes fields from other appliers
    no_rivals: frozenset[str]  # appliers that may lose what they hold

    def branches(self, error: Invalid) -> Branches:
        """What stands beside the fields that a refusal names."""
        entries = owners(self.live)
        shape: FieldSet = {}
        for owner in entries:
            shape = union(shape, owner.fields)
        live, wanted = content_of(self.live), content_of(self.wanted)
        found = {
            path: fields
            for cause in error.causes
            for field in _fields_named(cause)
            for path, fields in _beside(_SEGMENT.findall(field), live, wanted, shape, ())
            if path[0] not in ("f:metadata", "f:status")
        }
        free: list[Branch] = []
        held: list[tuple[Path, Owner]] = []
        for path, fields in sorted(found.items()):
            holder = next((owner for owner in entries if self._keeps(owner, path, fields)), None)
            if holder is not None:
                held.append((path, holder))
            elif without_never_folded(fields) == fields:
                free.append(Branch(path, _with_theirs(path, fields, entries)))
        return Branches(tuple(free), tuple(held))

    def _keeps(self, owner: Owner, path: Path, fields: FieldSet) -> bool:
        """Whether the owner holds something of a branch and may not lose it."""
        if owner.is_ours or not owns(owner.fields, path):
            return False
        if owner.subresource or (
            owner.is_applier and not self.from_appliers and owner.manager not in self.no_rivals
        ):
            return True
        below = [path, *leaves(fields)]
        return any(is_expected(owner.manager, self.kind, one) for one in below) or any(
            self.ignored.covers(owner.manager, one) for one in below
        )


def without_other_branch(
    error: Invalid, sides: Sides, outcome: Callable[[FieldSet], Forecast]
) -> Forecast | None:
    """What comes of an object without the fewest fields that the server does not take; None where that is not it.

    `outcome` asks the server what the object is without a set of fields; it raises Invalid where that is refused.
    """
    taken: FieldSet = {}
    for _round in range(_ROUNDS):
        free = sides.branches(error).free
        if not free or len(free) > _MOST_BRANCHES:
            return None
        everything = _all(free, taken)
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
    kept = list(free)
    for branch in free if len(free) > 1 else ():
        fewer = [one for one in kept if one is not branch]
        try:
            expected = outcome(_all(fewer, taken))
        except Invalid:
            continue
        kept = fewer
    return expected


def _all(branches: Sequence[Branch], fields: FieldSet) -> FieldSet:
    for branch in branches:
        fields = union(fields, branch.fields)
    return fields


def _fields_named(cause: StatusCause) -> Sequence[str]:
    """The fields that a cause names: for `oneOf` in the schema of a custom resource, it is the message that does."""
    return _QUOTED.findall(cause.message) if cause.field in ("", "<nil>") else [cause.field]


def _beside(
    segments: Sequence[str], live: Any, wanted: Any, shape: Shape, above: Path, *, name: str = ""
) -> Iterator[tuple[Path, FieldSet]]:
    """The live fields that Git does not say: the named one, or what stands beside or below it, as deep as it leads."""
    if isinstance(live, list) and isinstance(wanted, list):
        there, said = items_by_key(live, shape, name), items_by_key(wanted, shape, name)
        # A number in a cause counts the items of the merged list, so each item is looked at.
        for key in there or {} if segments and said is not None else ():
            if there is not None and said is not None and key in said:
                below = shape.get(key) if shape else None
                yield from _beside(segments[1:], there[key], said[key], below, (*above, key))
        return
    if not (isinstance(live, Mapping) and isinstance(wanted, Mapping)) or shape == {}:
        return
    key = segments[0].strip("[]") if segments else ""
    if key in live and key in wanted:
        below = shape.get(f"f:{key}") if shape else None
        deeper = [*_beside(segments[1:], live[key], wanted[key], below, (*above, f"f:{key}"), name=key)]
        if deeper:
            yield from deeper
            return
    names = [key] if key in live and key not in wanted else [one for one in live if one not in wanted]
    for one in names:
        path = (*above, f"f:{one}")
        yield path, _at(path, {SELF: {}, **fields_of(live[one], shape.get(path[-1]) if shape else None, one)})


def _with_theirs(path: Path, fields: FieldSet, entries: Sequence[Owner]) -> FieldSet:
    """The fields of a branch with what managers own of it: also the maps themselves, which would be left behind."""
    for owner in entries:
        node: FieldSet | None = owner.fields
        for key in path:
            node = node.get(key) if node else None
        if node:
            fields = union(fields, _at(path, node))
    return fields


def _at(path: Path, node: FieldSet) -> FieldSet:
    fields: FieldSet = {} if set(node) == {SELF} else node
    for key in reversed(path):
        fields = {key: fields}
    return fields
