# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One live object that may not be what its manifest wants, and how its app treats what differs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...model.app import AdditionPolicy, DriftPolicy
from ...model.objects import Body
from ..desired.manifests import DesiredObject, applied_digest
from ..drift.dropped_fields import dropped_fields
from ..drift.foreign_fields import ForeignField, foreign_fields, removable, replacement_items
from ..drift.ignore import Ignored
from ..fields.controller_fields import CONTROLLERS
from ..fields.fieldset import FieldSet, subtract, union
from ..fields.managed_fields import co_owned, foldable, our_entry, owners, restored_by
from ..forecast.rewrite import OwnershipTransfer
from .context import PlanContext


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunInput:
    """A live object of which a dry-run has to show whether it is what its manifest wants."""

    context: PlanContext
    wanted: DesiredObject
    live: Body
    adopting: bool  # no apply set has it
    moving: bool  # another app's set has it, and that app no longer wants it
    ignored: Ignored  # what is left to others
    added: tuple[ForeignField, ...]  # what others have added to it
    warning: str

    @property
    def same_manifest(self) -> bool:
        """Whether the manifest is the one that was last applied: then every difference is drift."""
        return not self.adopting and applied_digest(self.live) == self.wanted.digest

    @property
    def leaves_drift(self) -> bool:
        """Whether the app leaves drift as it is, and nothing but drift differs."""
        return self.same_manifest and not self.moving and self.context.app.drift is DriftPolicy.REPORT

    @property
    def not_conflicting(self) -> frozenset[str]:
        """Appliers whose entries do not conflict with ours: controllers, and who restored the object."""
        restorer = restored_by(owners(self.live))
        return CONTROLLERS if restorer is None else CONTROLLERS | {restorer.manager}

    @property
    def removed(self) -> FieldSet:
        """What others have added and this app removes: all of it, or only what replaces an item of Git's."""
        if self.leaves_drift or self.adopting:
            return {}
        foreign = self.added if self.context.app.additions is AdditionPolicy.REMOVE else self.replacing
        return removable(foreign, from_appliers=self.context.app.force_conflicts)

    @property
    def replacing(self) -> tuple[ForeignField, ...]:
        """Items that somebody made of Git's by another key, also where the app ignores additions."""
        reported = replace(self.ignored, policy=AdditionPolicy.REPORT)
        foreign = self.added or foreign_fields(self.live, self.wanted.ref.group_kind, reported)
        return replacement_items(foreign, self.live, self.wanted.body)

    def ownership_transfer(self, coming: FieldSet, taken: FieldSet) -> OwnershipTransfer:
        """Return what to take from others before the apply, so that `taken` and fields that left Git are removed.

        `coming` are the fields that will be ours.
        """
        entries = owners(self.live)
        entry = our_entry(entries)
        succeeds = self.ignored.without_ignored if self.adopting or entry is None else None
        fold = foldable(entries, succeeds) if succeeds else {}
        release = co_owned(entries, subtract(entry.fields, coming)) if entry is not None else {}
        removed_fields = union(taken, self._dropped_fields(coming))
        seize = taken if self.context.app.force_conflicts else {}
        return OwnershipTransfer(union(fold, removed_fields), union(release, removed_fields), seize, succeeds)

    def _dropped_fields(self, coming: FieldSet) -> FieldSet:
        """Return the fields that left Git after somebody had changed them."""
        if self.adopting or self.same_manifest:
            return {}
        return dropped_fields(self.live, self.wanted.ref.group_kind, self.ignored, coming)
