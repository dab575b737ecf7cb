# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An apply that the server refuses because of what stands beside what Git says: what has to go so that it is taken.

That is the other branch of an either-or, or an item that somebody has put in the place of one of Git's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...cluster.discovery import ApiResource
from ...cluster.errors import FieldConflict, Invalid
from ...model.objects import Body
from ..drift.foreign_fields import blocking_items, removable
from ..fields.fieldset import FieldSet, display, union
from ..fields.managed_fields import FIELD_MANAGER, owners
from ..fields.structure import content_of, fields_of, merged, shape_of
from ..forecast.exclusive_fields import ApplySides, without_other_branch
from ..forecast.rewrite import Forecast, forecast
from .context import why
from .dry_run_input import DryRunInput

DROP_OR_FORCE = "Drop these fields from one of the two, or set force_conflicts: true."
_SHOWN = 5  # claims of other appliers that a refusal names


@dataclass(frozen=True, slots=True)
class AcceptedApply:
    """The object as the apply merges it, and what comes of it once what stood in the way is taken over."""

    merged: Body
    forecast: Forecast


def unblocked(dry_run_input: DryRunInput, resource: ApiResource, error: Invalid) -> AcceptedApply | str:
    """What makes a refused object valid; or why it is refused. Raises RequestError where a request fails otherwise."""
    claims = _claims(dry_run_input, resource)
    if claims:
        return claims
    sides = ApplySides(
        live=dry_run_input.live,
        wanted=dry_run_input.wanted.body,
        kind=dry_run_input.wanted.ref.group_kind,
        ignored=dry_run_input.ignored,
        from_appliers=dry_run_input.context.app.force_conflicts,
        not_conflicting=dry_run_input.not_conflicting,
    )
    both = merged_body(dry_run_input)

    def outcome(fields: FieldSet) -> Forecast:
        taking = dry_run_input.ownership_transfer(_coming(dry_run_input), fields)
        expected = forecast(dry_run_input.context.cluster, resource, dry_run_input.live, both, taking)
        if expected.outcome is both:  # nothing goes, so the server was not asked again
            raise error
        return expected

    for way in _ways(dry_run_input):
        found = _valid_without(error, sides, outcome, way)
        if found is not None:
            return AcceptedApply(both, found)
    held = sides.branches(error).held
    names = "".join(f" {display(path)} is held by {owner.manager}." for path, owner in held)
    claimed = any(owner.is_applier for _path, owner in held)
    return f"{why(error, dry_run_input.wanted)}{names}{f' {DROP_OR_FORCE}' if claimed else ''}"


def _ways(dry_run_input: DryRunInput) -> Iterator[FieldSet]:
    """What is taken away on each try, from little to much."""
    yield dry_run_input.removed
    way = (
        ()
        if dry_run_input.adopting
        else blocking_items(dry_run_input.added, dry_run_input.live, dry_run_input.wanted.body)
    )
    if way:
        yield union(
            dry_run_input.removed, removable(way, from_appliers=dry_run_input.context.app.force_conflicts)
        )


def _valid_without(
    error: Invalid, sides: ApplySides, outcome: Callable[[FieldSet], Forecast], way: FieldSet
) -> Forecast | None:
    """What comes of it without `way` and, if need be, the other branch; None where it is refused all the same."""
    try:
        return outcome(way)
    except Invalid as later:
        error = later
    return without_other_branch(error, sides, lambda fields: outcome(union(way, fields)))


def merged_body(dry_run_input: DryRunInput) -> Body:
    """The object as the apply merges it, as far as can be known without the server; our entry has what will be ours."""
    shape = shape_of(owner.fields for owner in owners(dry_run_input.live))
    content = merged(content_of(dry_run_input.live), content_of(dry_run_input.wanted.body), shape)
    wanted = dry_run_input.wanted.body
    entry = {
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "apiVersion": dry_run_input.wanted.api_version,
        "fieldsV1": _coming(dry_run_input),
    }
    metadata = {**dry_run_input.live["metadata"], **content["metadata"], "managedFields": [entry]}
    return {**content, "apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": metadata}


def _coming(dry_run_input: DryRunInput) -> FieldSet:
    """The fields that will be ours, as far as they can be known without the server."""
    shape = shape_of(owner.fields for owner in owners(dry_run_input.live))
    return fields_of(content_of(dry_run_input.wanted.body), shape)


def _claims(dry_run_input: DryRunInput, resource: ApiResource) -> str:
    """Why the object is not forced, if other appliers claim what Git says."""
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
    except FieldConflict as conflict:
        claims = sorted(
            {
                f"{c.manager} claims {c.field}"
                for c in conflict.conflicts
                if c.applied and c.manager not in dry_run_input.not_conflicting
            }
        )
        return f"{'; '.join(claims[:_SHOWN])}. {DROP_OR_FORCE}" if claims else ""
    except Invalid:
        return ""
    return ""
