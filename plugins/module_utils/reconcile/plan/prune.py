# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of prunes: members of a set that no manifest wants any more, and the rules that hold a prune back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from ...model.app import AppSpec, AppState
from ...model.objects import Body, GroupKind, ObjectRef
from ...model.plan import Action, Verb
from ..desired.containers import CONTAINERS, contains
from ..desired.order import sort_key
from ..desired.prune_markers import protective_marker
from .planned_action import PlannedAction

CONSENT = "plumb.gitops/prune"  # annotation on the object: `enabled` consents, `disabled` keeps it

# Kinds whose deletion deletes data or other objects: pruned only with consent on the object itself.
PROTECTED = CONTAINERS | {GroupKind("", "PersistentVolumeClaim"), GroupKind("", "PersistentVolume")}


@dataclass(frozen=True, slots=True)
class Prune:
    """What a run does with members that left Git. `blocked` is why nothing may be pruned, whether due or not."""

    planned_actions: tuple[PlannedAction, ...]
    blocked: str = ""


def plan_prune(
    app: AppSpec,
    members: Mapping[ObjectRef, Body],
    wanted: frozenset[ObjectRef],
    *,
    blocked: str,
    waits: str,
    wanted_elsewhere: Callable[[ObjectRef], str],
    wanted_inside: Callable[[ObjectRef, Body], str],
    reason: str,
    marked: Mapping[ObjectRef, str] = MappingProxyType({}),
) -> Prune:
    """Decide on each member that no manifest of the app wants.

    `blocked` is why this run must not prune (an incomplete read, say): what is due is refused. `waits` is why it should
    not, though nothing is wrong with the app: what is due stays for now. `wanted_elsewhere` returns the app, if any,
    that wants an object now and takes it over. `wanted_inside` returns an object, if any, that Git wants and that would
    go with this one. `reason` is shown, such as `left Git in 4f2a9c1`. `marked` are annotations of other tools in the
    manifests that objects were last applied from.
    """
    left_git = sorted((ref for ref in members if ref not in wanted), key=sort_key, reverse=True)
    planned_actions = [
        _plan_member(
            app,
            ref,
            members[ref],
            reason,
            marker_on(app, members[ref]) or _marker_in(app, marked.get(ref, "")),
        )
        for ref in left_git
        if not wanted_elsewhere(ref)  # else another app of this run wants it now, and takes it over
    ]
    planned_actions = [_held_back_for_wanted(planned, wanted_inside) for planned in planned_actions]
    planned_actions = _held_back_for_content(planned_actions)
    prune_count = sum(planned.action.verb is Verb.PRUNE for planned in planned_actions)
    if not prune_count:
        return Prune(tuple(planned_actions), blocked)
    live_count = sum(not body["metadata"].get("deletionTimestamp") for body in members.values())
    hold_reason = blocked or _limit_exceeded(app, prune_count, live_count, empty=not wanted)
    if hold_reason:
        return Prune(tuple(_held_back(planned, hold_reason) for planned in planned_actions), hold_reason)
    if waits:
        return Prune(tuple(_held_back(planned, waits, Verb.UNCHANGED) for planned in planned_actions), waits)
    return Prune(tuple(planned_actions))


def withheld(app: AppSpec, ref: ObjectRef, live: Body) -> bool:
    """Whether an object must not be pruned, by its own annotations or, where it has none, by its kind."""
    consent = consent_of(live)
    marked = bool(marker_on(app, live))
    return marked or consent == "disabled" or (ref.group_kind in PROTECTED and consent != "enabled")


def marker_on(app: AppSpec, body: Body) -> str:
    """Return the annotation that forbids other tools to delete the object, if the app respects such annotations."""
    return _marker_in(app, protective_marker(body))


def _marker_in(app: AppSpec, marker: str) -> str:
    return marker if app.keep_marked else ""


def consent_of(live: Body) -> str:
    """Return the object's own annotation about pruning: `enabled`, `disabled`, or nothing."""
    annotations: Mapping[str, str] = live["metadata"].get("annotations") or {}
    return annotations.get(CONSENT, "")


def _plan_member(app: AppSpec, ref: ObjectRef, live: Body, leave_reason: str, marker: str) -> PlannedAction:
    consent = consent_of(live)
    verb, reason = Verb.PRUNE, leave_reason
    if live["metadata"].get("deletionTimestamp"):
        verb, reason = Verb.UNCHANGED, f"{leave_reason}; it is being deleted"
    elif not app.prune and app.state is AppState.PRESENT:
        verb, reason = Verb.UNCHANGED, f"{leave_reason}; kept, because the app has prune: false"
    elif consent == "disabled":
        verb, reason = Verb.UNCHANGED, f"{leave_reason}; kept, because its annotation {CONSENT} is disabled"
    elif marker:
        verb = Verb.UNCHANGED
        next_step = "Remove that, or set keep_marked: false for the app"
        reason = f"{leave_reason}; kept, because it is marked {marker}. {next_step}"
    elif ref.group_kind in PROTECTED and consent != "enabled":
        verb = Verb.UNCHANGED
        reason = (
            f"{leave_reason}; it waits for consent: annotate this {ref.kind} {CONSENT}=enabled to let it go,"
            " or =disabled to keep it."
        )
    version, uid = str(live.get("apiVersion") or ""), str(live["metadata"].get("uid") or "")
    return PlannedAction(
        action=Action(ref=ref, verb=verb, reason=reason, api_version=version, uid=uid), live=live
    )


def _held_back_for_wanted(
    planned: PlannedAction, wanted_inside: Callable[[ObjectRef, Body], str]
) -> PlannedAction:
    """Return the planned action, refused if it would delete an object that Git wants with one that it does not."""
    ref, live = planned.action.ref, planned.live
    if planned.action.verb is not Verb.PRUNE or live is None or ref.group_kind not in PROTECTED:
        return planned
    other = wanted_inside(ref, live)
    return _held_back(planned, f"Git wants {other}, which would be deleted with it") if other else planned


def _held_back_for_content(planned_actions: Sequence[PlannedAction]) -> list[PlannedAction]:
    """Return the planned actions; refused are those of Namespaces and definitions that would delete kept objects."""
    retained = [
        planned.action.ref
        for planned in planned_actions
        if planned.action.verb is not Verb.PRUNE
        and not (planned.live is not None and planned.live["metadata"].get("deletionTimestamp"))
    ]

    def checked(planned: PlannedAction) -> PlannedAction:
        ref, live = planned.action.ref, planned.live
        if live is None or ref.group_kind not in CONTAINERS:
            return planned
        other = min((other for other in retained if contains(ref, live, other)), default=None)
        return _held_back(planned, f"{other}, which is kept, would be deleted with it") if other else planned

    return [checked(planned) for planned in planned_actions]


def _limit_exceeded(app: AppSpec, pruned: int, total: int, *, empty: bool) -> str:
    if app.state is AppState.ABSENT:
        return ""
    if empty:
        return ""  # an empty render that got this far is allowed by allow_empty, and means all of it
    if app.prune_limit.allows(pruned, total):
        return ""
    return (
        f"{pruned} of {total} objects left Git, more than prune_limit {app.prune_limit} allows."
        " Raise prune_limit for this app if that is meant."
    )


def _held_back(planned: PlannedAction, reason: str, verb: Verb = Verb.REFUSED) -> PlannedAction:
    if planned.action.verb is not Verb.PRUNE:
        return planned
    action = replace(planned.action, verb=verb, reason=f"{planned.action.reason}; not pruned: {reason}")
    return PlannedAction(action=action, live=planned.live)
