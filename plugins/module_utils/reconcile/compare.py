# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the server, by a dry-run, what an apply would make of an object, and how that differs from what is live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..cluster.errors import Invalid, RequestError
from ..model.app import AdditionPolicy, DriftPolicy
from ..model.change import Cause, FieldChange
from ..model.objects import Body
from ..model.plan import Action, Verb
from .additions import Addition, as_changes, beyond, in_the_way, removable
from .changes import explain
from .desired import Wanted, applied_digest
from .dropped import dropped
from .fieldset import FieldSet, Path, display, subtract, union
from .forecast import Forecast, Taking, claim_of, forecast, overridden
from .ground import Ground, action_for, failed_dry_run, refused, why
from .ignore import Ignored
from .ownership import FIELD_MANAGER, Owner, co_owned, foldable, our_entry, owners, rewritten
from .prune import CONSENT, CONTAINERS, PROTECTED, consent_of
from .step import Step

LEFT_AS_IT_IS = "drift: report, it stays as it is until its manifest changes"

_SHOWN = 5  # fields of another applier that a refusal names


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A live object that is not proven to be what its manifest wants."""

    ground: Ground
    wanted: Wanted
    live: Body
    adopting: bool  # nobody's set owns it
    moving: bool  # another set owns it that may not, or need not, keep it
    ignored: Ignored  # what is left to others
    added: tuple[Addition, ...]  # what others have added to it
    warning: str

    @property
    def same_manifest(self) -> bool:
        """Whether Git says what it said when the object was last applied: then every difference is drift."""
        return not self.adopting and applied_digest(self.live) == self.wanted.digest

    @property
    def removed(self) -> FieldSet:
        """The additions that this app removes."""
        if self.ground.app.additions is not AdditionPolicy.REMOVE or self.is_left:
            return {}
        return removable(self.added, from_appliers=self.ground.app.force_conflicts)

    def dropped(self, coming: FieldSet) -> FieldSet:
        """The fields that left Git after somebody had changed them."""
        if self.adopting or self.same_manifest:
            return {}
        return dropped(self.live, self.wanted.ref.group_kind, self.ignored, coming)

    @property
    def is_left(self) -> bool:
        """Whether the app leaves drift where it is, and this is nothing else."""
        return self.same_manifest and not self.moving and self.ground.app.drift is DriftPolicy.REPORT


def compare(case: Case) -> Step:
    """The step for an object that the content proof leaves open."""
    ground, wanted, live = case.ground, case.wanted, case.live
    resource = ground.resource(wanted)
    if resource is None:
        return refused(wanted, f"the cluster no longer knows {wanted.api_version} {wanted.ref.kind}", live)
    try:
        predicted = ground.cluster.apply(
            resource,
            wanted.body,
            field_manager=FIELD_MANAGER,
            force=True,
            dry_run=True,
            basis=str(live["metadata"]["resourceVersion"]),
        )
        taken = overridden(live, predicted)
        if taken and not ground.app.force_conflicts:
            return refused(wanted, _claimed(taken), live)
        expected = forecast(ground.cluster, resource, live, predicted, _taking(case, predicted))
    except Invalid as error:
        if error.immutable:
            return _immutable(case, error)
        return _cleared(case) or refused(wanted, why(error, wanted), live)
    except RequestError as error:
        return failed_dry_run(wanted, Verb.UPDATE, live, error)
    return _step(case, predicted, expected)


def _cleared(case: Case) -> Step | None:
    """The step that removes what others have put in the place of an item of Git's; None where nothing is in the way.

    Whoever changes the key of a list's item (a port's number) makes another item of it, beside which the server takes
    ours no more. A dry-run cannot show both writes at once.
    """
    way = in_the_way(case.added, case.live, case.wanted.body)
    fields = removable(way, from_appliers=case.ground.app.force_conflicts)
    if case.adopting or not fields:
        return None
    action = action_for(
        case.wanted,
        Verb.UPDATE,
        case.live,
        changes=as_changes(case.live, way),
        reason="it stands in the place of what Git says",
        warning=case.warning,
    )
    managed = rewritten(case.live, fold=fields, release=fields, api_version=case.wanted.api_version)
    return Step(
        action=_worded(case, action),
        wanted=case.wanted,
        body=case.wanted.body,
        live=case.live,
        managed_fields=managed,
    )


def _taking(case: Case, predicted: Body) -> Taking:
    """What has to be taken from others before the apply, so that what Git does not say goes."""
    before = owners(case.live)
    entry, kept = our_entry(before), claim_of(predicted)
    succeeds = case.adopting or entry is None
    fold = foldable(before) if succeeds else {}
    release = co_owned(before, subtract(entry.fields, kept)) if entry is not None else {}
    taken = union(case.removed, case.dropped(kept))
    return Taking(union(fold, taken), union(release, taken), succeeds)


def _step(case: Case, predicted: Body, expected: Forecast) -> Step:
    entry, coming = our_entry(owners(case.live)), our_entry(owners(predicted))
    kept = claim_of(predicted)
    changes = explain(
        case.live,
        expected.outcome,
        drift_only=case.same_manifest,
        adopting=case.adopting,
        moving=case.moving,
    )
    added = () if case.adopting else beyond(case.added, kept)
    changes = _with_additions(changes, as_changes(case.live, added))
    verb = Verb.ADOPT if case.adopting else Verb.UPDATE
    action = action_for(case.wanted, verb, case.live, changes=changes, warning=case.warning)
    nothing = (
        all(change.cause is Cause.ADDITION for change in changes)
        and expected.managed is None
        and _same_claim(entry, coming)
        and case.same_manifest
        and not case.moving
    )
    return Step(
        action=replace(action, verb=Verb.UNCHANGED) if nothing else _worded(case, action),
        wanted=case.wanted,
        body=case.wanted.body,
        live=case.live,
        managed_fields=expected.managed,
    )


def _with_additions(changes: Sequence[FieldChange], added: Sequence[FieldChange]) -> tuple[FieldChange, ...]:
    """The changes, those of an addition's path or below it told as the addition."""
    names = tuple(addition.path for addition in added)
    kept = [
        c for c in changes if not any(c.path == n or c.path.startswith((f"{n}.", f"{n}[")) for n in names)
    ]
    return tuple(sorted([*kept, *added], key=lambda change: change.path))


def _same_claim(before: Owner | None, after: Owner | None) -> bool:
    if before is None or after is None:
        return False
    return (before.fields, before.api_version) == (after.fields, after.api_version)


def _worded(case: Case, action: Action) -> Action:
    """The action with what a reader has to know besides its changes."""
    if case.moving:
        return replace(action, reason="taken over from another app, which no longer has it")
    if case.is_left:
        return replace(action, verb=Verb.UNCHANGED, reason=LEFT_AS_IT_IS)
    if not action.changes and not case.adopting and not case.same_manifest:
        # Without a write, each later run would ask the server anew, and would not know drift from a change in Git.
        return replace(
            action, reason="its manifest changed, but no field of it does; only the record of it changes"
        )
    if not action.changes and not case.adopting:
        # No value differs, but without a write, fields that are removed from Git later would stay in the cluster.
        return replace(action, reason="only the record of who owns its fields changes")
    return action


def _immutable(case: Case, error: Invalid) -> Step:
    wanted, live = case.wanted, case.live
    if case.is_left:
        return Step(
            action=action_for(wanted, Verb.UNCHANGED, live, reason=LEFT_AS_IT_IS), wanted=wanted, live=live
        )
    said = why(error, wanted)
    if not case.ground.app.recreate:
        return refused(
            wanted, f"{said} Set recreate: true to delete and create it, or give it another name.", live
        )
    if wanted.ref.group_kind in CONTAINERS:
        return refused(
            wanted, f"{said} All in it would go with it: recreate it by hand if that is meant.", live
        )
    if wanted.ref.group_kind in PROTECTED and consent_of(live) != "enabled":
        kind = wanted.ref.kind
        return refused(
            wanted, f"{said} A {kind} is recreated only with consent: annotate it {CONSENT}=enabled.", live
        )
    fields = ", ".join(sorted({cause.field for cause in error.causes if cause.field})) or "a field"
    action = action_for(wanted, Verb.RECREATE, live, reason=f"{fields} cannot be changed in place")
    return Step(action=action, wanted=wanted, body=wanted.body, live=live)


def _claimed(taken: Mapping[str, Sequence[Path]]) -> str:
    named = "; ".join(
        f"{manager} claims {', '.join(map(display, paths[:_SHOWN]))}"
        for manager, paths in sorted(taken.items())
    )
    return f"{named}. Drop these fields from one of the two, or set force_conflicts: true."
