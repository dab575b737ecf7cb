# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until applied objects are healthy, all that are left have failed, or the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...cluster.client import Cluster
from ...cluster.errors import RequestError
from ...model.health import Health, HealthStatus
from ...model.objects import Body, ObjectRef, ref_of
from ...model.plan import Awaited
from ...model.well_known import PART_OF
from ..health.assess import assess
from .wait_exceptions import WaitExceptions

_BEING_DELETED = "it is being deleted; its finalizers are not done"
_FIRST_PAUSE = 0.25  # seconds; it doubles up to the longest
_LONGEST_PAUSE = 2.0


@dataclass(frozen=True, slots=True)
class WaitResult:
    """The result of waiting: what is not there yet, sorted, and remarks on what needs no wait."""

    pending: tuple[Awaited, ...]
    remarks: tuple[str, ...]

    @property
    def moves(self) -> bool:
        """Whether something of it may still become healthy without a change."""
        return any(awaited.health.status is not HealthStatus.FAILED for awaited in self.pending)


def wait_for_health(
    cluster: Cluster,
    set_id: str,
    objects: Sequence[Awaited],
    seconds: float,
    waiting: Callable[[Sequence[Awaited]], None] = lambda _awaited: None,
) -> WaitResult:
    """Wait until the objects are healthy, those aside that are by the health which they come with.

    Waiting ends when all are current, when nothing but failures is left, or after `seconds`; with 0 seconds they are
    read once. `waiting` gets what is still waited for, after each read.
    """
    deadline = time.monotonic() + seconds
    result = WaitResult(tuple(awaited for awaited in objects if not awaited.health.is_current), ())
    remarks: set[str] = set()
    pause = _FIRST_PAUSE
    while result.pending:
        result = read_health(cluster, [set_id], result.pending)
        remarks.update(result.remarks)
        waiting(result.pending)
        if not result.moves or time.monotonic() + pause >= deadline:
            break
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    return WaitResult(result.pending, tuple(sorted(remarks)))


def awaited_deletion(live: Body) -> Awaited:
    """Return what waits until this object is gone."""
    return Awaited(
        ref=ref_of(live),
        api_version=str(live["apiVersion"]),
        health=Health(HealthStatus.TERMINATING, _BEING_DELETED),
        deleted_uid=str(live["metadata"]["uid"]),
    )


def read_health(cluster: Cluster, set_ids: Sequence[str], objects: Sequence[Awaited]) -> WaitResult:
    """Read the objects of these ApplySets once, by one LIST per kind; return those that have to be waited for."""
    kinds = sorted({(awaited.api_version, awaited.ref.kind) for awaited in objects})
    live: dict[ObjectRef, Body] = {}
    errors: dict[tuple[str, str], str] = {}
    for kind, listed in zip(
        kinds, cluster.map(lambda k: _list(cluster, set_ids, k, objects), kinds), strict=True
    ):
        if isinstance(listed, RequestError):
            errors[kind] = str(listed)
        else:
            live.update({ref_of(body): body for body in listed})
    now = [replace(awaited, health=_health_of(awaited, live, errors)) for awaited in objects]
    exceptions = WaitExceptions(cluster)
    pending = exceptions.still_awaited([awaited for awaited in now if not awaited.health.is_current])
    return WaitResult(tuple(sorted(pending, key=lambda a: a.ref)), tuple(sorted(exceptions.remarks)))


def _health_of(
    awaited: Awaited, live: Mapping[ObjectRef, Body], errors: Mapping[tuple[str, str], str]
) -> Health:
    kind = awaited.api_version, awaited.ref.kind
    if kind in errors:
        return Health(HealthStatus.UNKNOWN, errors[kind])
    body = live.get(awaited.ref)
    if awaited.deleted_uid:
        is_gone = body is None or body["metadata"].get("uid") != awaited.deleted_uid
        return Health.current() if is_gone else Health(HealthStatus.TERMINATING, _BEING_DELETED)
    return Health(HealthStatus.NOT_FOUND) if body is None else assess(body)


def _list(
    cluster: Cluster, set_ids: Sequence[str], kind: tuple[str, str], objects: Sequence[Awaited]
) -> list[Body] | RequestError:
    resource = cluster.discover().find(*kind)
    if resource is None:
        return []
    refs = [awaited.ref for awaited in objects if (awaited.api_version, awaited.ref.kind) == kind]
    try:
        if len(refs) == 1:
            live = cluster.get(resource, namespace=refs[0].namespace, name=refs[0].name)
            return [] if live is None else [live]
        namespaces = sorted({ref.namespace for ref in refs})
        where = namespaces if len(namespaces) == 1 else [""]
        selector = f"{PART_OF} in ({','.join(set_ids)})"
        return [
            item
            for ns in where
            for item in cluster.list(resource, namespace=ns, label_selector=selector).items
        ]
    except RequestError as error:
        return error
