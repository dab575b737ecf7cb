# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying one planned action: the only writes to objects of an app.

Every write is safe to repeat. A forced write carries the resourceVersion that was planned on; where the object has
changed since, it is read and planned again, a few times.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...cluster.client import Cluster
from ...cluster.discovery import ApiResource
from ...cluster.errors import CircuitOpen, DeadlineExceeded, NotFound, RequestError, StaleVersion
from ...cluster.requests.circuit_breaker import Traffic, blames_server
from ...model.errors import ClusterError
from ...model.objects import Body, ObjectRef
from ...model.plan import Action, Awaited, Outcome, Result, Verb
from ..applyset.inventory import is_member, part_of
from ..fields.applied_fields import with_applied_fields
from ..fields.managed_fields import CREATOR, FIELD_MANAGER, rewritten_managed_fields
from ..plan.appearances import creates_of
from ..plan.context import PlanContext
from ..plan.plan_object import plan_object, verified_state_after
from ..plan.planned_action import PlannedAction
from ..plan.prune import withheld
from ..plan.verified_cache import VerifiedState
from .wait import awaited_deletion

_TRIES = 6  # a Deployment in the middle of a rollout changes several times a second
_PAUSE = 0.05  # seconds, at most, before the second try; twice as many before each further one
_UNTIL_IN_FORCE = (0.0, 0.25, 0.5, 1.0, 2.0)  # seconds before each try, after a definition has changed
_POLL = 0.5  # seconds between reads of an object that is being deleted
NOT_SENT = "not written, because the run was stopped"


def mark_appeared(context: PlanContext, planned_actions: Sequence[PlannedAction]) -> list[PlannedAction]:
    """Return the planned actions, those marked whose object has appeared since: an apply would merge into it."""
    creates = creates_of(context.cluster.discover(), planned_actions)
    appeared = context.run.appearances.begin(creates, context.read_at)
    return [
        replace(planned, appeared=True) if planned.action.ref in appeared else planned
        for planned in planned_actions
    ]


@dataclass(frozen=True, slots=True)
class AppliedObject:
    """The outcome of a planned action, and a verified state where the answer to the write is as wanted."""

    outcome: Outcome
    verified: VerifiedState | None = None
    awaited: Awaited | None = None  # the object that has to be gone before this one is created


class _StillDeletedError(Exception):
    """The live object is being deleted, and this run waits for no deletion."""

    def __init__(self, awaited: Awaited) -> None:
        super().__init__(str(awaited.ref))
        self.awaited = awaited


def apply_object(context: PlanContext, planned: PlannedAction) -> AppliedObject:
    """Make the write of a planned action. Failures are returned as outcomes, not raised."""
    if not planned.action.verb.writes:
        return AppliedObject(Outcome(planned.action, Result.DONE), planned.verified)
    try:
        return _write_with_retries(context, planned)
    except CircuitOpen:
        return AppliedObject(Outcome(planned.action, Result.SKIPPED, NOT_SENT))
    except _StillDeletedError as error:
        skipped = Outcome(planned.action, Result.SKIPPED, "created when the old one is gone")
        return AppliedObject(skipped, awaited=error.awaited)
    except RequestError as error:
        origin = f" ({planned.action.origin})" if planned.action.origin else ""
        return AppliedObject(_failed(planned.action, error, f"{error.account}{origin}"))


def _failed(action: Action, error: ClusterError, reason: str) -> Outcome:
    of_server = isinstance(error, RequestError) and blames_server(error, Traffic.WRITES)
    return Outcome(action, Result.FAILED, reason, blames_server=of_server)


def _write_with_retries(context: PlanContext, planned: PlannedAction) -> AppliedObject:
    for attempt in range(_TRIES):
        try:
            applied = _write(context, planned)
            verified = (
                verified_state_after(context, planned.wanted, applied) if planned.wanted is not None else None
            )
            return AppliedObject(Outcome(planned.action, Result.DONE), verified)
        except StaleVersion:
            if attempt == _TRIES - 1:
                raise
            _pause(attempt)
            planned = _replan(context, planned)
            if not planned.action.verb.writes:
                if planned.action.verb is Verb.REFUSED:
                    return AppliedObject(Outcome(planned.action, Result.FAILED, planned.action.reason))
                return AppliedObject(Outcome(planned.action, Result.DONE), planned.verified)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _pause(attempt: int) -> None:
    """Wait for other writers of the object: longer each time, and a random time."""
    time.sleep(random.uniform(0, _PAUSE * 2**attempt))  # noqa: S311 - no secret


def _write(context: PlanContext, planned: PlannedAction) -> Body:
    """Return the object as the server answered the last write to it."""
    if planned.body is None:
        raise AssertionError(f"a planned {planned.action.verb.value} has no body")
    body = planned.body if planned.wanted is None else with_applied_fields(planned.body, planned.live)
    resource = known_resource(context.cluster, str(body["apiVersion"]), planned.action.ref)
    verb = planned.action.verb
    if planned.appeared:
        raise StaleVersion(str(planned.action.ref), "applying it", "it has changed since it was planned")
    if verb is Verb.RECREATE or (verb is Verb.CREATE and planned.live is not None):
        _delete_first(context, resource, planned)
        return _apply(context.cluster, resource, body, force=False)
    if verb is Verb.CREATE and planned.wanted is None:
        return context.cluster.apply(resource, body, field_manager=CREATOR, force=False)
    if verb is not Verb.CREATE:
        return _apply_to_live(context.cluster, resource, planned, body)
    applied = _apply(context.cluster, resource, body, force=False)
    return _strike_unknown_owner(context.cluster, resource, planned.action.ref, applied)


def known_resource(cluster: Cluster, api_version: str, ref: ObjectRef) -> ApiResource:
    """Return the resource of a kind, discovered again if it is unknown: its CRD may have come with this run."""
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


def _apply_to_live(cluster: Cluster, resource: ApiResource, planned: PlannedAction, body: Body) -> Body:
    """Repair ownership where needed, then apply by force, on the very resourceVersion that was planned on."""
    if planned.live is None:
        raise AssertionError("an update is planned on a live object")
    version = str(planned.live["metadata"]["resourceVersion"])
    if planned.managed_fields is not None:
        owned = _write_managed_fields(cluster, resource, planned.action.ref, version, planned.managed_fields)
        version = str(owned["metadata"]["resourceVersion"])
    applied = _apply(cluster, resource, _with_version(body, version), force=True)
    return _strike_unknown_owner(cluster, resource, planned.action.ref, applied)


def _strike_unknown_owner(cluster: Cluster, resource: ApiResource, ref: ObjectRef, applied: Body) -> Body:
    """Strike the entry that the server makes up for an object that had no managedFields; return the object."""
    remaining = rewritten_managed_fields(applied, fold={}, release={}, api_version=resource.api_version)
    if remaining is None:
        return applied
    return _write_managed_fields(
        cluster, resource, ref, str(applied["metadata"]["resourceVersion"]), remaining
    )


def _apply(cluster: Cluster, resource: ApiResource, body: Body, *, force: bool) -> dict[str, Any]:
    return cluster.apply(resource, body, field_manager=FIELD_MANAGER, force=force)


def _with_version(body: Body, version: str) -> Body:
    return {**body, "metadata": {**body["metadata"], "resourceVersion": version}}


def _write_managed_fields(
    cluster: Cluster, resource: ApiResource, ref: ObjectRef, version: str, managed: list[Any]
) -> Body:
    """Write managedFields, if the object is still at `version`; return the object as it is then."""
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


def _delete_first(context: PlanContext, resource: ApiResource, planned: PlannedAction) -> None:
    """Delete the live object, unless it is being deleted already, and wait until it is gone."""
    live = planned.live
    if live is None:
        return
    metadata, ref = live["metadata"], planned.action.ref
    if not metadata.get("deletionTimestamp"):
        context.cluster.delete(
            resource, namespace=ref.namespace, name=ref.name, uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
        )  # fmt: skip
    waits = context.app.wait and context.options.wait
    gone = wait_until(
        lambda: _live_uid(context.cluster, resource, ref) != metadata["uid"],
        context.app.timeout if waits else _POLL,
    )
    if not gone and not context.options.wait:
        raise _StillDeletedError(awaited_deletion(live))
    if not gone:
        raise DeadlineExceeded(
            str(ref),
            "waiting to create it again",
            "the old one is still being deleted (its finalizers are not done)",
            "The next run tries again; see the object's metadata.finalizers for what holds it.",
        )


def _live_uid(cluster: Cluster, resource: ApiResource, ref: ObjectRef) -> str:
    live = cluster.get(resource, namespace=ref.namespace, name=ref.name, metadata_only=True)
    return "" if live is None else str(live["metadata"]["uid"])


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Call `done` about twice a second until it returns True or `seconds` have passed; return whether it did."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True


def replan_deferred(context: PlanContext, planned_actions: Sequence[PlannedAction]) -> list[PlannedAction]:
    """Return the planned actions, the deferred ones planned on the cluster as it is now. Failures are refusals."""
    return context.cluster.map(
        lambda planned: _replan_until_in_force(context, planned),
        planned_actions,
        asks=lambda planned: planned.deferred,
    )


def _replan_until_in_force(context: PlanContext, planned: PlannedAction) -> PlannedAction:
    if not planned.deferred:
        return planned
    replanned = planned
    for pause in _UNTIL_IN_FORCE:
        time.sleep(pause)
        try:
            replanned = _replan(context, planned)
        except RequestError as error:
            origin = f" ({planned.action.origin})" if planned.action.origin else ""
            reason = f"{error.account}{origin}"
            replanned = replace(planned, action=replace(planned.action, verb=Verb.REFUSED, reason=reason))
        if replanned.action.verb is not Verb.REFUSED:
            break
    return replanned


def _replan(context: PlanContext, planned: PlannedAction) -> PlannedAction:
    """Return the action planned anew on the object as it is now."""
    if planned.wanted is None:
        return planned
    resource = known_resource(context.cluster, planned.wanted.api_version, planned.action.ref)
    ref = planned.action.ref
    live = context.cluster.get(resource, namespace=ref.namespace, name=ref.name)
    current_context = replace(context, read_at=time.monotonic(), discovery=context.cluster.discover())
    return plan_object(current_context, planned.wanted, live)


def prune(context: PlanContext, planned: PlannedAction) -> Outcome:
    """Delete one member that left Git, if it is still the object that was planned on."""
    action, live = planned.action, planned.live
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
            current = context.cluster.get(resource, namespace=ref.namespace, name=ref.name)
            if current is None:
                return Outcome(action, Result.DONE)
            if (
                current["metadata"]["uid"] != uid
                or not is_member(current, part_of(live))
                or withheld(context.app, ref, current)
            ):
                reason = (
                    "it was created anew, taken over, or marked to be kept since it was planned;"
                    " the next run decides about it"
                )
                return Outcome(action, Result.SKIPPED, reason)
            if attempt == _TRIES - 1:
                raise
            live = current
    raise AssertionError("unreachable: the last attempt returns or raises")
