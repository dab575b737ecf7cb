# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning what goes: members of an app's set that no manifest wants any more, and the rules that hold a prune back."""

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

# What takes data or other objects with it when it goes: pruned only with consent on the object itself.
PROTECTED = CONTAINERS | {GroupKind("", "PersistentVolumeClaim"), GroupKind("", "PersistentVolume")}


@dataclass(frozen=True, slots=True)
class Prune:
    """What a run does about members that left Git. `blocked` says why nothing is pruned, due or not."""

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
    left: str,
    marked: Mapping[ObjectRef, str] = MappingProxyType({}),
) -> Prune:
    """Decide on each member that no manifest of the app wants.

    `blocked` says why this run must not prune (an incomplete read, say): what is due is refused. `waits` says why it
    should not, though nothing is wrong with the app: what is due is kept for now. `claimed` names the app, if any, that
    now wants an object: it is left to it. `inside` names an object, if any, that Git wants and that would go with this
    one. `left` is the reason shown, such as `left Git in 4f2a9c1`. `marked` are markers of other tools in the manifests
    that objects were last applied from.
    """
    gone = sorted((ref for ref in members if ref not in wanted), key=sort_key, reverse=True)
    steps = [
        _step(
            app, ref, members[ref], left, marker_on(app, members[ref]) or _marker_in(app, marked.get(ref, ""))
        )
        for ref in gone
        if not wanted_elsewhere(ref)  # else another app of this run wants it now, and takes it over
    ]
    steps = [_kept_for(step, wanted_inside) for step in steps]
    steps = _kept_for_content(steps)
    pruned = sum(step.action.verb is Verb.PRUNE for step in steps)
    if not pruned:
        return Prune(tuple(steps), blocked)
    staying = sum(not body["metadata"].get("deletionTimestamp") for body in members.values())
    why = blocked or _too_much(app, pruned, staying, empty=not wanted)
    if why:
        return Prune(tuple(_held_back(step, why) for step in steps), why)
    if waits:
        return Prune(tuple(_held_back(step, waits, Verb.UNCHANGED) for step in steps), waits)
    return Prune(tuple(steps))


def withheld(app: AppSpec, ref: ObjectRef, live: Body) -> bool:
    """Whether the object itself says, or its kind does where it says nothing, that it is not to be pruned."""
    consent = consent_of(live)
    marked = bool(marker_on(app, live))
    return marked or consent == "disabled" or (ref.group_kind in PROTECTED and consent != "enabled")


def marker_on(app: AppSpec, body: Body) -> str:
    """The annotation by which another tool is told never to delete the object, where such count for the app."""
    return _marker_in(app, protective_marker(body))


def _marker_in(app: AppSpec, marker: str) -> str:
    return marker if app.keep_marked else ""


def consent_of(live: Body) -> str:
    """What the object itself says of being pruned: `enabled`, `disabled`, or nothing."""
    annotations: Mapping[str, str] = live["metadata"].get("annotations") or {}
    return annotations.get(CONSENT, "")


def _step(app: AppSpec, ref: ObjectRef, live: Body, left: str, marker: str) -> PlannedAction:
    consent = consent_of(live)
    verb, reason = Verb.PRUNE, left
    if live["metadata"].get("deletionTimestamp"):
        verb, reason = Verb.UNCHANGED, f"{left}; it is being deleted"
    elif not app.prune and app.state is AppState.PRESENT:
        verb, reason = Verb.UNCHANGED, f"{left}; kept, because the app has prune: false"
    elif consent == "disabled":
        verb, reason = Verb.UNCHANGED, f"{left}; kept, because its annotation {CONSENT} is disabled"
    elif marker:
        verb = Verb.UNCHANGED
        reason = (
            f"{left}; kept, because it is marked {marker}. Remove that, or set keep_marked: false for the app"
        )
    elif ref.group_kind in PROTECTED and consent != "enabled":
        verb = Verb.UNCHANGED
        reason = (
            f"{left}; it waits for consent: annotate this {ref.kind} {CONSENT}=enabled to let it go,"
            " or =disabled to keep it."
        )
    version, uid = str(live.get("apiVersion") or ""), str(live["metadata"].get("uid") or "")
    return PlannedAction(
        action=Action(ref=ref, verb=verb, reason=reason, api_version=version, uid=uid), live=live
    )


def _kept_for(step: PlannedAction, wanted_inside: Callable[[ObjectRef, Body], str]) -> PlannedAction:
    """The step, refused if it would delete what Git wants along with what it does not."""
    ref, live = step.action.ref, step.live
    if step.action.verb is not Verb.PRUNE or live is None or ref.group_kind not in PROTECTED:
        return step
    other = wanted_inside(ref, live)
    return _held_back(step, f"Git wants {other}, which would go with it") if other else step


def _kept_for_content(steps: Sequence[PlannedAction]) -> list[PlannedAction]:
    """The steps, those refused that would delete a Namespace or a definition with what of it is kept."""
    kept = [
        step.action.ref
        for step in steps
        if step.action.verb is not Verb.PRUNE
        and not (step.live is not None and step.live["metadata"].get("deletionTimestamp"))
    ]

    def with_content(step: PlannedAction) -> PlannedAction:
        ref, live = step.action.ref, step.live
        if live is None or ref.group_kind not in CONTAINERS:
            return step
        other = min((other for other in kept if contains(ref, live, other)), default=None)
        return _held_back(step, f"{other}, which is kept, would go with it") if other else step

    return [with_content(step) for step in steps]


def _too_much(app: AppSpec, pruned: int, total: int, *, empty: bool) -> str:
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


def _held_back(step: PlannedAction, why: str, verb: Verb = Verb.REFUSED) -> PlannedAction:
    if step.action.verb is not Verb.PRUNE:
        return step
    action = replace(step.action, verb=verb, reason=f"{step.action.reason}; not pruned: {why}")
    return PlannedAction(action=action, live=step.live)
