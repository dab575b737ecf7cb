# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying an app's plan.

record and inventory widened to all that is going to exist    (a run that ends early leaves nothing unknown)
apply, stage by stage: definitions, classes, roles, bindings, the rest, admission
prune in reverse order                                         (not after a failure)
record and inventory narrowed to what exists
wait for health
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ...cluster.client import Cluster
from ...cluster.discovery import ApiResource
from ...cluster.errors import CircuitOpen, NotFound, RequestError, StaleVersion, UnknownApi
from ...cluster.requests.circuit_breaker import Traffic, blames_server
from ...model.app import AppState
from ...model.errors import InventoryError
from ...model.objects import GroupKind, ObjectRef
from ...model.plan import AppResult, Awaited, FollowUp, Outcome, Result, Unhealthy, Verb, describe_awaited
from ..applyset.inventory import Inventory, read_inventory
from ..desired.order import Stage, staged
from ..fields.managed_fields import FIELD_MANAGER
from ..health.assess import assess
from ..health.reasons import explain
from ..membership.member_records import create_namespace
from ..membership.record import MemberRecord
from ..plan.context import PlanContext
from ..plan.plan_app import AppPlan
from ..plan.planned_action import PlannedAction
from ..plan.verified_cache import VerifiedState
from .apply_object import (
    NOT_SENT,
    AppliedObject,
    apply_object,
    mark_appeared,
    prune,
    replan_deferred,
    wait_until,
)
from .awaited import awaited_objects, awaited_prunes
from .record_changes import record_after_run, record_before_run
from .wait import wait_for_health

_NAMESPACE = GroupKind("", "Namespace")
_DEFINITIONS_SOON = 5.0  # seconds that a run which does not wait gives to new Namespaces and CRDs


@dataclass(frozen=True, slots=True)
class AppliedApp:
    """The result of an app, and the verified states of those of its objects that are known to be as wanted now."""

    result: AppResult
    verified: Mapping[ObjectRef, VerifiedState]


def apply_app(app_plan: AppPlan) -> AppliedApp:
    """Bring the cluster to an app's plan. What fails is in the result; nothing is raised for a request that fails."""
    started = time.monotonic()
    if app_plan.context is None or app_plan.inventory is None:
        return AppliedApp(AppResult(plan=app_plan.plan, executed=True), app_plan.verified)
    progress = app_plan.context.run.progress
    progress.begin_app(app_plan.app.name, _count_writes(app_plan))
    applier = _AppApplier(app_plan, app_plan.context, app_plan.inventory)
    try:
        result = replace(applier.run(), seconds=time.monotonic() - started)
    finally:
        progress.end_app(app_plan.app.name)
    return AppliedApp(result, {**app_plan.verified, **applier.verified})


def _count_writes(app_plan: AppPlan) -> int:
    """Return how many objects are to be written, for the progress."""
    return sum(planned.action.verb.writes for planned in (*app_plan.applies, *app_plan.prunes))


class _AppApplier:
    """Applies one app's plan once."""

    def __init__(self, app_plan: AppPlan, context: PlanContext, inventory: Inventory) -> None:
        self._app_plan = app_plan
        self._context = context
        self._cluster: Cluster = context.cluster
        self._inventory = inventory
        self._record = app_plan.record  # None: this run has no need of it
        self._outcomes: list[Outcome] = []
        self._applied_early: set[ObjectRef] = set()
        self._deletions: list[Awaited] = []  # that have to be over before an object is created
        self.verified: dict[ObjectRef, VerifiedState] = {}

    def run(self) -> AppResult:
        try:
            return self._apply()
        except CircuitOpen as error:
            return self._cut_short(error)

    def _apply(self) -> AppResult:
        try:
            self._record_before()
        except (RequestError, InventoryError) as error:
            of_server = isinstance(error, RequestError) and blames_server(error, Traffic.WRITES)
            result = self._result(f"nothing was written: its inventory could not be recorded: {error}")
            return replace(result, blames_server=of_server)
        for stage, staged_actions in staged(
            (planned.action.ref, planned) for planned in self._app_plan.applies
        ):
            planned_actions = self._replan(staged_actions)
            applied = self._cluster.map(
                self._apply_counted,
                mark_appeared(
                    self._context,
                    [planned for planned in planned_actions if planned.action.ref not in self._applied_early],
                ),
                asks=lambda planned: planned.action.verb.writes,
            )
            done = self._keep(applied)
            if (stopped := self._cluster.stopped) is not None:
                raise stopped
            if stage is Stage.DEFINITIONS:
                self._await_definitions(done)
        self._prune()
        try:
            self._record_after()
        except (RequestError, InventoryError) as error:
            return self._result(f"its inventory could not be brought up to date: {error}")
        return self._wait()

    def _apply_counted(self, planned: PlannedAction) -> AppliedObject:
        applied = apply_object(self._context, planned)
        if planned.action.verb.writes:
            self._context.run.progress.applied(self._app_plan.app.name)
        return applied

    def _replan(self, planned_actions: Sequence[PlannedAction]) -> Sequence[PlannedAction]:
        """Return the planned actions of a stage, the deferred ones planned anew; the plan is updated with them."""
        if not any(planned.deferred for planned in planned_actions):
            return planned_actions
        replanned = replan_deferred(self._context, planned_actions)
        by_ref = {planned.action.ref: planned for planned in replanned}
        applies = tuple(by_ref.get(planned.action.ref, planned) for planned in self._app_plan.applies)
        actions = tuple(
            by_ref[action.ref].action if action.ref in by_ref else action
            for action in self._app_plan.plan.actions
        )
        self._app_plan = replace(
            self._app_plan, applies=applies, plan=replace(self._app_plan.plan, actions=actions)
        )
        return replanned

    def _result(
        self,
        error: str = "",
        unhealthy: Sequence[Unhealthy] = (),
        waited: bool = False,
        follow_up: FollowUp | None = None,
    ) -> AppResult:
        return AppResult(
            plan=self._app_plan.plan,
            outcomes=tuple(self._outcomes),
            unhealthy=tuple(unhealthy),
            waited=waited,
            follow_up=follow_up,
            error=error,
            executed=True,
        )

    def _cut_short(self, stopped: CircuitOpen) -> AppResult:
        """Return the result of a run that ends here: what is not written yet is skipped."""
        known = {outcome.action.ref for outcome in self._outcomes}
        planned_actions = (*self._app_plan.namespace_actions, *self._app_plan.applies, *self._app_plan.prunes)
        self._outcomes += [
            Outcome(planned.action, Result.SKIPPED, NOT_SENT)
            for planned in planned_actions
            if planned.action.verb.writes and planned.action.ref not in known
        ]
        return self._result(str(stopped))

    def _keep(self, applied: Sequence[AppliedObject]) -> list[Outcome]:
        """Keep outcomes and verified states; return the outcomes."""
        self.verified |= {
            applied_object.outcome.action.ref: applied_object.verified
            for applied_object in applied
            if applied_object.verified is not None
        }
        self._deletions += [each.awaited for each in applied if each.awaited is not None]
        outcomes = [applied_object.outcome for applied_object in applied]
        self._outcomes += outcomes
        return outcomes

    @property
    def _failed(self) -> bool:
        return any(outcome.result is Result.FAILED for outcome in self._outcomes)

    def _record_before(self) -> None:
        """Widen record and inventory to all that is going to exist, before the first write to any of it."""
        app_plan = self._app_plan
        wanted = [planned.action.ref for planned in app_plan.applies]
        members = [
            *(planned.action.ref for planned in app_plan.prunes),
            *app_plan.moving,
            *app_plan.unrecorded,
            *app_plan.unread_members,
        ]
        has_none = not self._inventory.exists and (self._record is None or not self._record.exists)
        if (
            app_plan.app.state is AppState.ABSENT
            and has_none
            and not self._deletes()
            and not app_plan.unrecorded
        ):
            return  # nothing of it is left but what is being deleted
        self._ensure_namespaces()
        widened = self._inventory.widened([*wanted, *members])
        if self._record is not None:
            self._write_record(record_before_run(self._record, app_plan.applies, app_plan.prunes))
            widened = widened.before_record()
        self._write_inventory(widened)

    def _write_record(self, record: MemberRecord) -> None:
        if self._app_plan.records is not None and (not record.exists or record != self._record):
            self._record = self._app_plan.records.save(record)

    def _deletes(self) -> bool:
        return any(planned.action.verb is Verb.PRUNE for planned in self._app_plan.prunes)

    def _ensure_namespaces(self) -> None:
        """Create the namespaces of parent and record if they are missing: by the app's own manifest, or plain ones."""
        for planned in self._app_plan.namespace_actions:
            self._keep([apply_object(self._context, planned)])
        home = self._inventory.identity.namespace
        created = {planned.action.ref.name for planned in self._app_plan.namespace_actions}
        if not self._inventory.exists and not self._apply_early(home) and home not in created:
            self._create_namespace(home)
        if self._record is not None and not self._record.exists and self._app_plan.records is not None:
            self._apply_early(self._app_plan.records.home)

    def _create_namespace(self, home: str) -> None:
        """Create the namespace of the parent, unless it was there when this run looked."""
        context = self._context
        if home == context.run.records.home:
            context.run.records.create_home()
        elif home in context.missing_namespaces | context.coming_namespaces:
            create_namespace(self._cluster, home)

    def _apply_early(self, name: str) -> bool:
        """Apply the app's manifest for this Namespace now, before anything is recorded; whether it has one."""
        ref = ObjectRef("", "Namespace", "", name)
        own = next((planned for planned in self._app_plan.applies if planned.action.ref == ref), None)
        if own is None or own.action.verb is Verb.REFUSED:
            return False
        if ref not in self._applied_early:
            done = self._keep([self._apply_counted(own)])
            self._applied_early.add(ref)
            self._await_definitions(done)
        return True

    def _write_inventory(self, inventory: Inventory) -> None:
        resource = self._cluster.discover().of(GroupKind("", "ConfigMap"))
        if resource is None:
            raise UnknownApi("ConfigMap", "recording the inventory", "the cluster does not know ConfigMaps")
        if not inventory.exists or inventory != self._inventory:
            inventory = replace(inventory, exists=True, version=self._write_parent(resource, inventory))
        self._inventory = inventory

    def _write_parent(self, resource: ApiResource, inventory: Inventory) -> str:
        """Write the parent, unless another run wrote it since it was read; return its new resourceVersion."""
        try:
            live = self._cluster.apply(resource, inventory.body(), field_manager=FIELD_MANAGER, force=True)
        except StaleVersion:
            ref = inventory.identity.ref
            current = self._cluster.get(resource, namespace=ref.namespace, name=ref.name)
            # After a lost answer, the newer resourceVersion may be of our own write.
            if current is None or read_inventory(current, inventory.identity, inventory.owner) != replace(
                inventory, exists=True
            ):
                raise
            live = current
        return str(live["metadata"]["resourceVersion"])

    def _await_definitions(self, done: Sequence[Outcome]) -> None:
        """Wait until Namespaces and CRDs just written can be used; then discover the kinds again."""
        written = [
            outcome.action.ref
            for outcome in done
            if outcome.result is Result.DONE and outcome.action.verb.writes
        ]
        if not written:
            return
        timeout = self._context.app.timeout
        seconds = timeout if self._context.options.wait else min(timeout, _DEFINITIONS_SOON)
        wait_until(lambda: all(map(self._usable, written)), seconds)
        if any(ref.kind == "CustomResourceDefinition" for ref in written):
            # Where this fails, a kind that is still unknown is discovered again before it is written.
            with suppress(RequestError):
                self._cluster.rediscover()

    def _usable(self, ref: ObjectRef) -> bool:
        resource = self._cluster.discover().of(ref.group_kind)
        try:
            live = None if resource is None else self._cluster.get(resource, namespace="", name=ref.name)
        except RequestError:
            return False
        return live is not None and assess(live).is_current

    def _prune(self) -> None:
        """Delete what left Git, in reverse order; nothing at all once something failed to be applied."""
        prunes = [(planned.action.ref, planned) for planned in self._app_plan.prunes]
        if self._failed and any(planned.action.verb is Verb.PRUNE for _ref, planned in prunes):
            reason = "not pruned, because something in this app failed to be applied; the next run prunes it"
            self._outcomes += [
                Outcome(planned.action, Result.SKIPPED, reason)
                for _ref, planned in prunes
                if planned.action.verb is Verb.PRUNE
            ]
            return
        for _stage, group in staged(prunes, reverse=True):
            self._outcomes += self._cluster.map(self._prune_counted, group)

    def _prune_counted(self, planned: PlannedAction) -> Outcome:
        outcome = prune(self._context, planned)
        self._context.run.progress.applied(self._app_plan.app.name)
        return outcome

    def _record_after(self) -> None:
        """Narrow record and inventory to what exists now, or delete them with an app that is gone."""
        app_plan = self._app_plan
        done = [outcome.action for outcome in self._outcomes if outcome.result is Result.DONE]
        pruned = {action.ref for action in done if action.verb is Verb.PRUNE}
        left_git = [planned.action.ref for planned in app_plan.prunes]
        remaining = [*(ref for ref in left_git if ref not in pruned), *app_plan.moving]
        possible = [*remaining, *app_plan.unrecorded, *app_plan.unread_members]
        if app_plan.app.state is AppState.ABSENT and not possible:
            self._drop_record(self._inventory)
            self._drop(self._inventory)
        elif self._inventory.exists:
            self._narrow([*remaining, *app_plan.unread_members], possible)
        if not self._failed and not remaining:
            for former in app_plan.former_inventories:
                self._drop_record(former)
                self._drop(former)

    def _narrow(self, remaining: Sequence[ObjectRef], possible: Sequence[ObjectRef]) -> None:
        app_plan = self._app_plan
        wanted = [planned.action.ref for planned in app_plan.applies]
        narrowed = self._inventory.narrowed([*wanted, *possible])
        if self._record is not None:
            after = record_after_run(
                self._record, app_plan.applies, self._outcomes, remaining, app_plan.moving
            )
            self._write_record(after)
            narrowed = narrowed.with_record(wanted)
        elif app_plan.plan.prune_blocked:
            narrowed = self._inventory  # what it has of kinds that could not be read is not known
        self._write_inventory(narrowed)

    def _drop_record(self, inventory: Inventory) -> None:
        if self._app_plan.records is not None:
            self._app_plan.records.delete(inventory.identity)

    def _drop(self, inventory: Inventory) -> None:
        """Delete a parent whose members are all gone or taken over."""
        resource = self._cluster.discover().of(GroupKind("", "ConfigMap"))
        if not inventory.exists or resource is None:
            return
        ref = inventory.identity.ref
        live = self._cluster.get(resource, namespace=ref.namespace, name=ref.name, metadata_only=True)
        if live is None:
            return
        try:
            self._cluster.delete(
                resource, namespace=ref.namespace, name=ref.name,
                uid=live["metadata"]["uid"], resource_version=live["metadata"]["resourceVersion"],
            )  # fmt: skip
        except NotFound:
            return

    def _wait(self) -> AppResult:
        app, waits = self._app_plan.app, self._context.options.wait
        if not app.wait or app.state is AppState.ABSENT:
            return self._result(follow_up=self._follow_up(self._deletions))
        app_plan, outcomes = self._app_plan, self._outcomes
        wait_result = wait_for_health(
            self._cluster,
            self._inventory.identity.id,
            [*awaited_objects(app_plan.applies, outcomes), *awaited_prunes(app_plan.prunes, outcomes)],
            app.timeout if waits else 0.0,
            lambda awaited: self._context.run.progress.waits(app.name, describe_awaited(awaited)),
        )
        plan = self._app_plan.plan
        self._app_plan = replace(
            self._app_plan, plan=replace(plan, warnings=(*plan.warnings, *wait_result.remarks))
        )
        if not waits and (wait_result.moves or self._deletions):
            return self._result(follow_up=self._follow_up([*wait_result.pending, *self._deletions]))
        unhealthy = [Unhealthy(awaited.ref, awaited.health) for awaited in wait_result.pending]
        return self._result(unhealthy=explain(self._cluster, unhealthy), waited=True)

    def _follow_up(self, objects: Sequence[Awaited]) -> FollowUp | None:
        if not objects:
            return None
        set_id, seconds = self._inventory.identity.id, self._app_plan.app.timeout
        return FollowUp(set_id=set_id, seconds=seconds, objects=tuple(objects))
