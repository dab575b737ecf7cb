# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others have added to an object of Git's: fields that their entries own, and neither ours nor a table explains.

Nothing else shows them: our own entry, and every value that Git says, are as they were. The metadata of an object is
enough to find them; what admission added has no entry, so nobody can.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...model.app import AdditionPolicy
from ...model.change import ABSENT, Cause, FieldChange
from ...model.objects import Body, GroupKind
from ..fields.diff import masked
from ..fields.fieldset import SELF, FieldSet, Path, display, item_key, owns, union
from ..fields.known_writers import is_expected
from ..fields.managed_fields import Owner, our_entry, owners, without_never_folded
from ..fields.ownership_match import same
from ..fields.structure import KEY_DEFAULTS, index_of
from .explain import value_at
from .ignore import Ignored, inside

_NOWHERE: FieldSet = {}
_ENOUGH = 2  # fields in which an item of another key is equal to a missing one, so that it stands for it

# Older names of fields, which the server keeps equal to the newer ones. Source: core/v1, conversion.go and defaults.go.
_MIRRORS = {"f:serviceAccount": "f:serviceAccountName", "f:dataSource": "f:dataSourceRef"}


@dataclass(frozen=True, slots=True)
class ForeignField:
    """A field, or a whole item of a list, that only `owner` says. `fields` are what of it the owner's entry has."""

    path: Path
    owner: Owner
    fields: FieldSet


def foreign_fields(
    live: Body, kind: GroupKind, ignored: Ignored, *, metadata_only: bool = False
) -> tuple[ForeignField, ...]:
    """What others have added to a live object, of which the metadata is enough; sorted by path, then by manager.

    Of the whole object, only what is there: an applier may claim what the server never keeps, such as `stringData`.
    Nothing without an entry of our own: then the object's ownership is put right first.
    """
    entries = owners(live)
    ours = our_entry(entries)
    if ours is None or ignored.policy is AdditionPolicy.IGNORE:
        return ()
    found = [
        ForeignField(path, owner, fields)
        for owner in entries
        if owner is not ours and not owner.subresource and not owner.is_before_first_apply
        for path, fields in _added(owner.fields, ours.fields, ())
        if path[0] != "f:status"
        and not owner.may_keep(path)
        and not _is_mirror(path, ours.fields)
        and not is_expected(owner.manager, kind, path)
        and not ignored.covers(owner.manager, path)
        and (metadata_only or not owner.is_applier or value_at(live, path) is not ABSENT)
    ]
    return tuple(sorted(found, key=lambda addition: (addition.path, addition.owner.manager)))


def _is_mirror(path: Path, ours: FieldSet) -> bool:
    """Whether the server itself keeps the field equal to one of ours: whoever wrote that seems to have added this."""
    other = _MIRRORS.get(path[-1], "")
    return bool(other) and owns(ours, (*path[:-1], other))


def _added(theirs: FieldSet, ours: FieldSet, above: Path) -> Iterator[tuple[Path, FieldSet]]:
    """The topmost paths of `theirs` that `ours` has no part of: fields, and items of lists as a whole."""
    for key, node in theirs.items():
        if key == SELF or _is_key_field(above, key):
            continue
        path = (*above, key)
        known = ours.get(key)
        has_children = any(child != SELF for child in node)
        if known is None and (key[:2] != "f:" or not has_children):
            yield path, node
        elif has_children and known != {}:  # an empty set is owned whole
            yield from _added(node, known or _NOWHERE, path)


def _is_key_field(above: Path, key: str) -> bool:
    """Whether a field is part of the key of the item that it stands in: the default of one that Git leaves out."""
    return bool(above) and above[-1][:2] == "k:" and key[2:] in item_key(above[-1])


def beyond(found: Sequence[ForeignField], said: FieldSet) -> tuple[ForeignField, ...]:
    """What of these additions Git does not say. Whoever takes a field over from us seems to have added it."""
    return tuple(
        ForeignField(path, addition.owner, fields)
        for addition in found
        for path, fields in _beyond(addition.path, addition.fields, said)
    )


def _beyond(path: Path, fields: FieldSet, said: FieldSet) -> Iterator[tuple[Path, FieldSet]]:
    known = said
    for key in path:
        if key not in known:
            yield path, fields
            return
        known = known[key]
    if known:
        yield from _added(fields, known, path)


def as_changes(live: Body, found: Sequence[ForeignField]) -> tuple[FieldChange, ...]:
    """Additions as changes from what is live to nothing; each path once, with the latest of its owners."""
    latest: dict[Path, ForeignField] = {}
    for addition in sorted(found, key=lambda a: (not a.owner.time, a.owner.time)):
        latest[addition.path] = addition
    return tuple(
        FieldChange(
            path=display(path),
            live=masked(live, path, value_at(live, path)),
            desired=ABSENT,
            cause=Cause.ADDITION,
            culprit=addition.owner.culprit,
        )
        for path, addition in sorted(latest.items(), key=lambda item: item[0])
    )


def removable(found: Sequence[ForeignField], *, from_appliers: bool) -> dict[str, Any]:
    """The fields that an apply of ours may take over and thereby remove; what a cluster needs to go on never is."""
    fields: FieldSet = {}
    for addition in found:
        if not addition.owner.is_applier or from_appliers:
            fields = union(fields, _at(addition.path, addition.fields))
    return dict(without_never_folded(fields))


def in_the_way(found: Sequence[ForeignField], live: Body, wanted: Body) -> tuple[ForeignField, ...]:
    """Items that others have added to lists in which an item that Git says is missing."""
    return tuple(a for a in found if a.path[-1][:2] == "k:" and _lacking(a.path, live, wanted))


def in_place_of(found: Sequence[ForeignField], live: Body, wanted: Body) -> tuple[ForeignField, ...]:
    """Items that somebody made of items of Git's by another key: a container renamed, a port of another number.

    Each stands for one that is missing: at its place in the list, with the same content, or on the same port.
    """
    replaced: list[ForeignField] = []
    missing: dict[Path, list[tuple[int, Mapping[str, Any]]]] = {}
    for addition in found:
        path = addition.path
        if path[-1][:2] != "k:":
            continue
        left = missing.setdefault(path[:-1], _lacking(path, live, wanted))
        index = index_of(inside(live, path[:-1]), path[-1])
        if index is None:
            continue
        item = inside(live, path)
        match = next((one for one in left if one[0] == index or _resembles(item, one[1], path[-1])), None)
        if match is not None:
            left.remove(match)
            replaced.append(addition)
    return tuple(replaced)


def _resembles(item: Mapping[str, Any], missing: Mapping[str, Any], key: str) -> bool:
    """Whether an item says what a missing one says, but for its key, or takes one of its ports."""
    said = [name for name in missing if name not in item_key(key)]
    equal = [name for name in said if name in item and same(item[name], missing[name])]
    return len(equal) >= _ENOUGH or bool(_ports(item) & _ports(missing))


def _ports(item: Mapping[str, Any]) -> set[Any]:
    ports = item.get("ports")
    named = ports if isinstance(ports, list) else []
    return {port.get("containerPort") for port in named if isinstance(port, Mapping)} - {None}


def _lacking(path: Path, live: Body, wanted: Body) -> list[tuple[int, Mapping[str, Any]]]:
    """The items that Git says, with their places, and the live list at this path has not."""
    names = item_key(path[-1]).keys()
    there, said = (inside(body, path[:-1]) for body in (live, wanted))
    if not isinstance(there, list) or not isinstance(said, list):
        return []
    return [
        (index, item)
        for index, item in enumerate(said)
        if isinstance(item, Mapping)
        and not any(_alike({**KEY_DEFAULTS, **item}, one, names) for one in there)
    ]


def _alike(item: Mapping[str, Any], other: Mapping[str, Any], names: Iterable[str]) -> bool:
    """Whether both have the same key, as far as an item says it."""
    return all(same(item[name], other.get(name)) for name in names if name in item)


def _at(path: Path, fields: FieldSet) -> FieldSet:
    node: Mapping[str, Any] = fields
    for key in reversed(path):
        node = {key: node}
    return node
