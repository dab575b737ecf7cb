# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints of watched objects: what a change of an object can mean, from its metadata alone.

The agent watches the metadata of all members. Most changes concern nobody: a status, a lease, a counter of a
controller. A fingerprint keeps some hundred bytes of each object, enough to sort a change into one of three:

    before -> after      Movement.NONE     nothing that concerns the manifest: no run
                         Movement.PLAIN    a change such as a run of ours makes, and others may: a run, if none wrote it
                         Movement.FOREIGN  somebody else took or added fields: a run

It reads who owns how much in managedFields, the labels, annotations, finalizers and owner references, and generation.
A fingerprint never says that an object is as Git wants it: only a run does, which plans the object.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from sys import intern
from typing import Any

from ...model.compact import compact
from ...model.generations import keeps_generation
from ...model.objects import Body, GroupKind
from ..applyset.inventory import ID_LABEL, MEMBER_PATH, part_of
from ..fields.fieldset import Path, leaves, owns, owns_exactly
from ..fields.known_writers import is_expected
from ..fields.managed_fields import Owner, our_entry, owners

# Kinds whose objects inherit the labels of a Service, ours with them, and change with every Pod.
_INHERITING = frozenset({GroupKind("", "Endpoints"), GroupKind("discovery.k8s.io", "EndpointSlice")})


@dataclass(frozen=True, slots=True)
class OwnedFields:
    """What one manager owns: a digest of the fields, their number, and when it last wrote (0: not recorded)."""

    digest: int
    fields: int
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """One object, in some hundred bytes."""

    set_id: str  # the set that its label names
    member: bool  # whether that label is ours
    inherits: bool  # of a kind whose objects inherit our label from others
    uid: str
    version: str  # resourceVersion
    generation: int  # 0: the kind keeps none
    metadata: int  # digest of labels, annotations, finalizers and owner references
    ours: OwnedFields | None
    others: tuple[tuple[str, OwnedFields], ...]  # by manager, operation and subresource; sorted
    status: int  # digest of what does not count: entries for status, fields of known writers
    is_status_last: bool  # whether the latest entry with a time is one of those
    terminating: bool  # deletionTimestamp is set


class Movement(Enum):
    """What a change between two fingerprints of an object can mean."""

    NONE = "none"  # nothing that concerns the manifest
    PLAIN = "plain"  # a change such as a run of ours makes, and others may
    FOREIGN = "foreign"  # a change that somebody else made


def fingerprint(item: Body, kind: GroupKind) -> Fingerprint:
    """Return the fingerprint of an object of which only the metadata is known."""
    metadata, entries = item["metadata"], owners(item)
    ours = our_entry(entries)
    others: list[tuple[str, OwnedFields]] = []
    uncounted: list[Any] = []
    of_known_writers: set[Path] = set()
    for entry in entries:
        if entry is ours:
            continue
        counted, ignored = _split(entry, kind)
        if counted:
            others.append((_entry_name(entry), _owned_fields(counted, entry.time)))
        if ignored:
            of_known_writers |= {path for path in ignored if ours is None or not owns(ours.fields, path)}
            uncounted.append([_entry_name(entry), entry.time, ignored])
    parent = (metadata.get("labels") or {}).get(ID_LABEL) or ""
    return Fingerprint(
        set_id=intern(part_of(item) or str(parent)),
        member=ours is not None and (bool(parent) or owns_exactly(ours.fields, MEMBER_PATH)),
        inherits=kind in _INHERITING,
        uid=str(metadata.get("uid") or ""),
        version=str(metadata.get("resourceVersion") or ""),
        generation=_generation(metadata) if keeps_generation(kind) else 0,
        metadata=_digest(_counted_metadata(metadata, of_known_writers)),
        ours=_entry_digest(ours) if ours is not None else None,
        others=tuple(sorted(others, key=lambda owned: owned[0])),
        status=_digest(uncounted) if uncounted else 0,
        is_status_last=_is_latest_ignored(uncounted, ours, others),
        terminating="deletionTimestamp" in metadata,
    )


def movement(before: Fingerprint | None, after: Fingerprint | None) -> Movement:
    """Return what a change from `before` to `after` (None: missing, or no longer labelled) can mean."""
    if not (before is not None and before.member) and not (after is not None and after.member):
        # Not an object of ours. Somebody set our label on one that does not inherit it.
        return Movement.FOREIGN if before is None and after and not after.inherits else Movement.NONE
    if before is None or after is None:
        return Movement.PLAIN
    if _has_lost_fields(before, after) or any(
        _has_grown(before, name, owned) for name, owned in after.others
    ):
        return Movement.FOREIGN
    if _visible(before) != _visible(after):
        return Movement.PLAIN
    if before.generation or before.version == after.version:
        return Movement.NONE
    # The kind keeps no generation, and no entry shows who wrote. Two writes of one manager within a second are alike,
    # so where the latest entry is about status, that one was written again.
    return Movement.NONE if before.status != after.status or after.is_status_last else Movement.PLAIN


def _has_lost_fields(before: Fingerprint, after: Fingerprint) -> bool:
    """Whether somebody else took fields out of our entry, or all of it: our own writes move its time."""
    if before.ours is None or before.uid != after.uid:
        return before.ours is not None and after.ours is None
    if after.ours is None:
        return True
    return (
        before.ours.digest != after.ours.digest
        and before.ours.time == after.ours.time
        and after.ours.fields <= before.ours.fields
    )


def _has_grown(before: Fingerprint, name: str, owned: OwnedFields) -> bool:
    """Whether a manager has written: when we take fields from it, it becomes smaller and keeps its time."""
    known = next((state for other, state in before.others if other == name), None)
    if known is None or owned.time != known.time:
        return True
    return owned.digest != known.digest and owned.fields >= known.fields


def _visible(state: Fingerprint) -> tuple[Any, ...]:
    """Return what shows a change, whoever made it."""
    return (
        state.set_id, state.member, state.uid, state.generation, state.metadata, state.ours, state.others,
        state.terminating,
    )  # fmt: skip


def _split(entry: Owner, kind: GroupKind) -> tuple[list[Path], list[Path]]:
    """Return the fields of an entry that count, and those of status and known writers, which do not."""
    fields = list(leaves(entry.fields))
    if entry.subresource == "status" or entry.is_before_first_apply:
        return [], fields
    ignored = [path for path in fields if path[0] == "f:status" or is_expected(entry.manager, kind, path)]
    return ([path for path in fields if path not in ignored] if ignored else fields), ignored


def _counted_metadata(metadata: Mapping[str, Any], of_known_writers: set[Path]) -> list[Any]:
    """Return labels, annotations, finalizers and owner references, without what known writers keep there."""
    maps: list[Any] = [
        {
            key: value
            for key, value in (metadata.get(field) or {}).items()
            if ("f:metadata", f"f:{field}", f"f:{key}") not in of_known_writers
        }
        for field in ("labels", "annotations")
    ]
    finalizers = [
        name
        for name in metadata.get("finalizers") or ()
        if ("f:metadata", "f:finalizers", f"v:{json.dumps(name)}") not in of_known_writers
    ]
    return [*maps, sorted(finalizers), metadata.get("ownerReferences") or []]


def _is_latest_ignored(
    uncounted: Sequence[Any], ours: Owner | None, others: Sequence[tuple[str, OwnedFields]]
) -> bool:
    latest = max((_seconds(time) for _name, time, _fields in uncounted), default=0)
    counted = [owned.time for _name, owned in others] + ([_seconds(ours.time)] if ours is not None else [])
    return latest > 0 and latest >= max(counted, default=0)


def _entry_digest(ours: Owner) -> OwnedFields:
    return OwnedFields(
        _digest([ours.api_version, ours.fields]), sum(1 for _leaf in leaves(ours.fields)), _seconds(ours.time)
    )


def _owned_fields(fields: Iterable[Path], time: str) -> OwnedFields:
    paths = list(fields)
    return OwnedFields(_digest(paths), len(paths), _seconds(time))


def _entry_name(entry: Owner) -> str:
    return intern(f"{entry.manager}\0{entry.operation}\0{entry.subresource}")


def _seconds(time: str) -> int:
    """Return a time of managedFields as a number that grows with it; 0 for none."""
    digits = "".join(filter(str.isdigit, time))[:14]
    return int(digits) if digits.isascii() and digits else 0


def _generation(metadata: Mapping[str, Any]) -> int:
    generation = metadata.get("generation")
    return generation if isinstance(generation, int) else 0


def _digest(content: Any) -> int:
    return int.from_bytes(hashlib.blake2b(compact(content, sort=True), digest_size=8).digest(), "big")
