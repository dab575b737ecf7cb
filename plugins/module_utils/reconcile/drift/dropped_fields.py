# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that Git said when an object was last applied and says no more, while somebody who changed them holds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...model.objects import Body, GroupKind
from ..fields.applied_fields import last_applied
from ..fields.fieldset import SELF, FieldSet, Path, is_member_node, set_of_paths, subtract, union
from ..fields.known_writers import is_expected
from ..fields.managed_fields import Owner, our_entry, owners, restored_by, without_never_folded
from .ignore import Ignored


def dropped(live: Body, kind: GroupKind, ignored: Ignored, coming: FieldSet) -> dict[str, Any]:
    """What an apply has to take over so that it removes it: held by Update entries alone, and by no known writer.

    `coming` are the fields that will be ours. Of an object that somebody brought back with our record of it, what that
    names is believed for his own fields.
    """
    entries = owners(live)
    ours = our_entry(entries)
    recorder = ours or restored_by(entries)
    if recorder is None:
        return {}
    former = subtract(union(ours.fields if ours is not None else {}, last_applied(live, recorder)), coming)
    fields: FieldSet = {}
    kept: FieldSet = {}
    for owner in entries if former else ():
        if owner is ours or owner.is_before_first_apply:
            continue
        if owner is not recorder and (ours is None or not _may_lose(owner, ours)):
            kept = union(kept, owner.fields)
            continue
        paths = list(members(_once_ours(owner.fields, former)))
        excused = [path for path in paths if _is_excused(owner, kind, ignored, path)]
        fields, kept = union(fields, set_of_paths(paths)), union(kept, set_of_paths(excused))
    return dict(without_never_folded(subtract(fields, kept)))


def _may_lose(owner: Owner, ours: Owner) -> bool:
    """Whether an owner is no applier and no writer of a subresource, and writes in our version of the kind."""
    return owner.operation == "Update" and not owner.subresource and owner.api_version == ours.api_version


def _is_excused(owner: Owner, kind: GroupKind, ignored: Ignored, path: Path) -> bool:
    return is_expected(owner.manager, kind, path) or ignored.covers(owner.manager, path)


def _once_ours(theirs: FieldSet, former: FieldSet) -> FieldSet:
    """What of `theirs` is in `former`; of an item of a list that was ours, all that is below it as well."""
    found: dict[str, Any] = {}
    for key, node in theirs.items():
        was = former.get(key)
        if was is None:
            continue
        if key == SELF or (key[:2] == "k:" and is_member_node(was)):
            found[key] = node
        elif not node:
            if is_member_node(was):
                found[key] = node
        else:
            below = _once_ours(node, was or {SELF: {}})
            if below:
                found[key] = {} if set(below) == {SELF} else below
    return found


def members(fields: FieldSet, above: Path = ()) -> Iterator[Path]:
    """The paths of all members of a set."""
    for key, node in fields.items():
        if key == SELF:
            continue
        if is_member_node(node):
            yield (*above, key)
        yield from members(node, (*above, key))
