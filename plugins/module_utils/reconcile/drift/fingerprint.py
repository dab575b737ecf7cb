# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a watched object, and what a change of it can mean: nothing, something, or somebody else's doing.

The metadata of an object is enough, so no content of any object is read. A fingerprint never says that an object is as
Git wants it: it says that a run should look.
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
class Claim:
    """What one manager owns: a digest of the fields, how many they are, and when it last wrote (0: not recorded)."""

    digest: int
    fields: int
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """One object, in some hundred bytes."""

    set_id: str  # the set that its label names
    member: bool  # whether that label is ours
    inherits: bool  # of a kind that comes by our label without anybody's doing
    uid: str
    version: str  # resourceVersion
    generation: int  # 0: the kind keeps none
    surroundings: int  # digest of labels, annotations, finalizers and owner references
    ours: Claim | None
    others: tuple[tuple[str, Claim], ...]  # by manager, operation and subresource; sorted
    status: int  # digest of what is no claim on the manifest: entries for status, fields of co-writers
    status_last: bool  # whether the latest entry with a time is one of those
    going: bool  # deletionTimestamp is set


class Movement(Enum):
    """What happened between two fingerprints of an object."""

    NONE = "none"  # nothing that concerns the manifest
    PLAIN = "plain"  # a change such as a run of ours makes, and others may
    FOREIGN = "foreign"  # a change that somebody else made


def fingerprint(item: Body, kind: GroupKind) -> Fingerprint:
    """Of an object of which only the metadata is known."""
    metadata, entries = item["metadata"], owners(item)
    ours = our_entry(entries)
    claims: list[tuple[str, Claim]] = []
    noise: list[Any] = []
    excused: set[Path] = set()
    for entry in entries:
        if entry is ours:
            continue
        counted, left = _split(entry, kind)
        if counted:
            claims.append((_name(entry), _claim(counted, entry.time)))
        if left:
            excused |= {path for path in left if ours is None or not owns(ours.fields, path)}
            noise.append([_name(entry), entry.time, left])
    parent = (metadata.get("labels") or {}).get(ID_LABEL) or ""
    return Fingerprint(
        set_id=intern(part_of(item) or str(parent)),
        member=ours is not None and (bool(parent) or owns_exactly(ours.fields, MEMBER_PATH)),
        inherits=kind in _INHERITING,
        uid=str(metadata.get("uid") or ""),
        version=str(metadata.get("resourceVersion") or ""),
        generation=_generation(metadata) if keeps_generation(kind) else 0,
        surroundings=_digest(_surroundings(metadata, excused)),
        ours=_whole(ours) if ours is not None else None,
        others=tuple(sorted(claims, key=lambda claim: claim[0])),
        status=_digest(noise) if noise else 0,
        status_last=_latest_is_noise(noise, ours, claims),
        going="deletionTimestamp" in metadata,
    )


def movement(before: Fingerprint | None, after: Fingerprint | None) -> Movement:
    """What a change from `before` to `after` (None: not there, or no longer labelled) can mean."""
    if not (before is not None and before.member) and not (after is not None and after.member):
        # Not an object of ours. One that comes by our label all the same is somebody's claim to be.
        return Movement.FOREIGN if before is None and after and not after.inherits else Movement.NONE
    if before is None or after is None:
        return Movement.PLAIN
    if _is_taken(before, after) or any(_has_grown(before, name, claim) for name, claim in after.others):
        return Movement.FOREIGN
    if _shown(before) != _shown(after):
        return Movement.PLAIN
    if before.generation or before.version == after.version:
        return Movement.NONE
    # The kind keeps no generation, and no claim shows who wrote. Two writes of one manager within a second look alike,
    # so where the latest entry is about status, that one was written again.
    return Movement.NONE if before.status != after.status or after.status_last else Movement.PLAIN


def _is_taken(before: Fingerprint, after: Fingerprint) -> bool:
    """Whether fields were taken out of our claim, or all of it, by somebody else: our own writes move its time."""
    if before.ours is None or before.uid != after.uid:
        return before.ours is not None and after.ours is None
    if after.ours is None:
        return True
    return (
        before.ours.digest != after.ours.digest
        and before.ours.time == after.ours.time
        and after.ours.fields <= before.ours.fields
    )


def _has_grown(before: Fingerprint, name: str, claim: Claim) -> bool:
    """Whether a manager has written: our taking fields from it leaves it smaller, and its time as it was."""
    known = next((had for other, had in before.others if other == name), None)
    if known is None or claim.time != known.time:
        return True
    return claim.digest != known.digest and claim.fields >= known.fields


def _shown(print_: Fingerprint) -> tuple[Any, ...]:
    """What shows a change, whoever made it."""
    return (
        print_.set_id, print_.member, print_.uid, print_.generation, print_.surroundings, print_.ours, print_.others,
        print_.going,
    )  # fmt: skip


def _split(entry: Owner, kind: GroupKind) -> tuple[list[Path], list[Path]]:
    """The fields of an entry that are a claim on the manifest, and those that are not."""
    fields = list(leaves(entry.fields))
    if entry.subresource == "status" or entry.is_before_first_apply:
        return [], fields
    left = [path for path in fields if path[0] == "f:status" or is_expected(entry.manager, kind, path)]
    return ([path for path in fields if path not in left] if left else fields), left


def _surroundings(metadata: Mapping[str, Any], excused: set[Path]) -> list[Any]:
    """What of the metadata somebody may want otherwise, without what co-writers keep there."""
    kept: list[Any] = [
        {
            key: value
            for key, value in (metadata.get(word) or {}).items()
            if ("f:metadata", f"f:{word}", f"f:{key}") not in excused
        }
        for word in ("labels", "annotations")
    ]
    finalizers = [
        name
        for name in metadata.get("finalizers") or ()
        if ("f:metadata", "f:finalizers", f"v:{json.dumps(name)}") not in excused
    ]
    return [*kept, sorted(finalizers), metadata.get("ownerReferences") or []]


def _latest_is_noise(noise: Sequence[Any], ours: Owner | None, claims: Sequence[tuple[str, Claim]]) -> bool:
    latest = max((_seconds(time) for _name, time, _left in noise), default=0)
    counted = [claim.time for _name, claim in claims] + ([_seconds(ours.time)] if ours is not None else [])
    return latest > 0 and latest >= max(counted, default=0)


def _whole(ours: Owner) -> Claim:
    return Claim(
        _digest([ours.api_version, ours.fields]), sum(1 for _leaf in leaves(ours.fields)), _seconds(ours.time)
    )


def _claim(fields: Iterable[Path], time: str) -> Claim:
    paths = list(fields)
    return Claim(_digest(paths), len(paths), _seconds(time))


def _name(entry: Owner) -> str:
    return intern(f"{entry.manager}\0{entry.operation}\0{entry.subresource}")


def _seconds(time: str) -> int:
    """A time as managedFields has it, as a number that grows with it; 0 for none."""
    digits = "".join(filter(str.isdigit, time))[:14]
    return int(digits) if digits.isascii() and digits else 0


def _generation(metadata: Mapping[str, Any]) -> int:
    generation = metadata.get("generation")
    return generation if isinstance(generation, int) else 0


def _digest(content: Any) -> int:
    return int.from_bytes(hashlib.blake2b(compact(content, sort=True), digest_size=8).digest(), "big")
