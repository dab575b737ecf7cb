# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forecast of an object where an apply is preceded by a rewrite of its managedFields.

An apply removes a field only if our entry owned it before, and nobody else owns it. To remove what somebody added, or
to take over an object, Plumb first writes managedFields, then applies:

    live  --(1) write managedFields-->  live, other owners  --(2) apply-->  outcome

A dry-run of (2) on the present managedFields shows no removal, and (1) and (2) are two writes. So the removal is done
here, by the rules of server-side apply, and a second dry-run (`replace.py`) asks the server what it makes of the rest:

    dry-run of the apply  ->  predicted  ->  remove_unowned  ->  dry-run of a replace  ->  Forecast.outcome

That shows which defaults come back, and what admission and validation answer. `exclusive_fields.py` is for what the
server refuses: the fewest fields beside Git's that have to go. `empty_lists.py` is for what no apply removes.
`allocated_values.py` masks values that the server allocates anew for each write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...cluster.client import Cluster
from ...cluster.discovery import ApiResource
from ...model.change import ABSENT
from ...model.objects import Body, ref_of
from ...model.well_known import PART_OF
from ..drift.explain import value_at
from ..fields.applied_fields import ANNOTATION
from ..fields.fieldset import SELF, FieldSet, Path, is_member_node, leaves, set_of_paths, subtract, union
from ..fields.managed_fields import DIGEST, Owner, lost_fields, our_entry, owners, rewritten_managed_fields
from ..fields.ownership_match import same
from ..fields.structure import index_of, with_item, without_item
from .empty_lists import lasting_empty_lists
from .replace import dry_run_replace

# An applier may own such a map as a whole, if its manifest has it as an empty one.
_RECORDS: Mapping[Path, frozenset[str]] = {
    ("f:metadata", "f:annotations"): frozenset({DIGEST, ANNOTATION}),
    ("f:metadata", "f:labels"): frozenset({PART_OF}),
}


@dataclass(frozen=True, slots=True)
class OwnershipTransfer:
    """What is taken from other managers before an apply: `fold` is added to our entry, `release` is struck from theirs.

    `seize` is struck from other appliers as well. `succeeds` returns what a former owner loses where we take an object
    over; None where we do not.
    """

    fold: FieldSet
    release: FieldSet
    seize: FieldSet
    succeeds: Callable[[Owner], FieldSet] | None

    def managed_fields(self, live: Body, api_version: str) -> list[Mapping[str, Any]] | None:
        """Return the managedFields to write; None where they stay as they are."""
        return rewritten_managed_fields(
            live,
            fold=self.fold,
            release=self.release,
            seize=self.seize,
            api_version=api_version,
            succeeds=self.succeeds,
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """An object after an apply, and the managedFields that are written before it (None: none are)."""

    outcome: Body
    managed_fields: list[Mapping[str, Any]] | None


def forecast(
    cluster: Cluster, resource: ApiResource, live: Body, predicted: Body, transfer: OwnershipTransfer
) -> Forecast:
    """Return the forecast of an apply, of which `predicted` is the dry-run on the present managedFields.

    Raises RequestError where the server refuses what is left.
    """

    def left_with(managed_fields: Sequence[Mapping[str, Any]], *, empties: bool) -> Body:
        before, still_owned = _owned(predicted, managed_fields)
        left: Body = remove_unowned(predicted, before, union(still_owned, lasting), empties=empties)
        return left

    def outcome_with(managed_fields: Sequence[Mapping[str, Any]], *, empties: bool) -> Body:
        left = left_with(managed_fields, empties=empties)
        if same(left, predicted):
            return predicted
        return dry_run_replace(cluster, resource, ref_of(live), live, left)

    managed_fields = transfer.managed_fields(live, resource.api_version)
    if managed_fields is None:
        return Forecast(predicted, None)
    lasting = lasting_empty_lists(cluster, resource, predicted, subtract(*_owned(predicted, managed_fields)))
    outcome = outcome_with(managed_fields, empties=False)
    fewer = replace(transfer, fold=_without_defaults(transfer.fold, live, predicted, outcome))
    managed_fields = fewer.managed_fields(live, resource.api_version)
    if managed_fields is None:
        return Forecast(predicted, None)
    plain, emptied = (left_with(managed_fields, empties=empties) for empties in (False, True))
    if not same(plain, emptied):
        outcome = outcome_with(managed_fields, empties=True)
    return Forecast(outcome, managed_fields)


def _without_defaults(fold: FieldSet, live: Body, predicted: Body, outcome: Body) -> FieldSet:
    """Return the fields to take over without those that would only come back as a default.

    The server refuses to remove the last field of a map that a manifest says to be empty, default or not.
    """
    stays = (
        path
        for path in leaves(subtract(fold, our_fields(predicted)))
        if same(value_at(live, path), value_at(outcome, path))
    )
    return subtract(fold, set_of_paths(stays))


def our_fields(body: Body) -> FieldSet:
    """Return the fields of our own entry."""
    entry = our_entry(owners(body))
    return entry.fields if entry is not None else {}


def _owned(predicted: Body, managed_fields: Sequence[Mapping[str, Any]]) -> tuple[FieldSet, FieldSet]:
    """Return our fields before the apply, where these managedFields were written, and everybody's after it."""
    entries = owners({"metadata": {"managedFields": [*managed_fields]}})
    still_owned = our_fields(predicted)
    for owner in entries:
        if not owner.is_ours:
            still_owned = union(still_owned, owner.fields)
    ours = our_entry(entries)
    return ours.fields if ours is not None else {}, still_owned


def overridden(live: Body, predicted: Body) -> dict[str, tuple[Path, ...]]:
    """Return, by manager, the fields of other appliers whose values a forced apply from `live` to `predicted` changes.

    An applier may also lose a field whose value stays: the server compares before it fills in defaults.
    """
    lost = lost_fields(owners(live), owners(predicted))
    changed = {
        manager: tuple(
            path
            for path in leaves(fields)
            if not same(_value_of_applier(live, path), _value_of_applier(predicted, path))
        )
        for manager, fields in lost.items()
    }
    return {manager: paths for manager, paths in changed.items() if paths}


def _value_of_applier(body: Body, path: Path) -> Any:
    """Return the value at a path that an applier owns; of a map with annotations or labels of Plumb's, the rest."""
    value, records = value_at(body, path), _RECORDS.get(path)
    if records is None or not (isinstance(value, Mapping) or value is ABSENT):
        return value
    return {key: part for key, part in value.items() if key not in records} if value is not ABSENT else {}


def remove_unowned(body: Any, before: FieldSet, still_owned: FieldSet, *, empties: bool = False) -> Any:
    """Return a body without the fields that its applier owned (`before`) and nobody owns any more (`still_owned`).

    A field that holds fields goes with all of them, an item of a list where it was owned itself. With `empties`, what
    loses all that is in it becomes null, as it does on the server. Source: structured-merge-diff, merge/update.go and
    typed/remove.go.
    """
    whole = body
    for key in before:
        if key != SELF:
            body = _without(body, key, before[key], still_owned, empties=empties)
    return None if empties and whole and not body else body


def _without(body: Any, key: str, before: FieldSet, still_owned: FieldSet, *, empties: bool) -> Any:
    index = index_of(body, key)
    if index is None:
        return body
    if key not in still_owned and (key.startswith("f:") or is_member_node(before)):
        return without_item(body, index)
    if key in still_owned and not before:
        return body
    return with_item(
        body, index, remove_unowned(body[index], before, still_owned.get(key, {}), empties=empties)
    )
