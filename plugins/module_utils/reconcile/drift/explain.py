# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why fields differ: Git changed, or somebody else changed them; and who, as far as managedFields record it.

The modules of this package find what in an object did not come from Git. None of them makes a request:

    explain.py          fields of a dry-run that differ from the live object: each is a change of Git's, or drift
    foreign_fields.py   fields that only entries of other managers have: additions
    dropped_fields.py   fields of the last apply that left Git, while somebody else owns them
    ignore.py           fields that are left to others, by rules of the app and an annotation in Git
    attribution.py      users behind changes, from the API server's audit log
    fingerprint.py      for the agent's watches: whether a change of an object can be drift at all

A difference is drift if the manifest is the one that was last applied (its digest is an annotation of the object), or
if another manager owns the field and we do not. A field whose owner is not recorded has no culprit: a removal leaves no
entry, and `kubectl scale` no time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...model.change import ABSENT, Cause, FieldChange
from ...model.objects import Body
from ..applyset.inventory import MEMBER_PATH
from ..fields.applied_fields import ANNOTATION_PATH
from ..fields.diff import differences, masked
from ..fields.fieldset import Path, display, item_key, owns, set_value
from ..fields.managed_fields import DIGEST, Owner, our_entry, owner_of, owners
from ..fields.ownership_match import same

_RECORDS = frozenset({("f:metadata", "f:annotations", f"f:{DIGEST}"), ANNOTATION_PATH})


def explain(
    live: Body,
    predicted: Body,
    *,
    drift_only: bool,
    adopting: bool,
    moving: bool = False,
) -> tuple[FieldChange, ...]:
    """Return the changes that lead from `live` to `predicted`, each with its cause, sorted by path.

    What Plumb itself writes on an object is left out: its digest, the names of its fields and, if it is `moving`
    between apps, its member label.
    `drift_only` says that the manifest is the one the object was last applied from: then every difference is drift.
    """
    entries = owners(live)
    own_records = {*_RECORDS, MEMBER_PATH} if moving else _RECORDS
    different = [d for d in differences(live, predicted) if d[0] not in own_records]
    changes = [
        _change(live, entries, path, value, wanted, drift_only=drift_only, adopting=adopting)
        for path, value, wanted in sorted(different, key=lambda difference: difference[0])
    ]
    return tuple(changes)


def _change(
    live: Body,
    entries: Sequence[Owner],
    path: Path,
    value: Any,
    wanted: Any,
    *,
    drift_only: bool,
    adopting: bool,
) -> FieldChange:
    ours = our_entry(entries)
    is_ours = ours is not None and owns(ours.fields, path)
    other = None if value is ABSENT else owner_of(entries, path)
    drift = not adopting and (drift_only or (other is not None and not is_ours))
    culprit = other.culprit if drift and other is not None and not is_ours else None
    return FieldChange(
        path=display(path),
        live=masked(live, path, value),
        desired=masked(live, path, wanted),
        cause=Cause.DRIFT if drift else Cause.GIT,
        culprit=culprit,
    )


def value_at(body: Any, path: Path) -> Any:
    """Return the value at a path of a body; ABSENT where there is none."""
    for key in path:
        body = _child(body, key)
        if body is ABSENT:
            return ABSENT
    return body


def _child(node: Any, key: str) -> Any:
    kind, name = key[:2], key[2:]
    if kind == "f:":
        return node.get(name, ABSENT) if isinstance(node, Mapping) else ABSENT
    if not isinstance(node, list):
        return ABSENT
    if kind == "k:":
        keys = item_key(key)
        return next(
            (
                item
                for item in node
                if isinstance(item, Mapping)
                and all(same(item.get(name), value) for name, value in keys.items())
            ),
            ABSENT,
        )
    if kind == "v:":
        value = set_value(key)
        return next((item for item in node if same(item, value)), ABSENT)
    return ABSENT
