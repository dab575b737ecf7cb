# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run writes into an app's record: before its first write, and after its last."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from ...model.objects import ObjectRef
from ...model.plan import Outcome, Result, Verb
from ..applyset.inventory import is_member
from ..desired.prune_markers import protective_marker
from ..membership.record import MemberRecord, RecordedMember, short_digest
from ..plan.planned_action import PlannedAction


def recorded_before(
    record: MemberRecord, applies: Iterable[PlannedAction], prunes: Iterable[PlannedAction]
) -> MemberRecord:
    """The record with all that the run is going to write or delete, none of it as applied yet.

    Where there is no record, with all that is the app's by now. What was refused as not the app's stays outside.
    """
    entries = dict(record.entries)
    for step in applies:
        ref = step.action.ref
        if step.action.verb is Verb.RECREATE:
            entries[ref] = replace(entries.get(ref, RecordedMember()), applied="")  # it is about to be gone
        elif _is_of_app(step, record):
            entries.setdefault(ref, RecordedMember())
    for step in prunes:
        entries.setdefault(step.action.ref, RecordedMember())
    return replace(record, entries=entries)


def _is_of_app(step: PlannedAction, record: MemberRecord) -> bool:
    if step.action.verb is not Verb.REFUSED:
        return True
    return not record.exists and step.live is not None and is_member(step.live, record.identity.id)


def recorded_after(
    record: MemberRecord,
    applies: Iterable[PlannedAction],
    outcomes: Iterable[Outcome],
    left: Iterable[ObjectRef],
    moving: Collection[ObjectRef],
) -> MemberRecord:
    """The record with what is there after the run: what Git has, and what is `left` though Git does not have it.

    What is `moving` to another app counts as not applied: that it goes is nobody's doing.
    """
    results = {outcome.action.ref: outcome.result for outcome in outcomes}
    entries: dict[ObjectRef, RecordedMember] = {}
    for step in applies:
        entry = _entry(step, record.entries, results)
        if entry is not None:
            entries[step.action.ref] = entry
    for ref in left:
        entry = record.entries.get(ref, RecordedMember())
        entries[ref] = replace(entry, applied="") if ref in moving else entry
    return replace(record, entries=entries)


def _entry(
    step: PlannedAction, before: Mapping[ObjectRef, RecordedMember], results: Mapping[ObjectRef, Result]
) -> RecordedMember | None:
    """What is remembered of an object that Git has; None for one that is not the app's."""
    action, wanted = step.action, step.wanted
    done = results.get(action.ref) is Result.DONE and action.verb is not Verb.REFUSED
    if wanted is None or not done or _is_left_deleted(step):
        return before.get(action.ref)
    return RecordedMember(short_digest(wanted), protective_marker(wanted.body))


def _is_left_deleted(step: PlannedAction) -> bool:
    return step.action.deleted_by_someone and not step.action.verb.writes
