# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of apps: every wanted object, every member that left Git, and what keeps an app from being planned.

    plan_apps
      _prepare        desired state and inventories of each app; or the error that is its plan
      _with_record    read the record where parent and Git do not agree on the members
      read_snapshot   one LIST per kind for all apps
      plan_object     each wanted object: unchanged by its verified state, by its managed fields, or by a dry-run
      deferred        objects whose definition changes in this run
      plan_app        members by record, prunes, the namespace to create

Three caches keep a run cheap that finds nothing to do, each of them safe to lose: renderings (`render`), verified
states (`verified_cache.py`) and refused requests (`cluster/requests`). A cache is trusted only for what its key proves:
see ADR 0008 and ADR 0017.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ...cluster.discovery import Discovery
from ...cluster.errors import Forbidden, RequestError
from ...model.app import AppSpec, AppState
from ...model.errors import ClusterError, InventoryError, PlumbError
from ...model.objects import GroupKind
from ...model.plan import Action, Plan, Verb
from ..applyset.inventory import (
    Inventory,
    SetIdentity,
    digest_of_names,
    read_inventory,
)
from ..applyset.recovery import scan_within
from ..desired.desired_state import identities_of
from ..desired.manifests import DesiredObject, DesiredObjects, digest_of_all
from ..membership.membership import Membership
from .context import PlanContext, RunContext
from .deferred_kinds import changing_kinds, deferred
from .namespaces import existing_namespaces
from .plan_app import AppPlan, ObservedApp, plan_app
from .plan_object import plan_object
from .planned_action import PlannedAction
from .snapshot import AppQuery, Autoscalers, Snapshot, read_autoscalers, read_snapshot


def plan_apps(run: RunContext, discovery: Discovery, apps: Sequence[AppSpec]) -> list[AppPlan]:
    """Plan these apps on the cluster as it is now, reading it once for all of them."""
    ready: list[tuple[AppSpec, DesiredObjects, tuple[Inventory, ...]]] = []
    plans: dict[str, AppPlan] = {}
    for app in apps:
        ready_app = _prepare(run, app)
        if isinstance(ready_app, Plan):
            plans[app.name] = AppPlan(app=app, plan=ready_app)
        else:
            ready.append((app, *ready_app))
    for app_plan in _plan_ready(run, discovery, ready):
        plans[app_plan.app.name] = app_plan
    return [plans[app.name] for app in apps]


def _prepare(run: RunContext, app: AppSpec) -> Plan | tuple[DesiredObjects, tuple[Inventory, ...]]:
    """Return what an app wants and its inventories; or the plan of an app that cannot or must not be planned."""
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
        return Plan(app=app.name, error=_empty_error(app, run.remarks(app.name)))
    return desired, inventories


def _has_members(run: RunContext, inventories: Iterable[Inventory]) -> bool:
    """Whether there may be members that an empty rendering would prune: whoever may edit a parent cannot hide them."""
    if any(
        inventory.group_kinds or run.recovered.members.get(inventory.identity.id) for inventory in inventories
    ):
        return True
    try:
        return any(run.records.load(inventory.identity).entries for inventory in inventories)
    except (RequestError, InventoryError):
        return True


def _empty_error(app: AppSpec, remarks: Sequence[str]) -> str:
    """Return the error of an app that has no manifest and would lose all its objects."""
    remarks_shown = f" ({'; '.join(remarks)})" if remarks else ""
    next_step = (
        "Correct its path, or commit its manifests again; state: absent removes the app."
        if remarks  # its path has something, but no manifests
        else "Set allow_empty: true if that is meant, or state: absent to remove the app."
    )
    reason = f"it holds no manifest{remarks_shown}, which would prune all of the app"
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
    run.progress.begin_comparing()
    queries = _with_recovered_members(
        run, [_with_record(run, _query(run, *ready_app)) for ready_app in ready]
    )
    namespaces = frozenset[str]().union(*(query.namespaces for query in queries))
    bodies = [w.body for query in queries for w in query.wanted]
    autoscalers = read_autoscalers(cluster, discovery, namespaces, bodies)
    snapshot = read_snapshot(cluster, discovery, queries, autoscalers)
    apps = [app for app, _desired, _inventories in ready]
    contexts = _contexts(run, discovery, apps, queries, snapshot, autoscalers)
    pairs = [(context, w) for context, query in zip(contexts, queries, strict=True) for w in query.wanted]
    run.progress.begin_comparing(len(pairs))
    planned_actions = cluster.map(
        lambda pair: _plan_one(pair[0], pair[1], snapshot),
        pairs,
        asks=lambda pair: snapshot.verified(pair[1]) is None,  # a verified object takes no request
    )
    plans: list[AppPlan] = []
    start = 0
    by_app: dict[str, Sequence[PlannedAction]] = {}
    for query in queries:
        by_app[query.app.name] = planned_actions[start : start + len(query.wanted)]
        start += len(query.wanted)
    changing = {name: changing_kinds(actions) for name, actions in by_app.items()}
    for (app, desired, _inventories), query, context in zip(ready, queries, contexts, strict=True):
        awaited = run.desired.with_dependencies(app.name)
        kinds = frozenset[GroupKind]().union(*(changing[name] for name in changing if name in awaited))
        actions = [deferred(context, planned, kinds) for planned in by_app[app.name]]
        observed = ObservedApp(app=app, desired=desired, query=query, context=context, snapshot=snapshot)
        plans.append(plan_app(run, observed, actions))
    return plans


def _query(
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
    """Return the query with the record's kinds, where the parent is missing or Git has other names than before."""
    hint = query.inventory.names
    if query.inventory.exists and (not hint or hint == digest_of_names(query.refs)):
        return query
    try:
        recorded = run.records.load(query.inventory.identity).entries
    except (ClusterError, InventoryError):
        return query  # the error is reported where the record is needed
    return replace(query, inventories=(query.inventory.widened(recorded), *query.inventories[1:]))


def _with_recovered_members(run: RunContext, queries: Sequence[AppQuery]) -> list[AppQuery]:
    """Return the queries, those of apps without a parent with the members that the scan found."""
    without_parent = [query for query in queries if not query.inventory.exists]
    if without_parent and run.recovered.denied:
        namespaces = frozenset[str]().union(*(query.namespaces for query in without_parent))
        scan_within(run.cluster, run.recovered, sorted(namespaces))
    return [
        query
        if query.inventory.exists
        else replace(query, inventories=tuple(map(run.recovered.known_to, query.inventories)))
        for query in queries
    ]


def _plan_one(context: PlanContext, wanted: DesiredObject, snapshot: Snapshot) -> PlannedAction:
    unreadable = snapshot.unreadable.get(wanted.ref)
    if unreadable is not None:
        # A check by an account that may only read shows what it may not read as an update; a run must not go on.
        is_unreadable = context.options.check and isinstance(unreadable, Forbidden)
        action = Action(
            ref=wanted.ref,
            verb=Verb.UPDATE if is_unreadable else Verb.REFUSED,
            reason=f"{unreadable.account} ({wanted.origin})",
            origin=wanted.origin,
            unverified=is_unreadable,
        )
        return PlannedAction(action=action, wanted=wanted)
    planned = plan_object(context, wanted, snapshot.live(wanted), verified=snapshot.verified(wanted))
    context.run.progress.compared()
    return planned


def _contexts(  # noqa: PLR0917 - one caller
    run: RunContext,
    discovery: Discovery,
    apps: Sequence[AppSpec],
    queries: Sequence[AppQuery],
    snapshot: Snapshot,
    autoscalers: Autoscalers,
) -> list[PlanContext]:
    """Return the context of each app; namespaces and autoscalers are read once for all of them."""
    provided = run.desired.provided_namespaces()
    names = {w.ref.namespace for query in queries for w in query.wanted if snapshot.live(w) is None}
    names |= {query.app.namespace for query in queries if not query.inventory.exists}
    namespaces = existing_namespaces(run.cluster, discovery, names | set(provided))
    absent = frozenset(name for name, body in namespaces.items() if body is None)
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
            read_at=snapshot.read_at,
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
