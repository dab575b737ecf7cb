# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects whose CustomResourceDefinition changes in the same run: planned again once that is in force.

Before that, the server validates them by the old definition: it refuses a new field, and does not know a new version.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ...model.objects import GroupKind
from ...model.plan import Action, Verb
from ..desired.manifests import CRD, kind_defined_by
from .context import PlanContext, action_for
from .plan_object import ObjectOwner, owner_of_object
from .planned_action import PlannedAction

_REASON = "its CustomResourceDefinition changes in this run; it is compared again after that"


def changing_kinds(planned_actions: Iterable[PlannedAction]) -> frozenset[GroupKind]:
    """Return the kinds whose definitions these actions create or change in more than their metadata."""
    return frozenset(
        kind_defined_by(planned.wanted.body)
        for planned in planned_actions
        if planned.wanted is not None
        and planned.wanted.ref.group_kind == CRD
        and _changes_definition(planned.action)
    )


def _changes_definition(action: Action) -> bool:
    if action.verb in (Verb.UPDATE, Verb.ADOPT) and not action.unverified:
        return any(not change.path.startswith("metadata.") for change in action.changes)
    return action.verb.writes


def deferred(context: PlanContext, planned: PlannedAction, changing: frozenset[GroupKind]) -> PlannedAction:
    """Return the planned action, deferred if the definition of its kind changes in this run and is served already."""
    wanted, verb = planned.wanted, planned.action.verb
    if wanted is None or wanted.ref.group_kind not in changing or verb not in _DEFERRABLE:
        return planned
    live = planned.live
    if context.discovery.of(wanted.ref.group_kind) is None:
        return planned
    set_id = (
        context.membership.set_id_of(wanted.ref, live, adopt=context.app.adopt) if live is not None else ""
    )
    adopts = (
        live is not None
        and owner_of_object(live, set_id, context.inventory.identity.id) is ObjectOwner.NOBODY
    )
    if context.conflict(wanted.ref, set_id) or (adopts and not context.app.adopt):
        return planned
    expected = Verb.CREATE if live is None else Verb.ADOPT if adopts else Verb.UPDATE
    action = action_for(
        wanted,
        expected,
        live,
        changes=planned.action.changes,
        reason=_REASON,
        unverified=context.options.check,
    )
    return replace(planned, action=action, body=wanted.body, deferred=True)


_DEFERRABLE = frozenset({Verb.REFUSED, Verb.CREATE, Verb.UPDATE, Verb.ADOPT})
