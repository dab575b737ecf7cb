# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that an object was last applied with and Git no longer has, while somebody who changed them owns them.

An apply removes only what our own entry in managedFields owns, so such a field would stay for ever: it is taken over
first. Which fields Git had is in an annotation on the object (`fields/applied_fields.py`, ADR 0020).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...model.objects import Body, GroupKind
from ..fields.applied_fields import last_applied
from ..fields.fieldset import SELF, FieldSet, Path, is_member_node, set_of_paths, subtract, union
from ..fields.known_writers import is_expected
from ..fields.managed_fields import Owner, our_entry, owners, restored_by, without_never_folded
from .ignore import Ignored


def dropped_fields(live: Body, kind: GroupKind, ignored: Ignored, coming: FieldSet) -> dict[str, Any]:
    """Return what an apply has to take over to remove it: fields of Update entries alone, and of no known writer.

    `coming` are the fields that will be ours. Of an object that somebody restored with our annotation, what that names
    is trusted for his own fields.
    """
    entries = owners(live)
    ours = our_entry(entries)
    recorder = ours or restored_by(entries)
    if recorder is None:
        return {}
    former = subtract(union(ours.fields if ours is not None else {}, last_applied(live, recorder)), coming)
    fields: FieldSet = {}
    retained: FieldSet = {}
    for owner in entries if former else ():
        if owner is ours or owner.is_before_first_apply:
            continue
        if owner is not recorder and (ours is None or not _may_lose(owner, ours)):
            retained = union(retained, owner.fields)
            continue
        paths = list(member_paths(_once_ours(owner.fields, former, coming)))
        excused = [path for path in paths if _is_excused(owner, kind, ignored, path)]
        fields, retained = union(fields, set_of_paths(paths)), union(retained, set_of_paths(excused))
    return dict(without_never_folded(subtract(fields, retained)))


def _may_lose(owner: Owner, ours: Owner) -> bool:
    """Whether an owner is no applier and no writer of a subresource, and writes in our version of the kind."""
    return owner.operation == "Update" and not owner.subresource and owner.api_version == ours.api_version


def _is_excused(owner: Owner, kind: GroupKind, ignored: Ignored, path: Path) -> bool:
    return is_expected(owner.manager, kind, path) or ignored.covers(owner.manager, path)


def _once_ours(theirs: FieldSet, former: FieldSet, coming: FieldSet) -> FieldSet:
    """Return what of `theirs` is in `former`; of an item of a list that was ours, all that is below it as well.

    What somebody owns as a whole goes where Git had something in it and has nothing there any more: a map that only the
    schema knows to be one value, or one that was emptied.
    """
    fields: dict[str, Any] = {}
    for key, node in theirs.items():
        former_node = former.get(key)
        if former_node is None:
            continue
        if key == SELF or (key[:2] == "k:" and is_member_node(former_node)):
            fields[key] = node
        elif not node:
            if is_member_node(former_node) or key not in coming:
                fields[key] = node
        else:
            below = _once_ours(node, former_node or {SELF: {}}, coming.get(key, {}))
            if below:
                fields[key] = {} if set(below) == {SELF} else below
    return fields


def member_paths(fields: FieldSet, above: Path = ()) -> Iterator[Path]:
    """Yield the paths of all members of a set."""
    for key, node in fields.items():
        if key == SELF:
            continue
        if is_member_node(node):
            yield (*above, key)
        yield from member_paths(node, (*above, key))
