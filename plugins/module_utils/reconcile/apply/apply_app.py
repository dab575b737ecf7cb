# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out an app's plan: record, apply stage by stage, prune, record again, wait."""

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
from ...model.plan import AppResult, Outcome, Result, Unhealthy, Verb
from ..applyset.inventory import Inventory, read_inventory
from ..desired.order import Stage, staged
from ..fields.managed_fields import FIELD_MANAGER
from ..health.assess import assess
from ..membership.record import MemberRecord
from ..membership.record_store import make_namespace
from ..plan.context import PlanContext
from ..plan.plan_apps import AppPlan
from ..plan.planned_action import PlannedAction
from ..plan.verified_cache import VerifiedState
from .apply_object import NOT_SENT, AppliedObject, apply_object, planned_again, prune, read_again, wait_until
from .record_changes import recorded_after, recorded_before
from .wait import wait_for_health

_NAMESPACE = GroupKind("", "Namespace")


@dataclass(frozen=True, slots=True)
class AppliedApp:
    """What an app came to, and looks at those of its objects that are known to be as wanted now."""

    result: AppResult
    verified: Mapping[ObjectRef, VerifiedState]


def apply_app(made: AppPlan) -> AppliedApp:
    """Bring the cluster to an app's plan. What fails is in the result; nothing is raised for a request that fails."""
    started = time.monotonic()
    if made.context is None or made.inventory is None:
        return AppliedApp(AppResult(plan=made.plan, executed=True), made.verified)
    execution = _Execution(made, made.context, made.inventory)
    result = replace(execution.run(), seconds=time.monotonic() - started)
    return AppliedApp(result, {**made.verified, **execution.verified})


class _Execution:
    """One app on its way through one run; lives as long as `execute`."""

    def __init__(self, made: AppPlan, context: PlanContext, inventory: Inventory) -> None:
        self._made = made
        self._context = context
        self._cluster: Cluster = context.cluster
        self._inventory = inventory
        self._record = made.record  # None: this run has no need of it
        self._outcomes: list[Outcome] = []
        self._early: set[ObjectRef] = set()
        self.verified: dict[ObjectRef, VerifiedState] = {}

    def run(self) -> AppResult:
        try:
            return self._carried_out()
        except CircuitOpen as error:
            return self._cut_short(error)

    def _carried_out(self) -> AppResult:
        try:
            self._record_before()
        except (RequestError, InventoryError) as error:
            of_server = isinstance(error, RequestError) and blames_server(error, Traffic.WRITES)
            result = self._result(f"nothing was written: its inventory could not be recorded: {error}")
            return replace(result, blames_server=of_server)
        for stage, planned in staged((step.action.ref, step) for step in self._made.applies):
            steps = self._planned_again(planned)
            carried = self._cluster.map(
                lambda step: apply_object(self._context, step),
                read_again(self._context, [step for step in steps if step.action.ref not in self._early]),
                asks=lambda step: step.action.verb.writes,
            )
            done = self._noted(carried)
            if (stopped := self._cluster.stopped) is not None:
                raise stopped
            if stage is Stage.DEFINITIONS:
                self._await_definitions(done)
        self._prune()
        try:
            self._record_after()
        except (RequestError, InventoryError) as error:
            return self._result(f"its inventory could not be brought up to date: {error}")
        return self._waited()

    def _planned_again(self, steps: Sequence[PlannedAction]) -> Sequence[PlannedAction]:
        """The steps of a stage, those put off planned anew; the plan then says what they came to."""
        if not any(step.deferred for step in steps):
            return steps
        now = planned_again(self._context, steps)
        new = {step.action.ref: step for step in now}
        applies = tuple(new.get(step.action.ref, step) for step in self._made.applies)
        actions = tuple(
            new[action.ref].action if action.ref in new else action for action in self._made.plan.actions
        )
        self._made = replace(self._made, applies=applies, plan=replace(self._made.plan, actions=actions))
        return now

    def _result(
        self, error: str = "", unhealthy: Sequence[Unhealthy] = (), waited: bool = False
    ) -> AppResult:
        return AppResult(
            plan=self._made.plan,
            outcomes=tuple(self._outcomes),
            unhealthy=tuple(unhealthy),
            waited=waited,
            error=error,
            executed=True,
        )

    def _cut_short(self, stopped: CircuitOpen) -> AppResult:
        """The result of a run that ends here: what is not written yet is skipped."""
        known = {outcome.action.ref for outcome in self._outcomes}
        steps = (*self._made.namespace_actions, *self._made.applies, *self._made.prunes)
        self._outcomes += [
            Outcome(step.action, Result.SKIPPED, NOT_SENT)
            for step in steps
            if step.action.verb.writes and step.action.ref not in known
        ]
        return self._result(str(stopped))

    def _noted(self, carried: Sequence[AppliedObject]) -> list[Outcome]:
        """The outcomes, which are kept, and so are the looks."""
        self.verified |= {one.outcome.action.ref: one.verified for one in carried if one.verified is not None}
        outcomes = [one.outcome for one in carried]
        self._outcomes += outcomes
        return outcomes

    @property
    def _failed(self) -> bool:
        return any(outcome.result is Result.FAILED for outcome in self._outcomes)

    def _record_before(self) -> None:
        """Widen record and inventory to all that is going to be there, before the first write to any of it."""
        made = self._made
        wanted = [step.action.ref for step in made.applies]
        members = [*(step.action.ref for step in made.prunes), *made.moving, *made.unrecorded, *made.unseen]
        has_none = not self._inventory.exists and (self._record is None or not self._record.exists)
        if made.app.state is AppState.ABSENT and has_none and not self._deletes() and not made.unrecorded:
            return  # what there is of it is going already
        self._home()
        widened = self._inventory.widened([*wanted, *members])
        if self._record is not None:
            self._write_record(recorded_before(self._record, made.applies, made.prunes))
            widened = widened.before_record()
        self._write_inventory(widened)

    def _write_record(self, record: MemberRecord) -> None:
        if self._made.records is not None and (not record.exists or record != self._record):
            self._record = self._made.records.put(record)

    def _deletes(self) -> bool:
        return any(step.action.verb is Verb.PRUNE for step in self._made.prunes)

    def _home(self) -> None:
        """See that the namespaces of parent and record are there: by the app's own manifest for it, or plain ones."""
        for step in self._made.namespace_actions:
            self._noted([apply_object(self._context, step)])
        home = self._inventory.identity.namespace
        created = {step.action.ref.name for step in self._made.namespace_actions}
        if not self._inventory.exists and not self._applied_early(home) and home not in created:
            make_namespace(self._cluster, home)
        if self._record is not None and not self._record.exists and self._made.records is not None:
            self._applied_early(self._made.records.home)

    def _applied_early(self, name: str) -> bool:
        """Whether the app has a manifest for this Namespace; then it is applied now, before anything is recorded."""
        ref = ObjectRef("", "Namespace", "", name)
        own = next((step for step in self._made.applies if step.action.ref == ref), None)
        if own is None or own.action.verb is Verb.REFUSED:
            return False
        if ref not in self._early:
            done = self._noted([apply_object(self._context, own)])
            self._early.add(ref)
            self._await_definitions(done)
        return True

    def _write_inventory(self, inventory: Inventory) -> None:
        resource = self._cluster.discover().of(GroupKind("", "ConfigMap"))
        if resource is None:
            raise UnknownApi("ConfigMap", "recording the inventory", "the cluster does not know ConfigMaps")
        if not inventory.exists or inventory != self._inventory:
            inventory = replace(inventory, exists=True, version=self._put(resource, inventory))
        self._inventory = inventory

    def _put(self, resource: ApiResource, inventory: Inventory) -> str:
        """Write the parent, unless another run wrote it since it was read; its new resourceVersion."""
        try:
            live = self._cluster.apply(resource, inventory.body(), field_manager=FIELD_MANAGER, force=True)
        except StaleVersion:
            ref = inventory.identity.ref
            found = self._cluster.get(resource, namespace=ref.namespace, name=ref.name)
            # After a lost answer it is our own write that it has moved on by.
            if found is None or read_inventory(found, inventory.identity, inventory.owner) != replace(
                inventory, exists=True
            ):
                raise
            live = found
        return str(live["metadata"]["resourceVersion"])

    def _await_definitions(self, done: Sequence[Outcome]) -> None:
        """Wait until Namespaces and CRDs just written can be used; then ask the server what it knows now."""
        written = [o.action.ref for o in done if o.result is Result.DONE and o.action.verb.writes]
        if not written:
            return
        wait_until(lambda: all(map(self._usable, written)), self._context.app.timeout)
        if any(ref.kind == "CustomResourceDefinition" for ref in written):
            # Where this fails: a kind that is still not known is asked for again before it is written.
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
        steps = [(step.action.ref, step) for step in self._made.prunes]
        if self._failed and any(step.action.verb is Verb.PRUNE for _ref, step in steps):
            why = "not pruned, because something in this app failed to be applied; the next run prunes it"
            self._outcomes += [
                Outcome(step.action, Result.SKIPPED, why)
                for _ref, step in steps
                if step.action.verb is Verb.PRUNE
            ]
            return
        for _stage, group in staged(steps, reverse=True):
            self._outcomes += self._cluster.map(lambda step: prune(self._context, step), group)

    def _record_after(self) -> None:
        """Narrow record and inventory to what is there now, or drop them with an app that is gone."""
        made = self._made
        pruned = {
            o.action.ref for o in self._outcomes if o.action.verb is Verb.PRUNE and o.result is Result.DONE
        }
        left = [s.action.ref for s in made.prunes if s.action.ref not in pruned] + [*made.moving]
        may_be = [*left, *made.unrecorded, *made.unseen]
        if made.app.state is AppState.ABSENT and not may_be:
            self._drop_record(self._inventory)
            self._drop(self._inventory)
        elif self._inventory.exists:
            self._narrow([*left, *made.unseen], may_be)
        if not self._failed and not left:
            for former in made.former_inventories:
                self._drop_record(former)
                self._drop(former)

    def _narrow(self, left: Sequence[ObjectRef], may_be: Sequence[ObjectRef]) -> None:
        made = self._made
        wanted = [step.action.ref for step in made.applies]
        narrowed = self._inventory.narrowed([*wanted, *may_be])
        if self._record is not None:
            after = recorded_after(self._record, made.applies, self._outcomes, left, made.moving)
            self._write_record(after)
            narrowed = narrowed.with_record(wanted)
        elif made.plan.prune_blocked:
            narrowed = self._inventory  # what it has of kinds that could not be read is not known
        self._write_inventory(narrowed)

    def _drop_record(self, inventory: Inventory) -> None:
        if self._made.records is not None:
            self._made.records.drop(inventory.identity)

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

    def _waited(self) -> AppResult:
        app = self._made.app
        if not app.wait or app.state is AppState.ABSENT:
            return self._result()
        applied = {o.action.ref for o in self._outcomes if o.result is Result.DONE}
        objects = [
            s.wanted
            for s in self._made.applies
            if s.wanted is not None
            and s.wanted.ref in applied
            and (s.live is not None or s.action.verb.writes)  # else it is missing, and left so on purpose
        ]
        known = {
            s.action.ref: s.action.health
            for s in self._made.applies
            if s.action.health is not None and s.action.verb is Verb.UNCHANGED
        }
        waited = wait_for_health(self._cluster, self._inventory.identity.id, objects, known, app.timeout)
        plan = self._made.plan
        self._made = replace(self._made, plan=replace(plan, warnings=(*plan.warnings, *waited.remarks)))
        return self._result(unhealthy=waited.unhealthy, waited=True)
