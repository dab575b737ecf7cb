# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which live objects are an app's: by the records of earlier runs, which only Plumb writes, and not by labels alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...model.app import AppSpec
from ...model.objects import Body, ObjectRef, digest_of
from ..applyset.inventory import SetIdentity, set_of
from ..fields.managed_fields import our_entry, owners
from .member_records import MemberRecords
from .record import MemberRecord, RecordedMember

_NAMED = 5  # objects that a warning names
_DIGITS = 16  # of the digest that confirms


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One app's view of the records of a run, each of which is read when it is first needed."""

    records: MemberRecords
    own: SetIdentity
    former: tuple[SetIdentity, ...]  # the app's under former names
    others: tuple[SetIdentity, ...]  # of other apps

    @property
    def record(self) -> MemberRecord:
        """The app's own record. Raises InventoryError or ClusterError where it cannot be read."""
        return self.records.load(self.own)

    def entry_of(self, ref: ObjectRef) -> RecordedMember | None:
        """Return what was recorded of an object for this app, under its name or a former one."""
        entries = (self.records.load(identity).entries.get(ref) for identity in (self.own, *self.former))
        return next((entry for entry in entries if entry is not None), None)

    def set_id_of(self, ref: ObjectRef, live: Body, *, adopt: bool) -> str:
        """Return the id of the set that has a live object; empty where none has. Raises as `record` does.

        A label that Plumb's own entry covers is trusted unless a record contradicts it. An object whose label somebody
        removed still belongs to the app whose record has it.
        """
        label = set_of(live)
        if label == self.own.id:
            return label
        has_entry = our_entry(owners(live)) is not None
        if not (label or has_entry or adopt):
            return label
        holders = self.records.sets_with(ref, (self.own, *self.former, *self.others))
        if label and not self._contradicted(label, holders):
            return label
        other = next((identity.id for identity in holders if identity != self.own), "")
        if other or self.own in holders:
            return other or self.own.id
        return self.own.id if has_entry and not self.record.exists else ""

    def _contradicted(self, label: str, holders: Sequence[SetIdentity]) -> bool:
        """Whether the set that a label names has a record, and the object is not in it."""
        known = (*self.former, *self.others)
        identity_named = next((identity for identity in known if identity.id == label), None)
        return (
            identity_named is not None
            and identity_named not in holders
            and self.records.load(identity_named).exists
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The live objects that carry an app's label and Plumb's entry, divided by the app's record."""

    counted: Mapping[ObjectRef, Body]  # the app's: what of it left Git is pruned
    unrecorded: tuple[ObjectRef, ...] = ()  # that no run recorded and Git does not have: reported
    record: MemberRecord | None = None  # None: this run has no need of it
    marked: Mapping[ObjectRef, str] = field(default_factory=dict)  # markers in manifests last applied
    unverified: bool = False  # a check may not read the record


def members_by_record(
    app: AppSpec,
    labelled: Mapping[ObjectRef, Body],
    wanted: frozenset[ObjectRef],
    records: Sequence[MemberRecord],
) -> Members:
    """Divide labelled objects into the app's and others. `records` are the app's own and those of its former names.

    Without a record, as after its loss or an upgrade from 0.1.0, what Git has is the app's; what Git does not have
    might be anybody's, until the operator confirms it.
    """
    entries = {ref: entry for record in reversed(records) for ref, entry in record.entries.items()}
    own = records[0]
    known = frozenset(entries) if own.exists else frozenset(entries) | wanted
    # What is being deleted is no longer in a record, and is shown until it is gone.
    terminating = frozenset(
        ref for ref, body in labelled.items() if body["metadata"].get("deletionTimestamp")
    )
    known |= terminating
    unrecorded = tuple(sorted(labelled.keys() - known - wanted))
    if unrecorded and app.confirm_members == confirmation(own.identity, unrecorded):
        known, unrecorded = known | frozenset(unrecorded), ()
    return Members(
        counted={ref: body for ref, body in labelled.items() if ref in known},
        unrecorded=unrecorded,
        record=own,
        marked={ref: entry.marker for ref, entry in entries.items() if entry.marker},
    )


def confirmation(identity: SetIdentity, refs: Sequence[ObjectRef]) -> str:
    """Return the value of `confirm_members` that confirms that just these objects are the app's."""
    return digest_of([identity.id, [[r.group, r.kind, r.namespace, r.name] for r in sorted(refs)]])[:_DIGITS]


def unrecorded_warning(identity: SetIdentity, refs: Sequence[ObjectRef], home: str) -> str:
    """Return the warning about objects that carry an app's label without having been recorded."""
    shown = ", ".join(map(str, refs[:_NAMED]))
    more = f" and {len(refs) - _NAMED} more" if len(refs) > _NAMED else ""
    return (
        f"{shown}{more}: not in Git, with this app's label and Plumb's field manager, but not in the record of what"
        f" Plumb applied (in namespace {home}). Whoever may patch an object can write both, so it is neither pruned nor"
        " counted. If it is the app's (the record was lost, or Plumb 0.1.0 applied it), set"
        f" confirm_members: {confirmation(identity, refs)} for the app to have it pruned; if not, remove the label."
    )
