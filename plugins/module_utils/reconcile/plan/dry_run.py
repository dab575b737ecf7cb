# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning an object by a dry-run: what the server would make of it, and how that differs from what is live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...cluster.discovery import ApiResource
from ...cluster.errors import Invalid, RequestError, ServerFailure
from ...model.app import AdditionPolicy
from ...model.change import ABSENT, Cause, FieldChange
from ...model.objects import Body
from ...model.plan import Action, Verb
from ..desired.containers import CONTAINERS
from ..drift.explain import explain, value_at
from ..drift.foreign_fields import ForeignField, as_changes, not_in_git
from ..fields.fieldset import FieldSet, Path, display
from ..fields.managed_fields import FIELD_MANAGER, Owner, our_entry, owners
from ..fields.ownership_match import same
from ..forecast.allocated_values import mask_allocated
from ..forecast.rewrite import Forecast, forecast, our_fields, overridden
from .context import action_for, failed_dry_run, refused, with_origin
from .dry_run_input import DryRunInput
from .object_diff import with_dry_run_diff
from .planned_action import PlannedAction
from .prune import CONSENT, PROTECTED, consent_of, marker_on
from .refused_apply import DROP_OR_FORCE, find_accepted_apply
from .version_change import is_in_other_version, overridden_in_version, plan_version_change

LEFT_AS_IT_IS = "drift: report, it stays as it is until its manifest changes"

_SHOWN = 5  # fields of another applier in a refusal


def plan_by_dry_run(dry_run_input: DryRunInput) -> PlannedAction:
    """Return the planned action for an object whose managed fields do not prove that it is as wanted."""
    context, wanted, live = dry_run_input.context, dry_run_input.wanted, dry_run_input.live
    resource = context.resource(wanted)
    if resource is None:
        return refused(wanted, f"the cluster no longer knows {wanted.api_version} {wanted.ref.kind}", live)
    try:
        predicted = context.cluster.apply(
            resource,
            wanted.body,
            field_manager=FIELD_MANAGER,
            force=True,
            dry_run=True,
            basis=str(live["metadata"]["resourceVersion"]),
        )
        overridden_fields = {
            manager: paths
            for manager, paths in overridden(live, predicted).items()
            if manager not in dry_run_input.not_conflicting
        }
        if overridden_fields and not context.app.force_conflicts:
            return refused(wanted, _ownership_refusal(overridden_fields), live)
        transfer = dry_run_input.ownership_transfer(our_fields(predicted), dry_run_input.removed)
        expected = forecast(context.cluster, resource, live, predicted, transfer)
    except Invalid as error:
        return _plan_invalid(dry_run_input, resource, error)
    except ServerFailure as error:
        return _plan_outdated(dry_run_input, resource, error)
    except RequestError as error:
        return failed_dry_run(wanted, Verb.UPDATE, live, error)
    return _planned_action(dry_run_input, predicted, expected)


def _plan_invalid(dry_run_input: DryRunInput, resource: ApiResource, error: Invalid) -> PlannedAction:
    if error.immutable:
        return _plan_immutable(dry_run_input, error)
    try:
        accepted = find_accepted_apply(dry_run_input, resource, error)
    except RequestError as later:
        return failed_dry_run(dry_run_input.wanted, Verb.UPDATE, dry_run_input.live, later)
    if isinstance(accepted, str):
        return refused(dry_run_input.wanted, accepted, dry_run_input.live)
    return _planned_action(dry_run_input, accepted.merged, accepted.forecast)


def _plan_outdated(dry_run_input: DryRunInput, resource: ApiResource, error: ServerFailure) -> PlannedAction:
    """Return the planned action for an object whose entries the server cannot convert; a refusal if that is not it."""
    accepted = None
    if error.permanent and is_in_other_version(dry_run_input):
        try:
            accepted = plan_version_change(dry_run_input, resource)
        except RequestError as later:
            return failed_dry_run(dry_run_input.wanted, Verb.UPDATE, dry_run_input.live, later)
    if accepted is None:
        return failed_dry_run(dry_run_input.wanted, Verb.UPDATE, dry_run_input.live, error)
    overridden_fields = overridden_in_version(dry_run_input, accepted.forecast.outcome, accepted.merged)
    if overridden_fields and not dry_run_input.context.app.force_conflicts:
        return refused(dry_run_input.wanted, _ownership_refusal(overridden_fields), dry_run_input.live)
    return _planned_action(dry_run_input, accepted.merged, accepted.forecast)


def _planned_action(dry_run_input: DryRunInput, predicted: Body, expected: Forecast) -> PlannedAction:
    wanted, live = dry_run_input.wanted, dry_run_input.live
    git_fields = our_fields(predicted)
    outcome = mask_allocated(live, expected.outcome, git_fields)
    changes = explain(
        live,
        outcome,
        drift_only=dry_run_input.same_manifest,
        adopting=dry_run_input.adopting,
        moving=dry_run_input.moving,
    )
    added = () if dry_run_input.adopting else _additions(dry_run_input, git_fields, outcome)
    changes = _with_additions(changes, as_changes(live, added))
    verb = Verb.ADOPT if dry_run_input.adopting else Verb.UPDATE
    action = action_for(wanted, verb, live, changes=changes, warning=dry_run_input.warning)
    is_unchanged = (
        all(change.cause is Cause.ADDITION for change in changes)
        and expected.managed_fields is None
        and _same_ownership(our_entry(owners(live)), our_entry(owners(predicted)))
        and dry_run_input.same_manifest
        and not dry_run_input.moving
    )
    planned = PlannedAction(
        action=replace(action, verb=Verb.UNCHANGED) if is_unchanged else _with_reason(dry_run_input, action),
        wanted=wanted,
        body=wanted.body,
        live=live,
        managed_fields=expected.managed_fields,
    )
    return with_dry_run_diff(dry_run_input.context, planned, outcome, (addition.path for addition in added))


def _additions(dry_run_input: DryRunInput, git_fields: FieldSet, outcome: Body) -> tuple[ForeignField, ...]:
    """Return the additions that stay, or go because the app removes additions.

    What the apply changes or removes for another reason is a change as any: an item that replaces one of Git's, or a
    field that the server keeps equal to one of Git's.
    """
    removes_additions = dry_run_input.context.app.additions is AdditionPolicy.REMOVE
    replacing = {addition.path for addition in dry_run_input.replacing}
    foreign = not_in_git(dry_run_input.added or dry_run_input.replacing, git_fields)

    def is_addition(addition: ForeignField) -> bool:
        value = value_at(outcome, addition.path)
        return same(value, value_at(dry_run_input.live, addition.path)) or (
            removes_additions and value is ABSENT and addition.path not in replacing
        )

    return tuple(filter(is_addition, foreign))


def _with_additions(changes: Sequence[FieldChange], added: Sequence[FieldChange]) -> tuple[FieldChange, ...]:
    """Return the changes, with the addition in place of those at its path or below it."""
    paths = tuple(addition.path for addition in added)
    other_changes = [
        change
        for change in changes
        if not any(change.path == path or change.path.startswith((f"{path}.", f"{path}[")) for path in paths)
    ]
    return tuple(sorted([*other_changes, *added], key=lambda change: change.path))


def _same_ownership(before: Owner | None, after: Owner | None) -> bool:
    if before is None or after is None:
        return False
    return (before.fields, before.api_version) == (after.fields, after.api_version)


def _with_reason(dry_run_input: DryRunInput, action: Action) -> Action:
    """Return the action with the reason that a reader has to know besides its changes."""
    if dry_run_input.moving:
        return replace(action, reason="taken over from another app, which no longer has it")
    if dry_run_input.leaves_drift:
        return replace(action, verb=Verb.UNCHANGED, reason=LEFT_AS_IT_IS)
    if not action.changes and not dry_run_input.adopting and not dry_run_input.same_manifest:
        # Without a write, each later run would ask the server anew, and would not know drift from a change in Git.
        return replace(
            action, reason="its manifest changed, but no field of it does; only the record of it changes"
        )
    if not action.changes and not dry_run_input.adopting:
        # No value differs, but without a write, fields that are removed from Git later would stay in the cluster.
        return replace(action, reason="only the record of who owns its fields changes")
    return action


def _plan_immutable(dry_run_input: DryRunInput, error: Invalid) -> PlannedAction:
    wanted, live = dry_run_input.wanted, dry_run_input.live
    if dry_run_input.leaves_drift:
        return PlannedAction(
            action=action_for(wanted, Verb.UNCHANGED, live, reason=LEFT_AS_IT_IS), wanted=wanted, live=live
        )
    message = with_origin(error, wanted)
    if not dry_run_input.context.app.recreate:
        return refused(
            wanted, f"{message} Set recreate: true to delete and create it, or give it another name.", live
        )
    if wanted.ref.group_kind in CONTAINERS:
        return refused(
            wanted, f"{message} All in it would go with it: recreate it by hand if that is meant.", live
        )
    marker = marker_on(dry_run_input.context.app, live) or marker_on(dry_run_input.context.app, wanted.body)
    if marker:
        return refused(
            wanted,
            f"{message} It is marked {marker}, so it is not deleted: remove the mark to have it recreated.",
            live,
        )
    if wanted.ref.group_kind in PROTECTED and consent_of(live) != "enabled":
        kind = wanted.ref.kind
        return refused(
            wanted, f"{message} A {kind} is recreated only with consent: annotate it {CONSENT}=enabled.", live
        )
    fields = ", ".join(sorted({cause.field for cause in error.causes if cause.field})) or "a field"
    action = action_for(wanted, Verb.RECREATE, live, reason=f"{fields} cannot be changed in place")
    return PlannedAction(action=action, wanted=wanted, body=wanted.body, live=live)


def _ownership_refusal(overridden_fields: Mapping[str, Sequence[Path]]) -> str:
    message = "; ".join(
        f"{manager} claims {', '.join(map(display, paths[:_SHOWN]))}"
        for manager, paths in sorted(overridden_fields.items())
    )
    return f"{message}. {DROP_OR_FORCE}"
