# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning one object: whose it is, what its manifest wants, and whether anything is to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum, auto
from typing import Any

from ...cluster.errors import RequestError
from ...model.app import AdditionPolicy, DriftPolicy
from ...model.change import Cause
from ...model.errors import InventoryError
from ...model.health import Health
from ...model.objects import Body
from ...model.plan import Action, Verb
from ..applyset.inventory import ID_LABEL, set_of
from ..desired.manifests import DesiredObject, applied_digest
from ..drift.foreign_fields import as_changes, foreign_fields
from ..drift.ignore import Ignored, ignored_of, item_index_error, left_to_others, on_live
from ..fields.applied_fields import ANNOTATION, as_recorded
from ..fields.fieldset import owns_exactly
from ..fields.managed_fields import FIELD_MANAGER, our_entry, owners
from ..fields.ownership_match import matches_managed_fields
from ..membership.record import RECORD_LABEL
from .context import PlanContext, action_for, applied_at, failed_dry_run, refused, uid_of
from .dry_run import LEFT_AS_IT_IS, plan_by_dry_run
from .dry_run_input import DryRunInput
from .namespaces import remedy
from .planned_action import PlannedAction
from .verified_cache import VerifiedState, verified_state_of

_REPLICAS = ("f:spec", "f:replicas")
_TTL = "ttlSecondsAfterFinished"
_MISMATCH = (
    "its managed fields match Git, and the dry-run changes it: please report this as a defect of Plumb"
)


class ObjectOwner(Enum):
    """The owner of a live object: this app, nobody, or another apply set."""

    OURS = auto()
    NOBODY = auto()
    ANOTHER_SET = auto()


def plan_object(
    context: PlanContext, wanted: DesiredObject, live: Body | None, *, verified: VerifiedState | None = None
) -> PlannedAction:
    """Return the planned action that brings one object to what its manifest says.

    `verified` is a state that is still valid for the object; then `live` may be its metadata alone.
    """
    try:
        return _plan(context, wanted, live, verified)
    except (RequestError, InventoryError) as error:  # the records cannot be read
        return refused(wanted, f"{error.account} ({wanted.origin})", live)
    except RecursionError:  # a kind's schema may take anything: who may edit an object decides how deep it is
        return refused(wanted, "the live object is nested too deeply to be compared. Make it flatter.", live)


def _plan(
    context: PlanContext, wanted: DesiredObject, live: Body | None, verified: VerifiedState | None
) -> PlannedAction:
    set_id = (
        context.membership.set_id_of(wanted.ref, live, adopt=context.app.adopt) if live is not None else ""
    )
    conflict = context.conflict(wanted.ref, set_id) or _inventory_conflict(live)
    if conflict:
        return refused(wanted, conflict, live)
    index_error = item_index_error(ignored_of(context.app, wanted), wanted.body, live)
    if index_error:
        return refused(wanted, index_error, live)
    if live is None:
        return _plan_missing(context, wanted)
    if live["metadata"].get("deletionTimestamp"):
        return _plan_terminating(context, wanted, live)
    return _plan_existing(
        context, wanted, live, verified, owner_of_object(live, set_id, context.inventory.identity.id)
    )


def _plan_existing(
    context: PlanContext,
    wanted: DesiredObject,
    live: Body,
    verified: VerifiedState | None,
    object_owner: ObjectOwner,
) -> PlannedAction:
    if object_owner is ObjectOwner.NOBODY and not context.app.adopt:
        return refused(wanted, _adoption_refusal(live), live)
    if str(live.get("apiVersion") or "") != wanted.api_version:
        return _plan_other_version(wanted, live, object_owner)
    if verified is not None and object_owner is ObjectOwner.OURS:
        return _plan_verified(context, wanted, live, verified)
    return _plan_live(context, wanted, live, object_owner)


def _plan_live(
    context: PlanContext, wanted: DesiredObject, live: Body, object_owner: ObjectOwner
) -> PlannedAction:
    ignored = on_live(ignored_of(context.app, wanted), live)
    applied, warning = _as_applied(context, wanted, live, ignored)
    added = foreign_fields(live, wanted.ref.group_kind, ignored)
    matches = object_owner is ObjectOwner.OURS and matches_managed_fields(applied.body, live)
    if matches and not context.options.deep and not (added and ignored.policy is AdditionPolicy.REMOVE):
        action = action_for(wanted, Verb.UNCHANGED, live, changes=as_changes(live, added), warning=warning)
        return _with_verified_state(context, PlannedAction(action=action, wanted=applied, live=live))
    dry_run_input = DryRunInput(
        context=context,
        wanted=applied,
        live=live,
        adopting=object_owner is ObjectOwner.NOBODY,
        moving=object_owner is ObjectOwner.ANOTHER_SET,
        ignored=ignored,
        added=added,
        warning=warning,
    )
    planned = plan_by_dry_run(dry_run_input)
    unanswered = context.options.deep and _is_undecided(planned) and not dry_run_input.removed
    if unanswered and (matches or context.was_verified(wanted, live, ignored)):
        action = action_for(
            wanted, Verb.UNCHANGED, live, changes=as_changes(live, added),
            warning=f"its deep check was not possible; its content is as wanted: {planned.action.reason}",
        )  # fmt: skip
        return _with_verified_state(context, PlannedAction(action=action, wanted=applied, live=live))
    planned = _with_verified_state(context, planned)
    if matches and planned.action.verb is not Verb.UNCHANGED and not added:
        return replace(planned, action=replace(planned.action, warning=_MISMATCH))
    return planned


def _is_undecided(planned: PlannedAction) -> bool:
    """Whether the server gave no outcome of an apply: admission denies it, or does not answer."""
    return planned.action.verb is Verb.REFUSED or planned.action.unverified


def _as_applied(
    context: PlanContext, wanted: DesiredObject, live: Body, ignored: Ignored
) -> tuple[DesiredObject, str]:
    """Return the object as it is applied to a live one, without what others decide, and a warning about that."""
    wanted = _as_applied_before(wanted, live)
    left, warning = _leave_replicas(context, left_to_others(ignored, wanted, live), live)
    return replace(left, body=as_recorded(left.body, live)), warning


def _as_applied_before(wanted: DesiredObject, live: Body) -> DesiredObject:
    """Return the object without the labels of its template, if an earlier version applied its manifest without them."""
    if not wanted.copied or applied_digest(live) != wanted.digest:
        return wanted
    entry, metadata = our_entry(owners(live)), wanted.body["metadata"]
    paths = [("f:metadata", "f:labels", f"f:{name}") for name in wanted.copied]
    recorded = ANNOTATION in (live["metadata"].get("annotations") or {})
    if recorded or entry is None or any(owns_exactly(entry.fields, path) for path in paths):
        return wanted
    labels = {name: value for name, value in metadata["labels"].items() if name not in wanted.copied}
    return replace(wanted, body={**wanted.body, "metadata": {**metadata, "labels": labels}})


def _plan_other_version(wanted: DesiredObject, live: Body, object_owner: ObjectOwner) -> PlannedAction:
    """Return the planned action for an object that exists in another version; the wanted one comes with this run."""
    verb = Verb.ADOPT if object_owner is ObjectOwner.NOBODY else Verb.UPDATE
    reason = f"it exists as {live.get('apiVersion')}; the server does not know {wanted.api_version} of it yet"
    action = action_for(wanted, verb, live, reason=reason, unverified=True)
    return PlannedAction(action=action, wanted=wanted, body=wanted.body, live=live, appeared=True)


def _plan_verified(
    context: PlanContext, wanted: DesiredObject, live: Body, verified: VerifiedState
) -> PlannedAction:
    spec = wanted.body.get("spec")
    warning = (
        _replicas_warning(context, wanted, spec) if verified.autoscaled and isinstance(spec, Mapping) else ""
    )
    action = Action(
        ref=wanted.ref,
        verb=Verb.UNCHANGED,
        changes=verified.additions,
        warning=warning,
        origin=wanted.origin,
        health=Health.current() if verified.healthy else None,
        api_version=wanted.api_version,
        uid=uid_of(live),
        applied=applied_at(live) if verified.added else "",
    )
    return PlannedAction(action=action, wanted=wanted, live=live, verified=verified)


def _with_verified_state(context: PlanContext, planned: PlannedAction) -> PlannedAction:
    """Return the planned action, with a verified state if the object is as wanted but for additions."""
    action, wanted, live = planned.action, planned.wanted, planned.live
    is_as_wanted = action.verb is Verb.UNCHANGED and all(c.cause is Cause.ADDITION for c in action.changes)
    if not is_as_wanted or wanted is None or live is None:
        return planned
    autoscaled = context.autoscalers.may_decide(wanted.ref)
    healthy = action.health is not None and action.health.is_current
    ignored = ignored_of(context.app, wanted)
    verified = verified_state_of(
        wanted, live, ignored, autoscaled=autoscaled, healthy=healthy, added=action.changes
    )
    return replace(planned, verified=verified)


def verified_state_after(context: PlanContext, wanted: DesiredObject, applied: Body) -> VerifiedState | None:
    """Return a verified state of what the server answered to an apply, if its content is as wanted; else None."""
    ignored = on_live(ignored_of(context.app, wanted), applied)
    left, _warning = _as_applied(context, wanted, applied, ignored)
    is_ours = owner_of_object(applied, set_of(applied), context.inventory.identity.id) is ObjectOwner.OURS
    if (
        not is_ours
        or not matches_managed_fields(left.body, applied)
        or foreign_fields(applied, wanted.ref.group_kind, ignored)
    ):
        return None
    return _with_verified_state(
        context, PlannedAction(action=action_for(wanted, Verb.UNCHANGED, applied), wanted=left, live=applied)
    ).verified


def _inventory_conflict(live: Body | None) -> str:
    """Return why the object cannot be applied, if it is a parent or a record, of whatever owner and tool."""
    if live is None or not {ID_LABEL, RECORD_LABEL} & (live["metadata"].get("labels") or {}).keys():
        return ""
    return "it is the inventory of an apply set. Give the object another name."


def owner_of_object(live: Body, set_id: str, own_id: str) -> ObjectOwner:
    """Return whose a live object is: by our entry, and by the id of the set that has it (empty: none).

    Ours is also what lost its ownership (managedFields were wiped: a label or a record is there, and no other manager
    or the digest of our last apply). The label alone, beside other managers' entries, makes nothing ours: a tenant can
    write it.
    """
    entries = owners(live)
    if not set_id or (our_entry(entries) is None and entries and not applied_digest(live)):
        return ObjectOwner.NOBODY
    return ObjectOwner.ANOTHER_SET if set_id != own_id else ObjectOwner.OURS


def _adoption_refusal(live: Body) -> str:
    managers = (
        ", ".join(sorted({owner.manager for owner in owners(live) if not owner.subresource}))
        or "nobody known"
    )
    return f"it exists already, outside this app's inventory (written by {managers}). Set adopt: true to take it over."


def _plan_terminating(context: PlanContext, wanted: DesiredObject, live: Body) -> PlannedAction:
    if _is_finished(context, wanted):
        return _left_finished(wanted)
    if _is_left_as_drift(context, wanted):
        return _left_deleted(wanted, live)
    reason = "it is being deleted; it is created again once it is gone"
    deleted = context.deleted(wanted)
    action = action_for(wanted, Verb.CREATE, live, reason=reason, deleted_by_someone=deleted)
    return PlannedAction(action=action, wanted=wanted, body=wanted.body, live=live)


def _plan_missing(context: PlanContext, wanted: DesiredObject) -> PlannedAction:
    if _is_finished(context, wanted):
        return _left_finished(wanted)
    planned = (
        _left_deleted(wanted, None) if _is_left_as_drift(context, wanted) else _plan_create(context, wanted)
    )
    return replace(planned, action=replace(planned.action, deleted_by_someone=context.deleted(wanted)))


def _is_left_as_drift(context: PlanContext, wanted: DesiredObject) -> bool:
    """Whether the object was deleted, and the app leaves drift as it is."""
    return context.app.drift is DriftPolicy.REPORT and context.deleted(wanted) and context.applied(wanted)


def _left_deleted(wanted: DesiredObject, live: Body | None) -> PlannedAction:
    action = action_for(wanted, Verb.UNCHANGED, live, reason=LEFT_AS_IT_IS, deleted_by_someone=True)
    return PlannedAction(action=action, wanted=wanted, live=live)


def _plan_create(context: PlanContext, wanted: DesiredObject) -> PlannedAction:
    namespace = wanted.ref.namespace
    if namespace in context.missing_namespaces:
        reason = f"namespace {namespace} is missing ({wanted.origin}). {remedy(context, namespace)}"
        return refused(wanted, reason, None)
    resource, unverified_reason = context.resource(wanted), ""
    if resource is None:
        unverified_reason = "its kind comes with this run, so the server cannot be asked about it yet"
    elif namespace in context.coming_namespaces:
        unverified_reason = (
            f"namespace {namespace} comes with this run, so the server cannot be asked about it yet"
        )
    elif context.options.check:
        try:
            context.cluster.apply(
                resource, wanted.body, field_manager=FIELD_MANAGER, force=False, dry_run=True
            )
        except RequestError as error:
            return failed_dry_run(wanted, Verb.CREATE, None, error)
    action = action_for(
        wanted,
        Verb.CREATE,
        None,
        reason=unverified_reason if context.options.check else "",
        unverified=context.options.check and bool(unverified_reason),
    )
    return PlannedAction(action=action, wanted=wanted, body=wanted.body)


def _is_finished(context: PlanContext, wanted: DesiredObject) -> bool:
    """Whether this is a Job with a TTL that was applied before from the same manifest: its TTL has removed it.

    An app that has another name now did that under its former one.
    """
    if not is_removed_by_ttl(wanted):
        return False
    recorded = context.membership.entry_of(wanted.ref)
    if recorded is not None or context.membership.record.exists:
        return recorded is not None and recorded.is_of(wanted)
    applied = (f"{wanted.ref.namespace}/{wanted.ref.name}", wanted.digest)  # as 0.1.0 remembered it
    return any(
        applied in inventory.finished_jobs for inventory in (context.inventory, *context.former_inventories)
    )


def _left_finished(wanted: DesiredObject) -> PlannedAction:
    reason = "it finished and was removed by its TTL; it runs again when its manifest changes"
    return PlannedAction(action=action_for(wanted, Verb.UNCHANGED, None, reason=reason), wanted=wanted)


def is_removed_by_ttl(wanted: DesiredObject) -> bool:
    """Whether the cluster removes the object by itself (a Job with a TTL); its manifest does not create it again."""
    spec = wanted.body.get("spec")
    return (
        wanted.ref.kind == "Job"
        and wanted.ref.group == "batch"
        and isinstance(spec, Mapping)
        and _TTL in spec
    )


def _leave_replicas(context: PlanContext, wanted: DesiredObject, live: Body) -> tuple[DesiredObject, str]:
    """Return the object with replicas left to its HPA, if it has or may have one, and a warning where Git sets them.

    Leaving the field out of an apply that owned it would reset it to 1, so while it is ours the live number is kept;
    once the HPA has scaled, the field is the HPA's and is left out.
    """
    autoscalers = context.autoscalers
    spec = wanted.body.get("spec")
    if not isinstance(spec, Mapping) or not (wanted.ref in autoscalers.targets or autoscalers.unread):
        return wanted, ""
    if wanted.ref not in autoscalers.targets and "replicas" not in spec:
        return wanted, ""
    new_spec = {key: value for key, value in spec.items() if key != "replicas"}
    entry = our_entry(owners(live))
    live_spec = live.get("spec") or {}
    if entry is not None and owns_exactly(entry.fields, _REPLICAS) and "replicas" in live_spec:
        new_spec["replicas"] = live_spec["replicas"]
    return replace(wanted, body={**wanted.body, "spec": new_spec}), _replicas_warning(context, wanted, spec)


def _replicas_warning(context: PlanContext, wanted: DesiredObject, spec: Mapping[str, Any]) -> str:
    if "replicas" not in spec:
        return ""
    if wanted.ref in context.autoscalers.targets:
        return "spec.replicas is left to its HorizontalPodAutoscaler; remove it from Git"
    return (
        "spec.replicas is left as it is, because a HorizontalPodAutoscaler may decide it: "
        f"{context.autoscalers.unread}"
    )
