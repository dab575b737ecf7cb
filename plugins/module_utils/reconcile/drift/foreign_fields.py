# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others have added to an object: fields that their entries own, and neither Git nor a table of known writers has.

Nothing else shows them: our own entry, and every value that Git has, are as they were. managedFields are enough:

    entry of plumb            f:spec f:containers k:{main} f:image
    entry of kubectl-edit     f:spec f:containers k:{main} f:env k:{DEBUG}     foreign: within an item of ours
                                               k:{debug} .                   foreign: an item as a whole
    entry of cert-manager     f:webhooks k:{x} f:clientConfig f:caBundle       known writer: no finding

`foreign_fields` finds them. `removable` is what may be removed with `additions: remove`. `replacement_items` are items
that somebody made of Git's by another key, and `blocking_items` those beside which the server takes no item of Git's:
both are removed whatever `additions` says. What admission added has no entry, so nobody can find it.
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
from .ignore import Ignored, find_value

_NOWHERE: FieldSet = {}
_ENOUGH_EQUAL = 2  # equal fields with which an item of another key counts as the replacement of a missing one

# Older names of fields, which the server keeps equal to the newer ones. Source: core/v1, conversion.go and defaults.go.
_MIRRORS = {"f:serviceAccount": "f:serviceAccountName", "f:dataSource": "f:dataSourceRef"}


@dataclass(frozen=True, slots=True)
class ForeignField:
    """A field, or a whole item of a list, that only `owner` wrote. `fields` are what of it the owner's entry has."""

    path: Path
    owner: Owner
    fields: FieldSet


def foreign_fields(
    live: Body, kind: GroupKind, ignored: Ignored, *, metadata_only: bool = False
) -> tuple[ForeignField, ...]:
    """Return what others have added to a live object, of which the metadata is enough; sorted by path, then by manager.

    With the whole object, only what is live: an applier may own what the server never keeps, such as `stringData`.
    Nothing without an entry of our own: then the object's ownership is repaired first.
    """
    entries = owners(live)
    ours = our_entry(entries)
    if ours is None or ignored.policy is AdditionPolicy.IGNORE:
        return ()
    foreign = [
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
    return tuple(sorted(foreign, key=lambda addition: (addition.path, addition.owner.manager)))


def _is_mirror(path: Path, ours: FieldSet) -> bool:
    """Whether the server itself keeps the field equal to one of ours: whoever writes that one comes to own both."""
    other = _MIRRORS.get(path[-1], "")
    return bool(other) and owns(ours, (*path[:-1], other))


def _added(theirs: FieldSet, ours: FieldSet, above: Path) -> Iterator[tuple[Path, FieldSet]]:
    """Yield the topmost paths of `theirs` that `ours` has no part of: fields, and items of lists as a whole."""
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
    """Whether a field is part of the key of its own item: the default of a key field that Git leaves out."""
    return bool(above) and above[-1][:2] == "k:" and key[2:] in item_key(above[-1])


def not_in_git(foreign: Sequence[ForeignField], git_fields: FieldSet) -> tuple[ForeignField, ...]:
    """Return what of these additions is not in Git: a field that somebody took over from us is listed, too."""
    return tuple(
        ForeignField(path, addition.owner, fields)
        for addition in foreign
        for path, fields in _not_in_git(addition.path, addition.fields, git_fields)
    )


def _not_in_git(path: Path, fields: FieldSet, git_fields: FieldSet) -> Iterator[tuple[Path, FieldSet]]:
    known = git_fields
    for key in path:
        if key not in known:
            yield path, fields
            return
        known = known[key]
    if known:
        yield from _added(fields, known, path)


def as_changes(live: Body, foreign: Sequence[ForeignField]) -> tuple[FieldChange, ...]:
    """Return additions as changes from what is live to nothing; each path once, with the latest of its owners."""
    latest: dict[Path, ForeignField] = {}
    for addition in sorted(foreign, key=lambda a: (not a.owner.time, a.owner.time)):
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


def removable(foreign: Sequence[ForeignField], *, from_appliers: bool) -> dict[str, Any]:
    """Return the fields that an apply of ours may take over and thereby remove; never what a cluster needs to work."""
    fields: FieldSet = {}
    for addition in foreign:
        if not addition.owner.is_applier or from_appliers:
            fields = union(fields, _field_set_at(addition.path, addition.fields))
    return dict(without_never_folded(fields))


def blocking_items(foreign: Sequence[ForeignField], live: Body, wanted: Body) -> tuple[ForeignField, ...]:
    """Return the items that others have added to lists in which an item of Git's is missing."""
    return tuple(
        addition
        for addition in foreign
        if addition.path[-1][:2] == "k:" and _missing_items(addition.path, live, wanted)
    )


def replacement_items(foreign: Sequence[ForeignField], live: Body, wanted: Body) -> tuple[ForeignField, ...]:
    """Return the items that somebody made of Git's by another key: a container renamed, a port of another number.

    Each replaces one that is missing: at its position in the list, with the same content, or on the same port.
    """
    replaced: list[ForeignField] = []
    missing: dict[Path, list[tuple[int, Mapping[str, Any]]]] = {}
    for addition in foreign:
        path = addition.path
        if path[-1][:2] != "k:":
            continue
        left = missing.setdefault(path[:-1], _missing_items(path, live, wanted))
        index = index_of(find_value(live, path[:-1]), path[-1])
        if index is None:
            continue
        item = find_value(live, path)
        match = next(
            (
                candidate
                for candidate in left
                if candidate[0] == index or _resembles(item, candidate[1], path[-1])
            ),
            None,
        )
        if match is not None:
            left.remove(match)
            replaced.append(addition)
    return tuple(replaced)


def _resembles(item: Mapping[str, Any], missing: Mapping[str, Any], key: str) -> bool:
    """Whether an item has the content of a missing one, but for its key, or takes one of its ports."""
    names = [name for name in missing if name not in item_key(key)]
    equal = [name for name in names if name in item and same(item[name], missing[name])]
    return len(equal) >= _ENOUGH_EQUAL or bool(_ports(item) & _ports(missing))


def _ports(item: Mapping[str, Any]) -> set[Any]:
    ports = item.get("ports")
    items = ports if isinstance(ports, list) else []
    return {port.get("containerPort") for port in items if isinstance(port, Mapping)} - {None}


def _missing_items(path: Path, live: Body, wanted: Body) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the items, with their positions, that Git has and the live list at this path has not."""
    key_names = item_key(path[-1]).keys()
    live_items, wanted_items = (find_value(body, path[:-1]) for body in (live, wanted))
    if not isinstance(live_items, list) or not isinstance(wanted_items, list):
        return []
    return [
        (index, item)
        for index, item in enumerate(wanted_items)
        if isinstance(item, Mapping)
        and not any(_same_key({**KEY_DEFAULTS, **item}, live_item, key_names) for live_item in live_items)
    ]


def _same_key(item: Mapping[str, Any], other: Mapping[str, Any], names: Iterable[str]) -> bool:
    """Whether both have the same key, as far as an item sets it."""
    return all(same(item[name], other.get(name)) for name in names if name in item)


def _field_set_at(path: Path, fields: FieldSet) -> FieldSet:
    node: Mapping[str, Any] = fields
    for key in reversed(path):
        node = {key: node}
    return node
