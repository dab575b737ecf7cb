# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until applied objects are healthy, all that are left have failed, or the time is up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...cluster.client import Cluster
from ...cluster.errors import RequestError
from ...model.health import Health, HealthStatus
from ...model.objects import Body, ObjectRef, ref_of
from ...model.plan import Unhealthy
from ...model.well_known import PART_OF
from ..desired.manifests import DesiredObject
from ..health.assess import assess
from .wait_exceptions import WaitExceptions

_FIRST_PAUSE = 0.25  # seconds; it doubles up to the longest
_LONGEST_PAUSE = 2.0


@dataclass(frozen=True, slots=True)
class WaitResult:
    """The result of waiting: objects that are not healthy, sorted, and remarks on some that are."""

    unhealthy: tuple[Unhealthy, ...]
    remarks: tuple[str, ...]


def wait_for_health(
    cluster: Cluster,
    set_id: str,
    wanted: Sequence[DesiredObject],
    known: Mapping[ObjectRef, Health],
    seconds: float,
) -> WaitResult:
    """Wait until the wanted objects are healthy.

    `known` is the health of objects read for the plan and not written since. Waiting ends when all are current, when
    nothing but failures is left, or after `seconds`.
    """
    deadline = time.monotonic() + seconds
    pending = {w: known.get(w.ref, Health(HealthStatus.NOT_FOUND)) for w in wanted}
    pending = {w: health for w, health in pending.items() if not health.is_current}
    pause = _FIRST_PAUSE
    exceptions = WaitExceptions(cluster)
    while pending:
        pending = exceptions.still_awaited(_read_health(cluster, set_id, pending))
        moving = any(health.status is not HealthStatus.FAILED for health in pending.values())
        if not moving or time.monotonic() + pause >= deadline:
            break
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    unhealthy = sorted((Unhealthy(w.ref, health) for w, health in pending.items()), key=lambda u: u.ref)
    return WaitResult(tuple(unhealthy), tuple(sorted(exceptions.remarks)))


def _health_of(live: Body | None) -> Health:
    return Health(HealthStatus.NOT_FOUND) if live is None else assess(live)


def _read_health(
    cluster: Cluster, set_id: str, pending: Mapping[DesiredObject, Health]
) -> dict[DesiredObject, Health]:
    """Return the health of what is still pending, by one LIST per kind."""
    kinds = sorted({(w.api_version, w.ref.kind) for w in pending})
    live: dict[ObjectRef, Body] = {}
    errors: dict[tuple[str, str], str] = {}
    for kind, listed in zip(
        kinds, cluster.map(lambda k: _list(cluster, set_id, k, pending), kinds), strict=True
    ):
        if isinstance(listed, RequestError):
            errors[kind] = str(listed)
        else:
            live.update({ref_of(body): body for body in listed})
    health_of = {
        w: Health(HealthStatus.UNKNOWN, errors[w.api_version, w.ref.kind])
        if (w.api_version, w.ref.kind) in errors
        else _health_of(live.get(w.ref))
        for w in pending
    }
    return {w: health for w, health in health_of.items() if not health.is_current}


def _list(
    cluster: Cluster, set_id: str, kind: tuple[str, str], pending: Mapping[DesiredObject, Health]
) -> list[Body] | RequestError:
    resource = cluster.discover().find(*kind)
    if resource is None:
        return []
    refs = [w.ref for w in pending if (w.api_version, w.ref.kind) == kind]
    try:
        if len(refs) == 1:
            live = cluster.get(resource, namespace=refs[0].namespace, name=refs[0].name)
            return [] if live is None else [live]
        namespaces = sorted({ref.namespace for ref in refs})
        where = namespaces if len(namespaces) == 1 else [""]
        selector = f"{PART_OF}={set_id}"
        return [
            item
            for ns in where
            for item in cluster.list(resource, namespace=ns, label_selector=selector).items
        ]
    except RequestError as error:
        return error
