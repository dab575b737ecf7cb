# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One live object that is not proven to be what its manifest wants, and what its app has to say about that."""

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
    """A live object that is not proven to be what its manifest wants."""

    context: PlanContext
    wanted: DesiredObject
    live: Body
    adopting: bool  # nobody's set owns it
    moving: bool  # another set owns it that may not, or need not, keep it
    ignored: Ignored  # what is left to others
    added: tuple[ForeignField, ...]  # what others have added to it
    warning: str

    @property
    def same_manifest(self) -> bool:
        """Whether Git says what it said when the object was last applied: then every difference is drift."""
        return not self.adopting and applied_digest(self.live) == self.wanted.digest

    @property
    def is_left(self) -> bool:
        """Whether the app leaves drift where it is, and this is nothing else."""
        return self.same_manifest and not self.moving and self.context.app.drift is DriftPolicy.REPORT

    @property
    def not_conflicting(self) -> frozenset[str]:
        """Appliers whose entries are no claims of another tool: controllers, and who brought the object back."""
        restorer = restored_by(owners(self.live))
        return CONTROLLERS if restorer is None else CONTROLLERS | {restorer.manager}

    @property
    def removed(self) -> FieldSet:
        """What others have added and this app removes: all of it, or what stands in the place of an item of Git's."""
        if self.is_left or self.adopting:
            return {}
        found = self.added if self.context.app.additions is AdditionPolicy.REMOVE else self.replacing
        return removable(found, from_appliers=self.context.app.force_conflicts)

    @property
    def replacing(self) -> tuple[ForeignField, ...]:
        """Items that somebody made of Git's by another key; looked for even where additions are nobody's business."""
        looked_for = replace(self.ignored, policy=AdditionPolicy.REPORT)
        found = self.added or foreign_fields(self.live, self.wanted.ref.group_kind, looked_for)
        return replacement_items(found, self.live, self.wanted.body)

    def ownership_transfer(self, coming: FieldSet, taken: FieldSet) -> OwnershipTransfer:
        """What has to be taken from others before the apply, so that what Git does not say goes, `taken` among it.

        `coming` are the fields that will be ours.
        """
        before = owners(self.live)
        entry = our_entry(before)
        succeeds = self.ignored.without_ignored if self.adopting or entry is None else None
        fold = foldable(before, succeeds) if succeeds else {}
        release = co_owned(before, subtract(entry.fields, coming)) if entry is not None else {}
        dropping = union(taken, self._dropped_fields(coming))
        seize = taken if self.context.app.force_conflicts else {}
        return OwnershipTransfer(union(fold, dropping), union(release, dropping), seize, succeeds)

    def _dropped_fields(self, coming: FieldSet) -> FieldSet:
        """The fields that left Git after somebody had changed them."""
        if self.adopting or self.same_manifest:
            return {}
        return dropped_fields(self.live, self.wanted.ref.group_kind, self.ignored, coming)
