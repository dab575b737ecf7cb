# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app waits for once its plan was carried out: health of what was applied, and the end of deletions."""

from __future__ import annotations

from collections.abc import Sequence

from ...model.health import Health, HealthStatus
from ...model.objects import GroupKind
from ...model.plan import Awaited, Outcome, Result, Verb
from ..plan.plan_object import is_removed_by_ttl
from ..plan.planned_action import PlannedAction
from .wait import awaited_deletion

_NAMESPACE = GroupKind("", "Namespace")


def awaited_objects(applies: Sequence[PlannedAction], outcomes: Sequence[Outcome]) -> list[Awaited]:
    """Return what was applied, each object with its health where the plan read it and nothing was written."""
    applied = _done(outcomes)
    return [
        Awaited(
            ref=planned.wanted.ref,
            api_version=planned.wanted.api_version,
            health=health
            if (health := planned.action.health) is not None and planned.action.verb is Verb.UNCHANGED
            else Health(HealthStatus.NOT_FOUND),
            removed_by_ttl=is_removed_by_ttl(planned.wanted),
        )
        for planned in applies
        if planned.wanted is not None
        and planned.wanted.ref in applied
        # else it is missing, and stays so on purpose
        and (planned.live is not None or planned.action.verb.writes)
    ]


def awaited_prunes(prunes: Sequence[PlannedAction], outcomes: Sequence[Outcome]) -> list[Awaited]:
    """Return what was pruned and may still be there for a while: a finalizer holds it, or it is a Namespace."""
    pruned = _done(outcomes)
    return [
        awaited_deletion(planned.live)
        for planned in prunes
        if planned.live is not None
        and planned.action.verb is Verb.PRUNE
        and planned.action.ref in pruned
        and (planned.live["metadata"].get("finalizers") or planned.action.ref.group_kind == _NAMESPACE)
    ]


def _done(outcomes: Sequence[Outcome]) -> frozenset[object]:
    return frozenset(outcome.action.ref for outcome in outcomes if outcome.result is Result.DONE)
