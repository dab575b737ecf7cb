# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of an app as a run writes it: before its first write, and after its last."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from ...model.objects import ObjectRef
from ...model.plan import Outcome, Result, Verb
from ..applyset.inventory import is_member
from ..desired.prune_markers import protective_marker
from ..membership.record import MemberRecord, RecordedMember, short_digest
from ..plan.planned_action import PlannedAction


def record_before_run(
    record: MemberRecord, applies: Iterable[PlannedAction], prunes: Iterable[PlannedAction]
) -> MemberRecord:
    """Return the record with all that the run is going to write or delete, none of it as applied yet.

    Where there is no record, with all that is the app's by now. What was refused as not the app's stays out.
    """
    entries = dict(record.entries)
    for planned in applies:
        ref = planned.action.ref
        if planned.action.verb is Verb.RECREATE:
            entries[ref] = replace(entries.get(ref, RecordedMember()), applied="")  # it is about to be gone
        elif _is_of_app(planned, record):
            entries.setdefault(ref, RecordedMember())
    for planned in prunes:
        entries.setdefault(planned.action.ref, RecordedMember())
    return replace(record, entries=entries)


def _is_of_app(planned: PlannedAction, record: MemberRecord) -> bool:
    if planned.action.verb is not Verb.REFUSED:
        return True
    return not record.exists and planned.live is not None and is_member(planned.live, record.identity.id)


def record_after_run(
    record: MemberRecord,
    applies: Iterable[PlannedAction],
    outcomes: Iterable[Outcome],
    left: Iterable[ObjectRef],
    moving: Collection[ObjectRef],
) -> MemberRecord:
    """Return the record with what exists after the run: what Git has, and what is `left` though Git does not have it.

    What is `moving` to another app counts as not applied: when it goes, nobody has deleted it.
    """
    results = {outcome.action.ref: outcome.result for outcome in outcomes}
    entries: dict[ObjectRef, RecordedMember] = {}
    for planned in applies:
        entry = _entry(planned, record.entries, results)
        if entry is not None:
            entries[planned.action.ref] = entry
    for ref in left:
        entry = record.entries.get(ref, RecordedMember())
        entries[ref] = replace(entry, applied="") if ref in moving else entry
    return replace(record, entries=entries)


def _entry(
    planned: PlannedAction, before: Mapping[ObjectRef, RecordedMember], results: Mapping[ObjectRef, Result]
) -> RecordedMember | None:
    """Return the record's entry of an object that Git has; None for one that is not the app's."""
    action, wanted = planned.action, planned.wanted
    done = results.get(action.ref) is Result.DONE and action.verb is not Verb.REFUSED
    if wanted is None or not done or _is_left_deleted(planned):
        return before.get(action.ref)
    return RecordedMember(short_digest(wanted), protective_marker(wanted.body))


def _is_left_deleted(planned: PlannedAction) -> bool:
    return planned.action.deleted_by_someone and not planned.action.verb.writes
