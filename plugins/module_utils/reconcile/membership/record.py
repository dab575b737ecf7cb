# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of an app: which objects runs of Plumb have applied, by kind, namespace and name.

Labels, annotations and the name of a field manager are written by whoever may patch an object. The record is not: it is
a ConfigMap in Plumb's own namespace. What is not in it is neither pruned nor counted (ADR 0019).
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...model.errors import InventoryError
from ...model.objects import Body, GroupKind, ObjectRef
from ...model.well_known import RECORD_PREFIX
from ..applyset.inventory import APP, OWNER, SetIdentity
from ..desired.manifests import SECRET, DesiredObject

RECORD_LABEL = "plumb.gitops/record"
_RECORD_VALUE = "members"
_SET = "plumb.gitops/set"
_KEY = "members.json.gz"
_FORMAT = 1
_LONGEST = 1_000_000  # bytes in base64; a ConfigMap holds 1 MiB
_LONGEST_TEXT = 64 * 1024 * 1024  # bytes, unpacked
_DIGITS = 16  # of a digest: enough to tell whether a manifest is the same
_WITHOUT_DIGEST = (
    "-"  # instead of the digest of a Secret's manifest, which would allow to test guessed values
)


@dataclass(frozen=True, slots=True)
class RecordedMember:
    """What is remembered of one object."""

    applied: str = ""  # short digest of the manifest that it was last applied from; empty: not applied yet
    marker: str = ""  # annotation of another tool in that manifest, which keeps the object from being pruned

    def is_of(self, wanted: DesiredObject) -> bool:
        """Whether the object was last applied from this manifest, as far as that is remembered."""
        return self.applied == short_digest(wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRecord:
    """What runs have applied for one set. It does not exist before the app's first write, or if somebody deleted it."""

    identity: SetIdentity
    owner: str
    entries: Mapping[ObjectRef, RecordedMember] = field(default_factory=dict)
    exists: bool = False
    version: str = field(default="", compare=False)  # resourceVersion that it was read at; guards its writes

    @property
    def group_kinds(self) -> frozenset[GroupKind]:
        """The kinds of its objects."""
        return frozenset(ref.group_kind for ref in self.entries)

    def body(self, home: str) -> dict[str, Any]:
        """Return the ConfigMap as it is applied in the namespace `home`. Raises InventoryError if it is too large."""
        rows = [
            [r.group, r.kind, r.namespace, r.name, e.applied, e.marker]
            for r, e in sorted(self.entries.items())
        ]
        text = json.dumps({"format": _FORMAT, "members": rows}, separators=(",", ":"))
        packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
        if len(packed) > _LONGEST:
            raise InventoryError(
                f"app {self.identity.app}",
                f"recording its {len(rows)} objects",
                f"their names take {len(packed)} bytes, more than the {_LONGEST} that one ConfigMap may hold",
                "Split the app into several.",
            )
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": record_name(self.identity),
                "namespace": home,
                **({"resourceVersion": self.version} if self.version else {}),
                "labels": {RECORD_LABEL: _RECORD_VALUE},
                "annotations": {APP: self.identity.app, OWNER: self.owner, _SET: self.identity.id},
            },
            "binaryData": {_KEY: packed},
        }


def record_name(identity: SetIdentity) -> str:
    """Return the name of a set's record; a namespace has no dot, so no two sets have the same."""
    return f"{RECORD_PREFIX}{identity.namespace}.{identity.app}"


def short_digest(wanted: DesiredObject) -> str:
    """Return what the record holds of a manifest: a short digest, but `-` for a Secret."""
    return _WITHOUT_DIGEST if wanted.ref.group_kind == SECRET else wanted.digest[:_DIGITS]


def read_record(body: Body | None, identity: SetIdentity, owner: str, home: str) -> MemberRecord:
    """Return the record in a ConfigMap; an empty one where there is none.

    Raises InventoryError for a ConfigMap of that name that is another owner's, damaged, or of a newer Plumb.
    """
    if body is None:
        return MemberRecord(identity=identity, owner=owner)
    annotations = body["metadata"].get("annotations") or {}
    if annotations.get(OWNER) != owner or annotations.get(_SET) != identity.id:
        whose = annotations.get(OWNER) or "(none)"
        raise _unusable(identity, home, f"it belongs to the owner {whose} ({OWNER}), not to {owner}")
    return MemberRecord(
        identity=identity,
        owner=owner,
        entries=_entries(body, identity, home),
        exists=True,
        version=str(body["metadata"].get("resourceVersion") or ""),
    )


def _entries(body: Body, identity: SetIdentity, home: str) -> dict[ObjectRef, RecordedMember]:
    try:
        packed = base64.b64decode(body["binaryData"][_KEY], validate=True)
        document = json.loads(_unpacked(packed))
        if document["format"] != _FORMAT:
            raise _unusable(
                identity, home, f"it is of format {document['format']!r}, not {_FORMAT}: of a newer Plumb"
            )
        return {
            ObjectRef(*map(str, row[:4])): RecordedMember(*map(str, row[4:])) for row in document["members"]
        }
    except (
        KeyError,
        TypeError,
        ValueError,
        RecursionError,
        OSError,
        EOFError,
        zlib.error,
        binascii.Error,
    ) as exc:
        raise _unusable(identity, home, "it is damaged") from exc


def _unpacked(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)  # gzip
    text = unpacker.decompress(packed, _LONGEST_TEXT)
    if not unpacker.eof:
        raise ValueError("cut off, or too long")
    return text


def _unusable(identity: SetIdentity, home: str, why: str) -> InventoryError:
    return InventoryError(
        f"app {identity.app}",
        f"reading the record of its objects, ConfigMap {home}/{record_name(identity)}",
        why,
        "Nothing of the app is touched. Set plumb_owner to the right owner, or delete that ConfigMap: then it is made"
        " anew, and what Git no longer has is reported until you confirm it.",
    )
