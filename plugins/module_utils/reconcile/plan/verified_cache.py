# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metadata proof: an object that has not moved since it was last proven to be as wanted still is.

A look remembers what such an object was. It is held against a metadata-only LIST, so nothing else is read. Looks may be
lost at any time: what they do not settle is proven by content.
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
    """An object when it was last proven to be as its manifest wants."""

    digest: str  # of the manifest, and of what is left to others
    api_version: str
    uid: str
    resource_version: str
    generation: int  # 0 for a kind that keeps none
    entry_digest: str  # digest of our managedFields entry
    autoscaled: bool
    healthy: bool
    added: tuple[
        tuple[Any, ...], ...
    ] = ()  # what others had added: path, live value, and the culprit's four words

    @property
    def additions(self) -> tuple[FieldChange, ...]:
        """What others had added, as the report tells it."""
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
        """Whether the object, of which only the metadata was read, is certain to be as wanted still.

        Where the resourceVersion has not moved, nothing has. Where it has, as by a status, the kind must keep a
        generation, which moves with every change of the spec; what the generation leaves out is compared by value.
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
            and _holds(wanted.body["metadata"], live)
            and not ignored.rules  # which of them lead where, only the whole object tells
            and self._has_seen(foreign_fields(metadata, wanted.ref.group_kind, ignored, metadata_only=True))
        )

    def _has_seen(self, found: Sequence[ForeignField]) -> bool:
        """Whether these additions, of which only the metadata is known, are those of this look."""
        known = {(path, *culprit) for path, _live, *culprit in self.added}
        return {(display(a.path), *_words(a.owner.culprit)) for a in found} == known


VerifiedStates = Mapping[str, Mapping[ObjectRef, VerifiedState]]  # by set, by object


def to_content(verified: VerifiedStates) -> dict[str, Any]:
    """Looks as JSON types, to be kept in a file."""
    return {
        set_id: [
            [*_REF_FIELDS(ref), *_LOOK_FIELDS(verified)]
            for ref, verified in sorted(of.items(), key=lambda item: item[0])
        ]
        for set_id, of in verified.items()
    }


def from_content(content: Mapping[str, Any]) -> dict[str, dict[ObjectRef, VerifiedState]]:
    """What `as_content` wrote. Raises TypeError or ValueError for anything else."""
    return {set_id: dict(map(_row, rows)) for set_id, rows in content.items()}


_REF_FIELDS, _LOOK_FIELDS = (
    attrgetter(*(f.name for f in fields(kind))) for kind in (ObjectRef, VerifiedState)
)


def _row(row: Iterable[Any]) -> tuple[ObjectRef, VerifiedState]:
    group, kind, namespace, name, *verified = row
    verified[-1] = tuple(map(tuple, verified[-1]))
    return ObjectRef(group, kind, namespace, name), VerifiedState(*verified)


def verified_state_of(
    wanted: DesiredObject,
    live: Body,
    ignored: Ignored,
    *,
    autoscaled: bool,
    healthy: bool,
    added: Sequence[FieldChange] = (),
) -> VerifiedState:
    """What to remember of an object that was just proven to be as wanted."""
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
        added=tuple((c.path, c.live, *_words(c.culprit)) for c in added if c.culprit is not None),
    )


def _words(culprit: Culprit) -> tuple[str, str, str, str]:
    return culprit.manager, culprit.operation, culprit.subresource, culprit.time


def entry_digest(live: Body) -> str:
    """A digest of our managedFields entry: the fields and the version they are written in. Empty without one."""
    entry = our_entry(owners(live))
    if entry is None:
        return ""
    return digest_of([entry.api_version, entry.fields])


def _holds(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether all that the manifest says of labels, annotations and the rest of the metadata is live by value."""
    for key, value in wanted.items():
        if isinstance(value, Mapping):
            there = live.get(key) or {}
            if not all(name in there and same(there[name], said) for name, said in value.items()):
                return False
        elif key not in ("name", "namespace") and not same(live.get(key), value):
            return False
    return True


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
