# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning apps: every wanted object, every member that left, and what holds an app back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ...cluster.discovery import Discovery
from ...cluster.errors import Forbidden, RequestError
from ...model.app import AppSpec, AppState
from ...model.errors import ClusterError, InventoryError, PlumbError
from ...model.objects import Body, GroupKind, ObjectRef
from ...model.plan import Action, Plan, Verb
from ..applyset.inventory import (
    Inventory,
    SetIdentity,
    digest_of_names,
    read_inventory,
    set_of,
)
from ..applyset.recovery import scan_within
from ..desired.desired_state import identities_of
from ..desired.manifests import DesiredObject, DesiredObjects, digest_of_all
from ..desired.order import sort_key
from ..membership.membership import Members, Membership, members_by_record, unrecorded_warning
from ..membership.record import MemberRecord
from ..membership.record_store import RecordStore
from .context import NOT_RECORDED, PlanContext, RunContext, refused
from .deferred_kinds import changing_kinds, deferred
from .namespaces import existing_namespaces, missing_namespace_error, namespace_to_create
from .plan_object import plan_object
from .planned_action import PlannedAction
from .prune import Prune, plan_prune
from .snapshot import AppQuery, Autoscalers, Snapshot, read_autoscalers, read_members, read_snapshot
from .verified_cache import VerifiedState


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPlan:
    """An app's plan and what carrying it out needs."""

    app: AppSpec
    plan: Plan
    inventory: Inventory | None = None
    former_inventories: tuple[Inventory, ...] = ()
    context: PlanContext | None = None
    namespace_actions: tuple[PlannedAction, ...] = ()  # namespaces that nobody's manifest is for
    applies: tuple[PlannedAction, ...] = ()
    prunes: tuple[PlannedAction, ...] = ()
    moving: tuple[ObjectRef, ...] = ()  # members that another app of the run wants now
    records: RecordStore | None = None
    record: MemberRecord | None = None  # what earlier runs applied; None where this run does not need to know
    unrecorded: tuple[ObjectRef, ...] = ()  # labelled objects that nobody knows to be the app's
    unseen: tuple[
        ObjectRef, ...
    ] = ()  # recorded objects that may be there, though this run has not seen them

    @property
    def verified(self) -> dict[ObjectRef, VerifiedState]:
        """What was proven to be as wanted."""
        return {step.action.ref: step.verified for step in self.applies if step.verified is not None}


def plan_apps(run: RunContext, discovery: Discovery, apps: Sequence[AppSpec]) -> list[AppPlan]:
    """Plan these apps on the cluster as it is now, reading it once for all of them."""
    ready: list[tuple[AppSpec, DesiredObjects, tuple[Inventory, ...]]] = []
    plans: dict[str, AppPlan] = {}
    for app in apps:
        found = _ready(run, app)
        if isinstance(found, Plan):
            plans[app.name] = AppPlan(app=app, plan=found)
        else:
            ready.append((app, *found))
    for made in _plan_ready(run, discovery, ready):
        plans[made.app.name] = made
    return [plans[app.name] for app in apps]


def _ready(run: RunContext, app: AppSpec) -> Plan | tuple[DesiredObjects, tuple[Inventory, ...]]:
    """What an app wants and what its inventories say; or the plan of an app that cannot or must not be planned."""
    if app.suspend:
        return Plan(app=app.name, suspended=True)
    desired = run.desired.desired(app.name)
    if isinstance(desired, PlumbError):
        return Plan(app=app.name, error=str(desired))
    try:
        inventories = tuple(
            _inventory(run, identity) for identity in identities_of(app, run.options.namespace)
        )
    except (InventoryError, ClusterError) as error:
        return Plan(app=app.name, error=str(error))
    empty = not desired.wanted and not desired.refused
    if empty and not app.allow_empty and app.state is AppState.PRESENT and _has_members(run, inventories):
        return Plan(app=app.name, error=_empty(app, run.remarks(app.name)))
    return desired, inventories


def _has_members(run: RunContext, inventories: Iterable[Inventory]) -> bool:
    """Whether there may be members that an empty rendering would prune: whoever may edit a parent cannot hide them."""
    if any(one.group_kinds or run.recovered.members.get(one.identity.id) for one in inventories):
        return True
    try:
        return any(run.records.of(one.identity).entries for one in inventories)
    except (RequestError, InventoryError):
        return True


def _empty(app: AppSpec, remarks: Sequence[str]) -> str:
    """The error for an app that holds nothing and would lose what it has."""
    what = f" ({'; '.join(remarks)})" if remarks else ""
    next_step = (
        "Correct its path, or commit its manifests again; state: absent removes the app."
        if remarks  # something stands there, which is not what the app was
        else "Set allow_empty: true if that is meant, or state: absent to remove the app."
    )
    reason = f"it holds no manifest{what}, which would prune all of the app"
    return f"app {app.name}: rendering {app.path}: {reason}. {next_step}"


def _inventory(run: RunContext, identity: SetIdentity) -> Inventory:
    parent = run.parents.get(identity.ref)
    if isinstance(parent, ClusterError):
        raise parent
    return read_inventory(parent, identity, run.options.owner)


def _plan_ready(
    run: RunContext,
    discovery: Discovery,
    ready: Sequence[tuple[AppSpec, DesiredObjects, tuple[Inventory, ...]]],
) -> list[AppPlan]:
    if not ready:
        return []
    cluster = run.cluster
    queries = _with_lost_members(run, [_with_record(run, _need(run, *one)) for one in ready])
    namespaces = frozenset[str]().union(*(query.namespaces for query in queries))
    bodies = [w.body for query in queries for w in query.wanted]
    autoscalers = read_autoscalers(cluster, discovery, namespaces, bodies)
    observed = read_snapshot(cluster, discovery, queries, autoscalers)
    apps = [app for app, _desired, _inventories in ready]
    contexts = _grounds(run, discovery, apps, queries, observed, autoscalers)
    work = [(g, w) for g, query in zip(contexts, queries, strict=True) for w in query.wanted]
    steps = cluster.map(
        lambda pair: _plan_one(pair[0], pair[1], observed),
        work,
        asks=lambda pair: observed.verified(pair[1]) is None,  # what a look settles takes no request
    )
    plans: list[AppPlan] = []
    start = 0
    by_app: dict[str, Sequence[PlannedAction]] = {}
    for query in queries:
        by_app[query.app.name] = steps[start : start + len(query.wanted)]
        start += len(query.wanted)
    changing = {name: changing_kinds(of) for name, of in by_app.items()}
    for (app, desired, _inventories), query, context in zip(ready, queries, contexts, strict=True):
        awaited = run.desired.with_dependencies(app.name)
        kinds = frozenset[GroupKind]().union(*(of for name, of in changing.items() if name in awaited))
        mine = [deferred(context, step, kinds) for step in by_app[app.name]]
        seen = _Seen(app=app, desired=desired, query=query, context=context, observed=observed)
        plans.append(_app_plan(run, seen, mine))
    return plans


def _need(
    run: RunContext, app: AppSpec, desired: DesiredObjects, inventories: tuple[Inventory, ...]
) -> AppQuery:
    return AppQuery(
        app,
        inventories,
        desired.wanted,
        frozenset(desired.refs),
        verified={} if run.options.deep else run.verified.get(inventories[0].identity.id, {}),
        health_matters=app.wait and not run.options.check,
    )


def _with_record(run: RunContext, query: AppQuery) -> AppQuery:
    """The need with room for what the record has, where the parent is missing or Git has other names than before."""
    hint = query.inventory.names
    if query.inventory.exists and (not hint or hint == digest_of_names(query.refs)):
        return query
    try:
        recorded = run.records.of(query.inventory.identity).entries
    except (ClusterError, InventoryError):
        return query  # it is told where the record is needed
    return replace(query, inventories=(query.inventory.widened(recorded), *query.inventories[1:]))


def _with_lost_members(run: RunContext, queries: Sequence[AppQuery]) -> list[AppQuery]:
    """The needs, those without a parent with what the scan found."""
    lost = [query for query in queries if not query.inventory.exists]
    if lost and run.recovered.denied:
        namespaces = frozenset[str]().union(*(query.namespaces for query in lost))
        scan_within(run.cluster, run.recovered, sorted(namespaces))
    return [
        query
        if query.inventory.exists
        else replace(query, inventories=tuple(map(run.recovered.known_to, query.inventories)))
        for query in queries
    ]


def _plan_one(context: PlanContext, wanted: DesiredObject, observed: Snapshot) -> PlannedAction:
    unreadable = observed.unreadable.get(wanted.ref)
    if unreadable is not None:
        # A check by an account that may only read lists what it may not see; a run cannot go by it.
        unseen = context.options.check and isinstance(unreadable, Forbidden)
        action = Action(
            ref=wanted.ref,
            verb=Verb.UPDATE if unseen else Verb.REFUSED,
            reason=f"{unreadable.account} ({wanted.origin})",
            origin=wanted.origin,
            unverified=unseen,
        )
        return PlannedAction(action=action, wanted=wanted)
    return plan_object(context, wanted, observed.live(wanted), verified=observed.verified(wanted))


def _grounds(  # noqa: PLR0917 - one caller
    run: RunContext,
    discovery: Discovery,
    apps: Sequence[AppSpec],
    queries: Sequence[AppQuery],
    observed: Snapshot,
    autoscalers: Autoscalers,
) -> list[PlanContext]:
    """What each app's objects are planned on; namespaces and autoscalers are read once for all."""
    provided = run.desired.provided_namespaces()
    asked = {w.ref.namespace for query in queries for w in query.wanted if observed.live(w) is None}
    asked |= {query.app.namespace for query in queries if not query.inventory.exists}
    known = existing_namespaces(run.cluster, discovery, asked | set(provided))
    absent = frozenset(name for name, body in known.items() if body is None)
    coming = {
        app.name: {name for name, by in provided.items() if by & run.desired.with_dependencies(app.name)}
        for app in apps
    }
    return [
        PlanContext(
            run=run,
            discovery=discovery,
            app=app,
            inventory=query.inventory,
            former_inventories=query.inventories[1:],
            autoscalers=autoscalers,
            missing_namespaces=absent - coming[app.name],
            coming_namespaces=absent & coming[app.name],
            namespace_providers={name: min(by) for name, by in provided.items()},
            read_at=observed.read_at,
            membership=_membership(run, query),
            applied_before=bool(query.inventory.applied)
            and query.inventory.applied == digest_of_all(query.wanted),
        )
        for app, query in zip(apps, queries, strict=True)
    ]


def _membership(run: RunContext, query: AppQuery) -> Membership:
    own, *former = (inventory.identity for inventory in query.inventories)
    others = run.desired.other_sets(query.app.name)
    return Membership(records=run.records, own=own, former=tuple(former), others=others)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One app with all that was read for it."""

    app: AppSpec
    desired: DesiredObjects
    query: AppQuery
    context: PlanContext
    observed: Snapshot

    @property
    def labelled(self) -> dict[ObjectRef, Body]:
        """What carries the label of one of the app's sets, and our entry owns it."""
        return {
            ref: body
            for i in self.query.inventories
            for ref, body in self.observed.members(i.identity.id).items()
        }

    def unseen(self, record: MemberRecord) -> tuple[ObjectRef, ...]:
        """Recorded objects that this run has not seen, of kinds of which it could not see all."""
        observed = self.observed
        seen = {kind for kind in observed.kinds if kind not in observed.unread}
        known = self.wanted | self.labelled.keys()
        return tuple(
            ref
            for ref in record.entries
            if ref not in known and ref.group_kind not in seen and self._may_exist(ref.group_kind)
        )

    def _may_exist(self, kind: GroupKind) -> bool:
        discovery = self.context.discovery
        return discovery.of(kind) is not None or kind.group in discovery.incomplete_groups

    @property
    def wanted(self) -> frozenset[ObjectRef]:
        """What Git wants of the app, usable or not: none of it is pruned."""
        return frozenset(self.desired.refs)

    def warnings(self) -> tuple[str, ...]:
        return tuple(
            f"{ref} carries this app's label but Plumb never wrote it; it is left alone"
            for inventory in self.query.inventories
            for ref in self.observed.claimed_only_by_label(inventory.identity.id)
            if ref not in self.wanted
        )


def _app_plan(run: RunContext, seen: _Seen, steps: Sequence[PlannedAction]) -> AppPlan:
    if error := missing_namespace_error(seen.context):
        return AppPlan(app=seen.app, plan=Plan(app=seen.app.name, error=error))
    try:
        seen, members = _members(run, seen, steps)
        steps = [_of_member(seen, members, step) for step in steps]
    except (RequestError, InventoryError) as failed:
        return AppPlan(app=seen.app, plan=Plan(app=seen.app.name, error=str(failed)))
    unusable = (PlannedAction(action=_of_gone_kind(seen, action)) for action in seen.desired.refused)
    applies = sorted((*steps, *unusable), key=lambda step: sort_key(step.action.ref))
    prune = _prune(run, seen, members, applies)
    first, error = namespace_to_create(seen.context, seen.query.wanted)
    if error:
        return AppPlan(app=seen.app, plan=Plan(app=seen.app.name, error=error))
    return AppPlan(
        app=seen.app,
        plan=Plan(
            app=seen.app.name,
            actions=tuple(step.action for step in (*first, *applies, *prune.planned_actions)),
            prune_blocked=prune.blocked,
            warnings=(
                *run.remarks(seen.app.name),
                *seen.warnings(),
                *_unrecorded(run, seen, members),
                *_untold(prune),
            ),
        ),
        inventory=seen.query.inventory,
        former_inventories=seen.query.inventories[1:],
        context=seen.context,
        namespace_actions=first,
        applies=tuple(applies),
        prunes=prune.planned_actions,
        moving=tuple(
            sorted(
                frozenset(members.counted) - seen.wanted - {step.action.ref for step in prune.planned_actions}
            )
        ),
        records=run.records,
        record=members.record,
        unrecorded=members.unrecorded,
        unseen=seen.unseen(members.record) if members.record is not None else (),
    )


def _members(run: RunContext, seen: _Seen, steps: Sequence[PlannedAction]) -> tuple[_Seen, Members]:
    """The app's members; its record is read only if this run writes, or meets what Git does not have.

    What the record has of kinds that nothing else names is read, too. Raises InventoryError or ClusterError where the
    record is needed and cannot be read.
    """
    query, membership, labelled = seen.query, seen.context.membership, seen.labelled
    is_quiet = _is_quiet(seen, steps, labelled)
    if is_quiet and not seen.observed.why_unread(query.group_kinds, query.namespaces):
        return seen, Members(counted=labelled)
    try:
        records = [membership.records.of(inventory.identity) for inventory in query.inventories]
    except Forbidden:
        if not run.options.check:
            raise
        return seen, Members(counted=labelled, unverified=True)
    if is_quiet and not records[0].exists:
        return seen, Members(counted=labelled)
    kinds = frozenset(kind for record in records for kind in record.group_kinds) - seen.observed.kinds
    if kinds:
        observed = read_members(run.cluster, seen.context.discovery, seen.observed, query, kinds)
        seen = replace(seen, observed=observed)
    return seen, members_by_record(seen.app, seen.labelled, seen.wanted, records)


def _is_quiet(seen: _Seen, steps: Sequence[PlannedAction], labelled: Collection[ObjectRef]) -> bool:
    """Whether nothing is to be written or pruned, by all that whoever may patch an object can write."""
    inventory, *formers = seen.query.inventories
    return (
        inventory.exists
        and seen.app.state is AppState.PRESENT
        and seen.wanted.issuperset(labelled)
        and not any(step.action.verb.writes for step in steps)
        and inventory.names in {"", digest_of_names(seen.wanted)}
        and not any(former.exists for former in formers)
    )


def _of_member(seen: _Seen, members: Members, step: PlannedAction) -> PlannedAction:
    """The step, refused where only a label says that the object is the app's, and the record does not."""
    ref, live, wanted, context = step.action.ref, step.live, step.wanted, seen.context
    membership, record = context.membership, members.record
    if live is None or wanted is None or record is None or step.action.verb is Verb.REFUSED:
        return step
    if set_of(live) != membership.own.id or membership.of(ref) is not None:
        return step
    holders = membership.records.holders(ref, membership.others)
    forbidden = next((why for held in holders if (why := context.conflict(ref, held.id))), "")
    if forbidden:
        return refused(wanted, forbidden, live)
    if holders or not record.exists or seen.app.adopt:
        return step
    return refused(wanted, NOT_RECORDED, live)


def _of_gone_kind(seen: _Seen, action: Action) -> Action:
    """Return the refusal, saying so where the app had objects of the kind and the cluster no longer knows it."""
    kind, discovery = action.ref.group_kind, seen.context.discovery
    known = discovery.of(kind) is not None or kind.group in discovery.incomplete_groups
    if known or kind not in seen.query.group_kinds:
        return action
    reason = (
        f"the cluster no longer knows {kind}, which this app had objects of: its CustomResourceDefinition was"
        f" deleted, and all objects of the kind with it. Put it back, or remove {action.origin} from Git."
    )
    return replace(action, reason=reason)


def _unrecorded(run: RunContext, seen: _Seen, members: Members) -> tuple[str, ...]:
    if not members.unrecorded:
        return ()
    return (unrecorded_warning(seen.query.inventory.identity, members.unrecorded, run.options.namespace),)


def _prune(run: RunContext, seen: _Seen, members: Members, applies: Sequence[PlannedAction]) -> Prune:
    """What of the members left Git, and what becomes of it."""
    blocked = _unread(seen, members)
    if not seen.wanted.issuperset(members.counted):
        run.desired.load_others()  # any app of the inventory may want now what this one no longer has
    prune = plan_prune(
        seen.app,
        members.counted,
        seen.wanted,
        blocked=blocked,
        waits="" if seen.wanted.issuperset(members.counted) else _prune_waits(run, seen, applies),
        wanted_elsewhere=partial(run.desired.wanted_elsewhere, seen.app.name),
        wanted_inside=run.desired.wanted_inside,
        left=_left(run, seen.app),
        marked=members.marked,
    )
    if run.options.check and blocked and not seen.observed.failed & _kinds(seen, members):
        prune = replace(
            prune, planned_actions=tuple(_unverified(step, blocked) for step in prune.planned_actions)
        )
    if members.unverified:
        prune = replace(prune, planned_actions=tuple(_unverified(step, "") for step in prune.planned_actions))
    return prune


def _untold(prune: Prune) -> tuple[str, ...]:
    """A prune that is held back shows in what it held back; where it is not known what that is, it is said."""
    held = any(prune.blocked in step.action.reason for step in prune.planned_actions)
    return (f"nothing is pruned in this run: {prune.blocked}",) if prune.blocked and not held else ()


def _unread(seen: _Seen, members: Members) -> str:
    """Why this run must not prune: what members there are is not known for sure."""
    return seen.observed.why_unread(_kinds(seen, members), seen.query.namespaces)


def _kinds(seen: _Seen, members: Members) -> frozenset[GroupKind]:
    """The kinds that members of the app may have: those that are wanted, and those that were recorded.

    Only where there is no record, those that the parent names: whoever may edit it can put any kind there.
    """
    wanted = frozenset(w.ref.group_kind for w in seen.query.wanted)
    record = members.record
    return wanted | (record.group_kinds if record is not None and record.exists else seen.query.group_kinds)


def _unverified(step: PlannedAction, blocked: str) -> PlannedAction:
    """For a check by an account that may not see all members: a prune that is held back for that is not refused."""
    held_back = step.action.verb is Verb.REFUSED and blocked and blocked in step.action.reason
    if not (held_back or (step.action.verb is Verb.PRUNE and not blocked)):
        return step
    return replace(step, action=replace(step.action, verb=Verb.PRUNE, unverified=True))


def _prune_waits(run: RunContext, seen: _Seen, applies: Sequence[PlannedAction]) -> str:
    """Why what is due should stay for now: what replaces it may not be there. Asked only where something is due."""
    if not any(inventory.exists for inventory in seen.query.inventories):
        return (
            "its inventory was missing and is rebuilt in this run from what was recorded; the next one prunes"
        )
    refused = next((step.action.ref for step in applies if step.action.verb is Verb.REFUSED), None)
    if refused is not None:
        return f"{refused} is refused, and this could be what it replaces"
    return run.desired.unknown_reason(seen.app.name)


def _left(run: RunContext, app: AppSpec) -> str:
    if app.state is AppState.ABSENT:
        return "the app is absent"
    revision = run.revisions.get(app.source, "")
    return f"left Git in {revision}" if revision else "left Git"
