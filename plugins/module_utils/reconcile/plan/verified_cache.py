# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verified states: an object that has not changed since it was last seen as wanted still is as wanted.

Most runs find nothing to do. So that such a run reads little and sends no dry-run, each object that was as wanted is
remembered with what its metadata was then, and one metadata-only LIST for each kind is compared with that:

    LIST, metadata only -> VerifiedState.still_valid     same resourceVersion, or same generation and fields: unchanged
                             |  no
    LIST or GET, whole  -> matches_managed_fields        our entry has just the manifest's fields and values: unchanged
                             |  no
    dry-run apply       -> plan_by_dry_run               what the server answers is the plan

The states are a cache on disk (ADR 0008): without them a run only takes longer. A deep run believes none of them, and
sends a dry-run for each object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from ...model.change import ABSENT, Cause, Culprit, FieldChange
from ...model.generations import keeps_generation
from ...model.objects import Body, ObjectRef, digest_of
from ..desired.manifests import DesiredObject
from ..drift.foreign_fields import ForeignField, foreign_fields
from ..drift.ignore import Ignored
from ..fields.fieldset import display
from ..fields.managed_fields import our_entry, owners
from ..fields.ownership_match import same


@dataclass(frozen=True, slots=True)
class VerifiedState:
    """An object when it was last verified to be as its manifest wants."""

    digest: str  # of the manifest, and of what is left to others
    api_version: str
    uid: str
    resource_version: str
    generation: int  # 0 for a kind that keeps none
    entry_digest: str  # digest of our managedFields entry
    autoscaled: bool
    healthy: bool
    # What others had added: path, live value, and the four fields of the culprit.
    added: tuple[tuple[Any, ...], ...] = ()

    @property
    def additions(self) -> tuple[FieldChange, ...]:
        """What others had added, as the report shows it."""
        return tuple(
            FieldChange(path, live, ABSENT, Cause.ADDITION, Culprit(*culprit))
            for path, live, *culprit in self.added
        )

    def still_valid(
        self,
        wanted: DesiredObject,
        metadata: Body,
        ignored: Ignored,
        *,
        autoscaled: bool,
        health_matters: bool,
    ) -> bool:
        """Whether the object, of which only the metadata was read, is certain to be still as wanted.

        Where the resourceVersion is the same, nothing has changed. Where it is not, as after a status, the kind must
        keep a generation, which grows with every change of the spec; what it leaves out is compared by value.
        """
        live = metadata["metadata"]
        known = (f"{wanted.digest}{ignored.digest}", wanted.api_version, live.get("uid"))
        if (self.digest, self.api_version, self.uid) != known:
            return False
        if autoscaled is not self.autoscaled or live.get("deletionTimestamp"):
            return False
        if live.get("resourceVersion") == self.resource_version:
            return self.healthy or not health_matters
        if health_matters or not self.generation or live.get("generation") != self.generation:
            return False
        if not keeps_generation(wanted.ref.group_kind):
            return False
        return (
            entry_digest(metadata) == self.entry_digest
            and _metadata_matches(wanted.body["metadata"], live)
            and not ignored.rules  # where their pointers lead is known of a whole object only
            and self._has_same_additions(
                foreign_fields(metadata, wanted.ref.group_kind, ignored, metadata_only=True)
            )
        )

    def _has_same_additions(self, foreign: Sequence[ForeignField]) -> bool:
        """Whether these additions, of which only the metadata is known, are those of this state."""
        known = {(path, *culprit) for path, _live, *culprit in self.added}
        return {(display(field.path), *_culprit_fields(field.owner.culprit)) for field in foreign} == known


VerifiedStates = Mapping[str, Mapping[ObjectRef, VerifiedState]]  # by set, by object


def to_content(states: VerifiedStates) -> dict[str, Any]:
    """Return verified states as JSON types, for a file."""
    return {
        set_id: [
            [*_REF_FIELDS(ref), *_STATE_FIELDS(state)]
            for ref, state in sorted(states_of_set.items(), key=lambda item: item[0])
        ]
        for set_id, states_of_set in states.items()
    }


def from_content(content: Mapping[str, Any]) -> dict[str, dict[ObjectRef, VerifiedState]]:
    """Return what `to_content` wrote. Raises TypeError or ValueError for anything else."""
    return {set_id: dict(map(_row, rows)) for set_id, rows in content.items()}


_REF_FIELDS, _STATE_FIELDS = (
    attrgetter(*(f.name for f in fields(kind))) for kind in (ObjectRef, VerifiedState)
)


def _row(row: Iterable[Any]) -> tuple[ObjectRef, VerifiedState]:
    group, kind, namespace, name, *state = row
    state[-1] = tuple(map(tuple, state[-1]))
    return ObjectRef(group, kind, namespace, name), VerifiedState(*state)


def verified_state_of(
    wanted: DesiredObject,
    live: Body,
    ignored: Ignored,
    *,
    autoscaled: bool,
    healthy: bool,
    added: Sequence[FieldChange] = (),
) -> VerifiedState:
    """Return what to remember of an object that was just verified to be as wanted."""
    metadata = live["metadata"]
    return VerifiedState(
        digest=f"{wanted.digest}{ignored.digest}",
        api_version=wanted.api_version,
        uid=str(metadata["uid"]),
        resource_version=str(metadata["resourceVersion"]),
        generation=_number(metadata.get("generation")),
        entry_digest=entry_digest(live),
        autoscaled=autoscaled,
        healthy=healthy,
        added=tuple((c.path, c.live, *_culprit_fields(c.culprit)) for c in added if c.culprit is not None),
    )


def _culprit_fields(culprit: Culprit) -> tuple[str, str, str, str]:
    return culprit.manager, culprit.operation, culprit.subresource, culprit.time


def entry_digest(live: Body) -> str:
    """Return a digest of our managedFields entry: its fields and their version. Empty without one."""
    entry = our_entry(owners(live))
    if entry is None:
        return ""
    return digest_of([entry.api_version, entry.fields])


def _metadata_matches(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether all labels, annotations and other metadata of the manifest are live with the same values."""
    for key, value in wanted.items():
        if isinstance(value, Mapping):
            live_map = live.get(key) or {}
            if not all(
                name in live_map and same(live_map[name], value_in_git)
                for name, value_in_git in value.items()
            ):
                return False
        elif key not in ("name", "namespace") and not same(live.get(key), value):
            return False
    return True


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
