# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an object will be where an apply is preceded by a rewrite of its managedFields.

A dry-run of that apply cannot show it: on the present managedFields nothing is removed. So the removal is done here, by
the rules of server-side apply, and a second dry-run asks the server what it makes of the rest: which defaults come
back, and what admission and validation say.
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
from ..fields.managed_fields import DIGEST, Owner, lost_fields, our_entry, owners, rewritten
from ..fields.ownership_match import same
from ..fields.structure import index_of, with_item, without_item
from .replace import dry_run_replace

# A manifest may claim such a map as a whole, if it says that it is empty.
_RECORDS: Mapping[Path, frozenset[str]] = {
    ("f:metadata", "f:annotations"): frozenset({DIGEST, ANNOTATION}),
    ("f:metadata", "f:labels"): frozenset({PART_OF}),
}


@dataclass(frozen=True, slots=True)
class Taking:
    """What is taken from other managers before an apply: `fold` comes into our entry, `release` is struck.

    `seize` is struck from other appliers as well. `succeeds` says what predecessors lose where they are succeeded.
    """

    fold: FieldSet
    release: FieldSet
    seize: FieldSet
    succeeds: Callable[[Owner], FieldSet] | None

    def managed(self, live: Body, api_version: str) -> list[Mapping[str, Any]] | None:
        """The managedFields to write; None where they stay as they are."""
        return rewritten(
            live,
            fold=self.fold,
            release=self.release,
            seize=self.seize,
            api_version=api_version,
            succeeds=self.succeeds,
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """An object after an apply, and the managedFields that are written before it (None for none)."""

    outcome: Body
    managed: list[Mapping[str, Any]] | None


def forecast(
    cluster: Cluster, resource: ApiResource, live: Body, predicted: Body, taking: Taking
) -> Forecast:
    """What an apply comes to, of which `predicted` is the dry-run on the managedFields of now.

    Raises RequestError where the server refuses what is left.
    """

    def outcome_with(managed: Sequence[Mapping[str, Any]], *, empties: bool) -> Body:
        left = _left(predicted, managed, empties=empties)
        if same(left, predicted):
            return predicted
        return dry_run_replace(cluster, resource, ref_of(live), live, left)

    managed = taking.managed(live, resource.api_version)
    if managed is None:
        return Forecast(predicted, None)
    outcome = outcome_with(managed, empties=False)
    fewer = replace(taking, fold=_without_defaults(taking.fold, live, predicted, outcome))
    managed = fewer.managed(live, resource.api_version)
    if managed is None:
        return Forecast(predicted, None)
    plain, emptied = (_left(predicted, managed, empties=empties) for empties in (False, True))
    if not same(plain, emptied):
        outcome = outcome_with(managed, empties=True)
    return Forecast(outcome, managed)


def _without_defaults(fold: FieldSet, live: Body, predicted: Body, outcome: Body) -> FieldSet:
    """What of the fields to take over is Git's, or goes; what only comes back as a default may just as well stay.

    The server refuses to remove the last field of a map that a manifest says to be empty, default or not.
    """
    stays = (
        path
        for path in leaves(subtract(fold, claim_of(predicted)))
        if same(value_at(live, path), value_at(outcome, path))
    )
    return subtract(fold, set_of_paths(stays))


def claim_of(body: Body) -> FieldSet:
    """The fields of our own entry."""
    entry = our_entry(owners(body))
    return entry.fields if entry is not None else {}


def _left(predicted: Body, managed: Sequence[Mapping[str, Any]], *, empties: bool) -> Body:
    """What the apply leaves of `predicted` where managedFields were rewritten to `managed` before."""
    entries = owners({"metadata": {"managedFields": [*managed]}})
    kept = claim_of(predicted)
    for owner in entries:
        if not owner.is_ours:
            kept = union(kept, owner.fields)
    ours = our_entry(entries)
    left: Body = pruned(predicted, ours.fields, kept, empties=empties) if ours is not None else predicted
    return left


def overridden(live: Body, predicted: Body) -> dict[str, tuple[Path, ...]]:
    """By manager: the fields of other appliers whose values change by a forced apply that makes `predicted` of `live`.

    An applier may also lose a field whose value stays: the server compares before it fills in defaults.
    """
    lost = lost_fields(owners(live), owners(predicted))
    changed = {
        manager: tuple(
            path for path in leaves(fields) if not same(_claimed(live, path), _claimed(predicted, path))
        )
        for manager, fields in lost.items()
    }
    return {manager: paths for manager, paths in changed.items() if paths}


def _claimed(body: Body, path: Path) -> Any:
    """The value at a path that an applier claims; of a map in which Plumb keeps records of its own, the rest."""
    value, records = value_at(body, path), _RECORDS.get(path)
    if records is None or not (isinstance(value, Mapping) or value is ABSENT):
        return value
    return {key: kept for key, kept in value.items() if key not in records} if value is not ABSENT else {}


def pruned(body: Any, last: FieldSet, kept: FieldSet, *, empties: bool = False) -> Any:
    """A body without the fields that its applier owned last (`last`) and nobody owns any more (`kept`).

    A field that holds fields goes with all of them, an item of a list where it was owned itself. With `empties`, what
    loses all that is in it becomes null, as it does on the server. Source: structured-merge-diff, merge/update.go and
    typed/remove.go.
    """
    before = body
    for key in last:
        if key != SELF:
            body = _without(body, key, last[key], kept, empties=empties)
    return None if empties and before and not body else body


def _without(body: Any, key: str, last: FieldSet, kept: FieldSet, *, empties: bool) -> Any:
    at = index_of(body, key)
    if at is None:
        return body
    if key not in kept and (key.startswith("f:") or is_member_node(last)):
        return without_item(body, at)
    if key in kept and not last:
        return body
    return with_item(body, at, pruned(body[at], last, kept.get(key, {}), empties=empties))
