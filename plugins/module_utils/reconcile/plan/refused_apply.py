# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An apply that the server refuses because of live fields beside Git's: which have to go, so that it is accepted.

That is the other branch of fields that exclude each other, or an item that somebody put in place of one of Git's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...cluster.discovery import ApiResource
from ...cluster.errors import Invalid, ManagerConflict
from ...model.objects import Body
from ..drift.foreign_fields import blocking_items, removable
from ..fields.fieldset import FieldSet, display, union
from ..fields.managed_fields import FIELD_MANAGER, owners
from ..fields.structure import content_of, fields_of, has_items_without_key, merged, shape_of
from ..forecast.exclusive_fields import ApplySides, without_other_branch
from ..forecast.rewrite import Forecast, forecast
from .context import with_origin
from .dry_run_input import DryRunInput

DROP_OR_FORCE = "Drop these fields from one of the two, or set force_conflicts: true."
_SHOWN = 5  # fields of other appliers in a refusal


@dataclass(frozen=True, slots=True)
class AcceptedApply:
    """The object as the apply merges it, and its forecast once the blocking fields are taken over."""

    merged: Body
    forecast: Forecast


def find_accepted_apply(
    dry_run_input: DryRunInput, resource: ApiResource, error: Invalid
) -> AcceptedApply | str:
    """Return what makes a refused object valid, or why it stays refused. Raises RequestError for other failures."""
    conflict = _conflict_of_appliers(dry_run_input, resource)
    if conflict:
        return conflict
    shape = shape_of(owner.fields for owner in owners(dry_run_input.live))
    if has_items_without_key(content_of(dry_run_input.wanted.body), shape):
        return with_origin(error, dry_run_input.wanted)
    sides = ApplySides(
        live=dry_run_input.live,
        wanted=dry_run_input.wanted.body,
        kind=dry_run_input.wanted.ref.group_kind,
        ignored=dry_run_input.ignored,
        from_appliers=dry_run_input.context.app.force_conflicts,
        not_conflicting=dry_run_input.not_conflicting,
    )
    merged_live = merged_body(dry_run_input)

    def outcome(fields: FieldSet) -> Forecast:
        transfer = dry_run_input.ownership_transfer(_future_fields(dry_run_input), fields)
        expected = forecast(
            dry_run_input.context.cluster, resource, dry_run_input.live, merged_live, transfer
        )
        if expected.outcome is merged_live:  # nothing goes, so no second dry-run was made
            raise error
        return expected

    for removed in _removals(dry_run_input):
        valid = _valid_without(error, sides, outcome, removed)
        if valid is not None:
            return AcceptedApply(merged_live, valid)
    held_fields = sides.branches(error).held
    names = "".join(f" {display(path)} is held by {owner.manager}." for path, owner in held_fields)
    is_of_applier = any(owner.is_applier for _path, owner in held_fields)
    return f"{with_origin(error, dry_run_input.wanted)}{names}{f' {DROP_OR_FORCE}' if is_of_applier else ''}"


def _removals(dry_run_input: DryRunInput) -> Iterator[FieldSet]:
    """Yield what is removed in each attempt, from little to much."""
    removed = dry_run_input.removed
    yield removed
    if dry_run_input.adopting:
        return
    blocking = blocking_items(dry_run_input.added, dry_run_input.live, dry_run_input.wanted.body)
    if blocking:
        from_appliers = dry_run_input.context.app.force_conflicts
        yield union(removed, removable(blocking, from_appliers=from_appliers))


def _valid_without(
    error: Invalid, sides: ApplySides, outcome: Callable[[FieldSet], Forecast], removed: FieldSet
) -> Forecast | None:
    """Return the forecast without `removed` and, if need be, the other branch; None where it stays refused."""
    try:
        return outcome(removed)
    except Invalid as later:
        error = later
    return without_other_branch(error, sides, lambda fields: outcome(union(removed, fields)))


def merged_body(dry_run_input: DryRunInput) -> Body:
    """Return the object as the apply merges it, as far as that is known without the server, with our future entry."""
    shape = shape_of(owner.fields for owner in owners(dry_run_input.live))
    content = merged(content_of(dry_run_input.live), content_of(dry_run_input.wanted.body), shape)
    wanted = dry_run_input.wanted.body
    entry = {
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "apiVersion": dry_run_input.wanted.api_version,
        "fieldsV1": _future_fields(dry_run_input),
    }
    metadata = {**dry_run_input.live["metadata"], **content["metadata"], "managedFields": [entry]}
    return {**content, "apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": metadata}


def _future_fields(dry_run_input: DryRunInput) -> FieldSet:
    """Return the fields that will be ours, as far as they can be known without the server."""
    shape = shape_of(owner.fields for owner in owners(dry_run_input.live))
    return fields_of(content_of(dry_run_input.wanted.body), shape)


def _conflict_of_appliers(dry_run_input: DryRunInput, resource: ApiResource) -> str:
    """Return why the apply is not forced, if other appliers own what Git has; empty if none does."""
    if dry_run_input.context.app.force_conflicts or not any(
        owner.is_applier for owner in owners(dry_run_input.live)
    ):
        return ""
    try:
        dry_run_input.context.cluster.apply(
            resource,
            dry_run_input.wanted.body,
            field_manager=FIELD_MANAGER,
            force=False,
            dry_run=True,
            basis=str(dry_run_input.live["metadata"]["resourceVersion"]),
        )
    except ManagerConflict as conflict:
        messages = sorted(
            {
                f"{entry.manager} claims {entry.field}"
                for entry in conflict.conflicts
                if entry.applied and entry.manager not in dry_run_input.not_conflicting
            }
        )
        return f"{'; '.join(messages[:_SHOWN])}. {DROP_OR_FORCE}" if messages else ""
    except Invalid:
        return ""
    return ""
