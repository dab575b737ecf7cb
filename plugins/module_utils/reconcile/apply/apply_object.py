# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out one step: the only writes to objects of an app.

Every write is safe to repeat. A forced write carries the resourceVersion that was planned on; where the object moved
meanwhile, it is read and planned again, a few times.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...cluster.bulk_reads import read_objects
from ...cluster.client import Cluster
from ...cluster.discovery import ApiResource
from ...cluster.errors import CircuitOpen, DeadlineExceeded, NotFound, RequestError, StaleVersion
from ...cluster.requests.circuit_breaker import Traffic, blames_server
from ...model.errors import ClusterError
from ...model.objects import Body, ObjectRef
from ...model.plan import Action, Outcome, Result, Verb
from ..applyset.inventory import is_member, part_of
from ..fields.applied_fields import with_applied_fields
from ..fields.managed_fields import CREATOR, FIELD_MANAGER, rewritten
from ..plan.context import PlanContext
from ..plan.plan_object import plan_object, verified_state_after
from ..plan.planned_action import PlannedAction
from ..plan.prune import withheld
from ..plan.verified_cache import VerifiedState

_TRIES = 6  # a Deployment in the middle of a rollout changes several times a second
_PAUSE = 0.05  # seconds, at most, before the second try; twice as many before each further one
_FRESH = 5.0  # seconds for which what was read counts as known: an object may appear while a stage is awaited
_UNTIL_IN_FORCE = (0.0, 0.25, 0.5, 1.0, 2.0)  # seconds before each try, after a definition has changed
_POLL = 0.5  # seconds between looks at an object that is being deleted
NOT_SENT = "not written, because the run was stopped"


def read_again(context: PlanContext, steps: Sequence[PlannedAction]) -> list[PlannedAction]:
    """The steps, those marked whose object has appeared since the plan: an apply would merge into it unasked.

    Asked once what was read is a few seconds old, as after a stage that was awaited; few requests for all steps.
    """
    if time.monotonic() - context.read_at <= _FRESH:
        return list(steps)
    discovery = context.cluster.discover()
    asked = [
        (resource, step.action.ref)
        for step in steps
        if step.action.verb is Verb.CREATE
        and step.live is None
        and step.wanted is not None
        and (resource := discovery.find(step.wanted.api_version, step.action.ref.kind)) is not None
    ]
    found, _unreadable = read_objects(context.cluster, asked)
    appeared = {ref for _version, ref in found}
    return [replace(step, appeared=True) if step.action.ref in appeared else step for step in steps]


@dataclass(frozen=True, slots=True)
class AppliedObject:
    """What a step came to, and a look at the object where the answer to the write proves it to be as wanted."""

    outcome: Outcome
    verified: VerifiedState | None = None


def apply_object(context: PlanContext, step: PlannedAction) -> AppliedObject:
    """Do what a step of an apply says. Failures come back as outcomes, not as exceptions."""
    if not step.action.verb.writes:
        return AppliedObject(Outcome(step.action, Result.DONE), step.verified)
    try:
        return _written(context, step)
    except CircuitOpen:
        return AppliedObject(Outcome(step.action, Result.SKIPPED, NOT_SENT))
    except RequestError as error:
        origin = f" ({step.action.origin})" if step.action.origin else ""
        return AppliedObject(_failed(step.action, error, f"{error.account}{origin}"))


def _failed(action: Action, error: ClusterError, why: str) -> Outcome:
    of_server = isinstance(error, RequestError) and blames_server(error, Traffic.WRITES)
    return Outcome(action, Result.FAILED, why, blames_server=of_server)


def _written(context: PlanContext, step: PlannedAction) -> AppliedObject:
    for attempt in range(_TRIES):
        try:
            applied = _write(context, step)
            verified = (
                verified_state_after(context, step.wanted, applied) if step.wanted is not None else None
            )
            return AppliedObject(Outcome(step.action, Result.DONE), verified)
        except StaleVersion:
            if attempt == _TRIES - 1:
                raise
            _pause(attempt)
            step = _again(context, step)
            if not step.action.verb.writes:
                if step.action.verb is Verb.REFUSED:
                    return AppliedObject(Outcome(step.action, Result.FAILED, step.action.reason))
                return AppliedObject(Outcome(step.action, Result.DONE), step.verified)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _pause(attempt: int) -> None:
    """Give whoever else writes to the object a moment, longer each time, and not the same for all."""
    time.sleep(random.uniform(0, _PAUSE * 2**attempt))  # noqa: S311 - no secret


def _write(context: PlanContext, step: PlannedAction) -> Body:
    """The object as the server answered the last write to it."""
    if step.body is None:
        raise AssertionError(f"a step to {step.action.verb.value} has no body")
    body = step.body if step.wanted is None else with_applied_fields(step.body, step.live)
    resource = known_resource(context.cluster, str(body["apiVersion"]), step.action.ref)
    verb = step.action.verb
    if step.appeared:
        raise StaleVersion(str(step.action.ref), "applying it", "it is not as it was planned on")
    if verb is Verb.RECREATE or (verb is Verb.CREATE and step.live is not None):
        _remove_first(context, resource, step)
        return _apply(context.cluster, resource, body, force=False)
    if verb is Verb.CREATE and step.wanted is None:
        return context.cluster.apply(resource, body, field_manager=CREATOR, force=False)
    if verb is not Verb.CREATE:
        return _take_over(context.cluster, resource, step, body)
    applied = _apply(context.cluster, resource, body, force=False)
    return _strike_nobody(context.cluster, resource, step.action.ref, applied)


def known_resource(cluster: Cluster, api_version: str, ref: ObjectRef) -> ApiResource:
    """The resource of a kind, asking the server anew if it was not known: its CRD may have come with this run."""
    resource = cluster.discover().find(api_version, ref.kind) or cluster.rediscover().find(
        api_version, ref.kind
    )
    if resource is None:
        raise NotFound(
            str(ref),
            "applying",
            f"the cluster does not know {api_version} {ref.kind} yet",
            "Its CustomResourceDefinition is not established; the next run tries again.",
        )
    return resource


def _take_over(cluster: Cluster, resource: ApiResource, step: PlannedAction, body: Body) -> Body:
    """Put ownership right where it has to be, then apply by force, on the very state that was planned on."""
    if step.live is None:
        raise AssertionError("an update is planned on a live object")
    version = str(step.live["metadata"]["resourceVersion"])
    if step.managed_fields is not None:
        owned = _own(cluster, resource, step.action.ref, version, step.managed_fields)
        version = str(owned["metadata"]["resourceVersion"])
    applied = _apply(cluster, resource, _at(body, version), force=True)
    return _strike_nobody(cluster, resource, step.action.ref, applied)


def _strike_nobody(cluster: Cluster, resource: ApiResource, ref: ObjectRef, applied: Body) -> Body:
    """Where the object had no managedFields, the server has just made somebody unknown its owner: strike that."""
    left = rewritten(applied, fold={}, release={}, api_version=resource.api_version)
    if left is None:
        return applied
    return _own(cluster, resource, ref, str(applied["metadata"]["resourceVersion"]), left)


def _apply(cluster: Cluster, resource: ApiResource, body: Body, *, force: bool) -> dict[str, Any]:
    return cluster.apply(resource, body, field_manager=FIELD_MANAGER, force=force)


def _at(body: Body, version: str) -> Body:
    return {**body, "metadata": {**body["metadata"], "resourceVersion": version}}


def _own(cluster: Cluster, resource: ApiResource, ref: ObjectRef, version: str, managed: list[Any]) -> Body:
    """Write managedFields, if the object is still at `version`; the object then."""
    return cluster.json_patch(
        resource,
        namespace=ref.namespace,
        name=ref.name,
        operations=[
            {"op": "replace", "path": "/metadata/managedFields", "value": managed or [{}]},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        ],
        field_manager=FIELD_MANAGER,
    )


def _remove_first(context: PlanContext, resource: ApiResource, step: PlannedAction) -> None:
    """Delete the live object, unless it is going already, and wait until it is gone."""
    live = step.live
    if live is None:
        return
    metadata, ref = live["metadata"], step.action.ref
    if not metadata.get("deletionTimestamp"):
        context.cluster.delete(
            resource, namespace=ref.namespace, name=ref.name, uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
        )  # fmt: skip
    gone = wait_until(
        lambda: _uid(context.cluster, resource, ref) != metadata["uid"],
        context.app.timeout if context.app.wait else _POLL,
    )
    if not gone:
        raise DeadlineExceeded(
            str(ref),
            "waiting to create it again",
            "the old one is still being deleted (its finalizers are not done)",
            "The next run tries again; see the object's metadata.finalizers for what holds it.",
        )


def _uid(cluster: Cluster, resource: ApiResource, ref: ObjectRef) -> str:
    live = cluster.get(resource, namespace=ref.namespace, name=ref.name, metadata_only=True)
    return "" if live is None else str(live["metadata"]["uid"])


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Ask `done` about twice a second until it says yes or `seconds` have passed; whether it said yes."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True


def planned_again(context: PlanContext, steps: Sequence[PlannedAction]) -> list[PlannedAction]:
    """The steps, those put off planned on the cluster as it is now. Failures are refusals."""
    return context.cluster.map(
        lambda step: _after_its_definition(context, step), steps, asks=lambda step: step.deferred
    )


def _after_its_definition(context: PlanContext, step: PlannedAction) -> PlannedAction:
    if not step.deferred:
        return step
    now = step
    for pause in _UNTIL_IN_FORCE:
        time.sleep(pause)
        try:
            now = _again(context, step)
        except RequestError as error:
            origin = f" ({step.action.origin})" if step.action.origin else ""
            why = f"{error.account}{origin}"
            now = replace(step, action=replace(step.action, verb=Verb.REFUSED, reason=why))
        if now.action.verb is not Verb.REFUSED:
            break
    return now


def _again(context: PlanContext, step: PlannedAction) -> PlannedAction:
    """The step planned anew on the object as it is now."""
    if step.wanted is None:
        return step
    resource = known_resource(context.cluster, step.wanted.api_version, step.action.ref)
    ref = step.action.ref
    live = context.cluster.get(resource, namespace=ref.namespace, name=ref.name)
    now = replace(context, read_at=time.monotonic(), discovery=context.cluster.discover())
    return plan_object(now, step.wanted, live)


def prune(context: PlanContext, step: PlannedAction) -> Outcome:
    """Delete one member that left Git, if it is still the object that was planned on."""
    action, live = step.action, step.live
    if action.verb is not Verb.PRUNE or live is None:
        return Outcome(action, Result.DONE)
    try:
        resource = known_resource(context.cluster, str(live["apiVersion"]), action.ref)
        return _delete(context, resource, action, live)
    except CircuitOpen:
        return Outcome(action, Result.SKIPPED, NOT_SENT)
    except ClusterError as error:
        return _failed(action, error, error.account)


def _delete(context: PlanContext, resource: ApiResource, action: Action, live: Body) -> Outcome:
    ref, uid = action.ref, live["metadata"]["uid"]
    for attempt in range(_TRIES):
        try:
            context.cluster.delete(
                resource, namespace=ref.namespace, name=ref.name, uid=uid,
                resource_version=live["metadata"]["resourceVersion"],
            )  # fmt: skip
            return Outcome(action, Result.DONE)
        except StaleVersion:
            now = context.cluster.get(resource, namespace=ref.namespace, name=ref.name)
            if now is None:
                return Outcome(action, Result.DONE)
            if (
                now["metadata"]["uid"] != uid
                or not is_member(now, part_of(live))
                or withheld(context.app, ref, now)
            ):
                why = (
                    "it was created anew, taken over, or marked to be kept since it was planned;"
                    " it is kept until the next run looks"
                )
                return Outcome(action, Result.SKIPPED, why)
            if attempt == _TRIES - 1:
                raise
            live = now
    raise AssertionError("unreachable: the last attempt returns or raises")
