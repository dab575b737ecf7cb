# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes objects as values: what they are called, and one desired object with where it was written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .compact import compact

Body = Mapping[str, Any]  # one object as JSON gives it; read only


@dataclass(frozen=True, slots=True, order=True)
class GroupKind:
    """A kind in its API group; the core group is the empty string."""

    group: str
    kind: str

    def __str__(self) -> str:
        """As ApplySet's `contains-group-kinds` writes it: `Kind.group`, or `Kind` in the core group."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @classmethod
    def parse(cls, text: str) -> GroupKind:
        """Read what `__str__` wrote."""
        kind, _dot, group = text.partition(".")
        return cls(group, kind)


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """The identity of an object in a cluster; `namespace` is empty for a cluster-scoped one.

    The API version is not part of it: one object has the same identity in each version of its group.
    """

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def group_kind(self) -> GroupKind:
        """The kind in its group."""
        return GroupKind(self.group, self.kind)

    def __str__(self) -> str:
        """As output shows it: `Deployment shop/cart`, `Namespace shop`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def api_group(api_version: str) -> str:
    """Return the group of an `apiVersion`: `apps` of `apps/v1`, empty of `v1`."""
    return api_version.rpartition("/")[0]


def ref_of(body: Body) -> ObjectRef:
    """Return the identity of a body that has `apiVersion`, `kind` and `metadata.name`."""
    metadata = body["metadata"]
    return ObjectRef(
        api_group(body["apiVersion"]),
        body["kind"],
        metadata.get("namespace") or "",
        metadata.get("name") or "",
    )


def digest_of(content: Any) -> str:
    """Return a digest of JSON types, 32 hexadecimal digits; the order of keys does not matter."""
    return hashlib.sha256(compact(content, sort=True)).hexdigest()[:32]


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Where a manifest was written: a file relative to the revision's root, and the line (from 1; 0: not known)."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Manifest:
    """One desired object as the revision says it."""

    ref: ObjectRef
    body: Body
    origin: Origin
    digest: str  # of the body, its namespace left out

    @classmethod
    def of(cls, body: Body, origin: Origin) -> Manifest:
        """Return the manifest of a body that has `apiVersion`, `kind` and `metadata.name`."""
        metadata = {key: value for key, value in body["metadata"].items() if key != "namespace"}
        return cls(ref_of(body), body, origin, digest_of({**body, "metadata": metadata}))

    @property
    def api_version(self) -> str:
        """The API version that the body is written in."""
        return str(self.body["apiVersion"])
