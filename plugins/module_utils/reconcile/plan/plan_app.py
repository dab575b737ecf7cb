# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of one app, once the cluster is read: its members by record, what is pruned, and its plan."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ...cluster.errors import Forbidden, RequestError
from ...model.app import AppSpec, AppState
from ...model.errors import InventoryError
from ...model.objects import Body, GroupKind, ObjectRef
from ...model.plan import Action, Plan, Verb
from ..applyset.inventory import (
    Inventory,
    digest_of_names,
    set_of,
)
from ..desired.manifests import DesiredObjects
from ..desired.order import sort_key
from ..membership.member_records import MemberRecords
from ..membership.membership import Members, members_by_record, unrecorded_warning
from ..membership.record import MemberRecord
from .context import NOT_RECORDED, PlanContext, RunContext, refused
from .namespaces import missing_namespace_error, namespace_to_create
from .object_diff import with_diffs
from .planned_action import PlannedAction
from .prune import Prune, plan_prune
from .snapshot import AppQuery, Snapshot, read_members
from .verified_cache import VerifiedState


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPlan:
    """An app's plan and what applying it needs."""

    app: AppSpec
    plan: Plan
    inventory: Inventory | None = None
    former_inventories: tuple[Inventory, ...] = ()
    context: PlanContext | None = None
    namespace_actions: tuple[PlannedAction, ...] = ()  # to create namespaces that no manifest is for
    applies: tuple[PlannedAction, ...] = ()
    prunes: tuple[PlannedAction, ...] = ()
    moving: tuple[ObjectRef, ...] = ()  # members that another app of the run wants now
    records: MemberRecords | None = None
    record: MemberRecord | None = None  # what earlier runs applied; None where this run does not need to know
    unrecorded: tuple[ObjectRef, ...] = ()  # labelled objects that no record has
    # Recorded objects that may exist, though this run could not read them.
    unread_members: tuple[ObjectRef, ...] = ()

    @property
    def verified(self) -> dict[ObjectRef, VerifiedState]:
        """The states of objects that were verified to be as wanted."""
        return {
            planned.action.ref: planned.verified for planned in self.applies if planned.verified is not None
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedApp:
    """An app with all that was read for it."""

    app: AppSpec
    desired: DesiredObjects
    query: AppQuery
    context: PlanContext
    snapshot: Snapshot

    @property
    def labelled(self) -> dict[ObjectRef, Body]:
        """The objects that carry the label of one of the app's sets, where our entry owns it."""
        return {
            ref: body
            for i in self.query.inventories
            for ref, body in self.snapshot.members(i.identity.id).items()
        }

    def unread_members(self, record: MemberRecord) -> tuple[ObjectRef, ...]:
        """Return recorded objects that this run has not read, of kinds of which it could not read all."""
        snapshot = self.snapshot
        complete = {kind for kind in snapshot.kinds if kind not in snapshot.unread}
        known = self.wanted | self.labelled.keys()
        return tuple(
            ref
            for ref in record.entries
            if ref not in known and ref.group_kind not in complete and self._may_exist(ref.group_kind)
        )

    def _may_exist(self, kind: GroupKind) -> bool:
        discovery = self.context.discovery
        return discovery.of(kind) is not None or kind.group in discovery.incomplete_groups

    @property
    def wanted(self) -> frozenset[ObjectRef]:
        """The objects of the app in Git, usable or not: none of them is pruned."""
        return frozenset(self.desired.refs)

    def warnings(self) -> tuple[str, ...]:
        """Return warnings about objects that only carry the app's label."""
        return tuple(
            f"{ref} carries this app's label but Plumb never wrote it; it is left alone"
            for inventory in self.query.inventories
            for ref in self.snapshot.only_labelled(inventory.identity.id)
            if ref not in self.wanted
        )


def plan_app(run: RunContext, observed: ObservedApp, planned_actions: Sequence[PlannedAction]) -> AppPlan:
    """Return the plan of an app whose objects are planned: those, what is pruned, and what its members are."""
    if error := missing_namespace_error(observed.context):
        return AppPlan(app=observed.app, plan=Plan(app=observed.app.name, error=error))
    try:
        observed, members = _members(run, observed, planned_actions)
        planned_actions = [_checked_by_record(observed, members, planned) for planned in planned_actions]
    except (RequestError, InventoryError) as failed:
        return AppPlan(app=observed.app, plan=Plan(app=observed.app.name, error=str(failed)))
    unusable = (
        PlannedAction(action=_with_gone_kind(observed, action)) for action in observed.desired.refused
    )
    applies = sorted((*planned_actions, *unusable), key=lambda planned: sort_key(planned.action.ref))
    prune = _plan_prune(run, observed, members, applies)
    first, error = namespace_to_create(observed.context, observed.query.wanted)
    if error:
        return AppPlan(app=observed.app, plan=Plan(app=observed.app.name, error=error))
    return AppPlan(
        app=observed.app,
        plan=Plan(
            app=observed.app.name,
            actions=with_diffs(observed.context, (*first, *applies, *prune.planned_actions)),
            prune_blocked=prune.blocked,
            warnings=(
                *run.remarks(observed.app.name),
                *observed.warnings(),
                *_unrecorded_warnings(run, observed, members),
                *_blocked_warning(prune),
            ),
        ),
        inventory=observed.query.inventory,
        former_inventories=observed.query.inventories[1:],
        context=observed.context,
        namespace_actions=first,
        applies=tuple(applies),
        prunes=prune.planned_actions,
        moving=tuple(
            sorted(
                frozenset(members.counted)
                - observed.wanted
                - {planned.action.ref for planned in prune.planned_actions}
            )
        ),
        records=run.records,
        record=members.record,
        unrecorded=members.unrecorded,
        unread_members=observed.unread_members(members.record) if members.record is not None else (),
    )


def _members(
    run: RunContext, observed: ObservedApp, planned_actions: Sequence[PlannedAction]
) -> tuple[ObservedApp, Members]:
    """Return the app's members; its record is read only if this run writes, or meets what Git does not have.

    What the record has of kinds that nothing else names is read, too. Raises InventoryError or ClusterError where the
    record is needed and cannot be read.
    """
    query, membership, labelled = observed.query, observed.context.membership, observed.labelled
    is_quiet = _is_quiet(observed, planned_actions, labelled)
    if is_quiet and not observed.snapshot.unread_reason(query.group_kinds, query.namespaces):
        return observed, Members(counted=labelled)
    try:
        records = [membership.records.load(inventory.identity) for inventory in query.inventories]
    except Forbidden:
        if not run.options.check:
            raise
        return observed, Members(counted=labelled, unverified=True)
    if is_quiet and not records[0].exists:
        return observed, Members(counted=labelled)
    kinds = frozenset(kind for record in records for kind in record.group_kinds) - observed.snapshot.kinds
    if kinds:
        snapshot = read_members(run.cluster, observed.context.discovery, observed.snapshot, query, kinds)
        observed = replace(observed, snapshot=snapshot)
    return observed, members_by_record(observed.app, observed.labelled, observed.wanted, records)


def _is_quiet(
    observed: ObservedApp, planned_actions: Sequence[PlannedAction], labelled: Collection[ObjectRef]
) -> bool:
    """Whether nothing is to be written or pruned, by all that whoever may patch an object can write."""
    inventory, *formers = observed.query.inventories
    return (
        inventory.exists
        and observed.app.state is AppState.PRESENT
        and observed.wanted.issuperset(labelled)
        and not any(planned.action.verb.writes for planned in planned_actions)
        and inventory.names in {"", digest_of_names(observed.wanted)}
        and not any(former.exists for former in formers)
    )


def _checked_by_record(observed: ObservedApp, members: Members, planned: PlannedAction) -> PlannedAction:
    """Return the planned action, refused where the object has the app's label and is not in its record."""
    ref, live, wanted, context = planned.action.ref, planned.live, planned.wanted, observed.context
    membership, record = context.membership, members.record
    if live is None or wanted is None or record is None or planned.action.verb is Verb.REFUSED:
        return planned
    if set_of(live) != membership.own.id or membership.entry_of(ref) is not None:
        return planned
    owners_by_record = membership.records.sets_with(ref, membership.others)
    conflict = next(
        (reason for identity in owners_by_record if (reason := context.conflict(ref, identity.id))), ""
    )
    if conflict:
        return refused(wanted, conflict, live)
    if owners_by_record or not record.exists or observed.app.adopt:
        return planned
    return refused(wanted, NOT_RECORDED, live)


def _with_gone_kind(observed: ObservedApp, action: Action) -> Action:
    """Return the refusal, saying so where the app had objects of the kind and the cluster no longer knows it."""
    kind, discovery = action.ref.group_kind, observed.context.discovery
    is_known = discovery.of(kind) is not None or kind.group in discovery.incomplete_groups
    if is_known or kind not in observed.query.group_kinds:
        return action
    reason = (
        f"the cluster no longer knows {kind}, which this app had objects of: its CustomResourceDefinition was"
        f" deleted, and all objects of the kind with it. Put it back, or remove {action.origin} from Git."
    )
    return replace(action, reason=reason)


def _unrecorded_warnings(run: RunContext, observed: ObservedApp, members: Members) -> tuple[str, ...]:
    if not members.unrecorded:
        return ()
    return (unrecorded_warning(observed.query.inventory.identity, members.unrecorded, run.options.namespace),)


def _plan_prune(
    run: RunContext, observed: ObservedApp, members: Members, applies: Sequence[PlannedAction]
) -> Prune:
    """Return the prune of the members that left Git."""
    blocked = _unread_reason(observed, members)
    if not observed.wanted.issuperset(members.counted):
        run.desired.load_others()  # any app of the inventory may want now what this one no longer has
    prune = plan_prune(
        observed.app,
        members.counted,
        observed.wanted,
        blocked=blocked,
        waits="" if observed.wanted.issuperset(members.counted) else _wait_reason(run, observed, applies),
        wanted_elsewhere=partial(run.desired.wanted_elsewhere, observed.app.name),
        wanted_inside=run.desired.wanted_inside,
        reason=_prune_reason(run, observed.app),
        marked=members.marked,
    )
    if run.options.check and blocked and not observed.snapshot.failed & _kinds(observed, members):
        prune = replace(
            prune, planned_actions=tuple(_unverified(planned, blocked) for planned in prune.planned_actions)
        )
    if members.unverified:
        prune = replace(
            prune, planned_actions=tuple(_unverified(planned, "") for planned in prune.planned_actions)
        )
    return prune


def _blocked_warning(prune: Prune) -> tuple[str, ...]:
    """Return the warning for a prune that is held back, unless a held back object shows it."""
    is_shown = any(prune.blocked in planned.action.reason for planned in prune.planned_actions)
    return (f"nothing is pruned in this run: {prune.blocked}",) if prune.blocked and not is_shown else ()


def _unread_reason(observed: ObservedApp, members: Members) -> str:
    """Return why this run must not prune: not all members are known for sure."""
    return observed.snapshot.unread_reason(_kinds(observed, members), observed.query.namespaces)


def _kinds(observed: ObservedApp, members: Members) -> frozenset[GroupKind]:
    """Return the kinds that members of the app may have: those that are wanted, and those that were recorded.

    Only where there is no record, those that the parent names: whoever may edit it can put any kind there.
    """
    wanted = frozenset(w.ref.group_kind for w in observed.query.wanted)
    record = members.record
    return wanted | (
        record.group_kinds if record is not None and record.exists else observed.query.group_kinds
    )


def _unverified(planned: PlannedAction, blocked: str) -> PlannedAction:
    """Return the action of a check by an account that may not read all members: a prune that is due, but unverified."""
    held_back = planned.action.verb is Verb.REFUSED and blocked and blocked in planned.action.reason
    if not (held_back or (planned.action.verb is Verb.PRUNE and not blocked)):
        return planned
    return replace(planned, action=replace(planned.action, verb=Verb.PRUNE, unverified=True))


def _wait_reason(run: RunContext, observed: ObservedApp, applies: Sequence[PlannedAction]) -> str:
    """Return why members that left Git should stay for now: their replacement may not exist. Only where one is due."""
    if not any(inventory.exists for inventory in observed.query.inventories):
        return (
            "its inventory was missing and is rebuilt in this run from what was recorded; the next one prunes"
        )
    refused = next((planned.action.ref for planned in applies if planned.action.verb is Verb.REFUSED), None)
    if refused is not None:
        return f"{refused} is refused, and this could be what it replaces"
    return run.desired.unknown_reason(observed.app.name)


def _prune_reason(run: RunContext, app: AppSpec) -> str:
    if app.state is AppState.ABSENT:
        return "the app is absent"
    revision = run.revisions.get(app.source, "")
    return f"left Git in {revision}" if revision else "left Git"
