# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of an app: an ApplySet (KEP-3659) whose parent is a ConfigMap `plumb-<app>`.

The parent's annotations are hints of where members may be, so they are widened before a write and narrowed after it.
Parent, label and field manager may be written by others than Plumb: which objects are an app's is in its record.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from ...model.app import AppSpec
from ...model.errors import InventoryError
from ...model.objects import Body, GroupKind, ObjectRef, digest_of
from ...model.version import VERSION
from ...model.well_known import PART_OF
from ..fields.fieldset import Path, owns_exactly
from ..fields.managed_fields import our_entry, owners

ID_LABEL = "applyset.kubernetes.io/id"
MEMBER_PATH: Path = ("f:metadata", "f:labels", f"f:{PART_OF}")
_TOOLING = "applyset.kubernetes.io/tooling"
_GROUP_KINDS = "applyset.kubernetes.io/contains-group-kinds"
_NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
APP = "plumb.gitops/app"
OWNER = "plumb.gitops/owner"
_NAMES = "plumb.gitops/names"
_APPLIED = "plumb.gitops/applied"
_FINISHED_JOBS = "finished-jobs"  # of version 0.1.0, as is the annotation before it

_UNFINISHED = "-"
PARENT_KIND = GroupKind("", "ConfigMap")
_TOOL = "plumb.gitops"
_IDS_IN_SELECTOR = 20  # above it the selector asks for members of any set: a long one slows the server


@dataclass(frozen=True, slots=True)
class SetIdentity:
    """The name of an app's set in a cluster: its parent's name and namespace, and the id that follows from them."""

    app: str
    namespace: str

    @property
    def name(self) -> str:
        """The name of the parent."""
        return f"plumb-{self.app}"

    @property
    def ref(self) -> ObjectRef:
        """The parent."""
        return ObjectRef("", "ConfigMap", self.namespace, self.name)

    @property
    def id(self) -> str:
        """The id of the set. Source: KEP-3659, `applyset-<base64url(sha256("name.namespace.kind.group"))>-v1`."""
        return _set_id(self.name, self.namespace)


@lru_cache(maxsize=4096)  # computed with each object
def _set_id(name: str, namespace: str) -> str:
    digest = hashlib.sha256(f"{name}.{namespace}.ConfigMap.".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}-v1"


def identity_of(app: AppSpec, default_namespace: str) -> SetIdentity:
    """Return the identity of an app's set, in its namespace or in the default one."""
    return SetIdentity(app.name, app.namespace or default_namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The content of a parent: hints of where members may be and, until an app has a record, what 0.1.0 remembered."""

    identity: SetIdentity
    owner: str
    exists: bool = False
    group_kinds: frozenset[GroupKind] = frozenset()
    namespaces: frozenset[str] = frozenset()
    finished_jobs: tuple[tuple[str, str], ...] = ()  # (namespace/name, hash of the manifest), sorted
    applied: str = ""  # digest of all manifests that were last applied without a failure
    names: str = (
        ""  # digest of the names that Git had when the record was written; a hint that it is to be read
    )
    version: str = field(default="", compare=False)  # resourceVersion that it was read at; guards its writes

    def widened(self, refs: Iterable[ObjectRef], kinds: Iterable[GroupKind] = ()) -> Inventory:
        """Return the inventory with the kinds and namespaces of these objects, and these kinds, in its hints too."""
        kinds_of_refs, namespaces = _hints(refs, self.identity.namespace)
        return replace(
            self,
            group_kinds=self.group_kinds | kinds_of_refs | frozenset(kinds),
            namespaces=self.namespaces | namespaces,
        )

    def narrowed(self, refs: Iterable[ObjectRef]) -> Inventory:
        """Return the inventory with the kinds and namespaces of just these objects in its hints."""
        kinds, namespaces = _hints(refs, self.identity.namespace)
        return replace(self, group_kinds=kinds, namespaces=namespaces)

    def before_record(self) -> Inventory:
        """Return the inventory with a digest that fits no names, where it has none.

        So the record is read by the next run, if this one ends early.
        """
        return self if self.names else replace(self, names=_UNFINISHED)

    def with_record(self, names: Iterable[ObjectRef]) -> Inventory:
        """Return the inventory beside a record of these names; what 0.1.0 wrote here is not needed any more."""
        return replace(self, names=digest_of_names(names), applied="", finished_jobs=())

    def body(self) -> dict[str, Any]:
        """Return the parent as it is applied."""
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.identity.name,
                "namespace": self.identity.namespace,
                **({"resourceVersion": self.version} if self.version else {}),
                "labels": {ID_LABEL: self.identity.id},
                "annotations": {
                    _TOOLING: f"{_TOOL}/v{VERSION}",
                    _GROUP_KINDS: ",".join(sorted(map(str, self.group_kinds))),
                    _NAMESPACES: ",".join(sorted(self.namespaces)),
                    APP: self.identity.app,
                    OWNER: self.owner,
                    **({_NAMES: self.names} if self.names else {}),
                    **({_APPLIED: self.applied} if self.applied else {}),
                },
            },
            "data": {_FINISHED_JOBS: json.dumps(dict(self.finished_jobs))} if self.finished_jobs else {},
        }


def digest_of_names(refs: Iterable[ObjectRef]) -> str:
    """Return a digest of these names, in any order."""
    return digest_of(sorted([ref.group, ref.kind, ref.namespace, ref.name] for ref in refs))


def _hints(refs: Iterable[ObjectRef], home: str) -> tuple[frozenset[GroupKind], frozenset[str]]:
    refs = list(refs)
    return frozenset(ref.group_kind for ref in refs), frozenset(
        {r.namespace for r in refs if r.namespace} - {home}
    )


def read_inventory(parent: Body | None, identity: SetIdentity, owner: str) -> Inventory:
    """Return the inventory in a set's parent; an empty one where there is no parent.

    Raises InventoryError for a ConfigMap of that name which is not a set's parent, or is another tool's or owner's.
    """
    if parent is None:
        return Inventory(identity=identity, owner=owner)
    annotations = parent["metadata"].get("annotations") or {}
    _check_parent(parent, annotations, identity, owner)
    return Inventory(
        identity=identity,
        owner=owner,
        exists=True,
        group_kinds=hinted_kinds(parent),
        namespaces=frozenset(filter(None, annotations.get(_NAMESPACES, "").split(","))),
        finished_jobs=_jobs(parent),
        applied=annotations.get(_APPLIED, ""),
        names=annotations.get(_NAMES, ""),
        version=str(parent["metadata"].get("resourceVersion") or ""),
    )


def hinted_kinds(parent: Body) -> frozenset[GroupKind]:
    """Return the kinds in a parent's hint; it is widened before a write, so a new kind shows there first."""
    annotations = parent["metadata"].get("annotations") or {}
    return frozenset(map(GroupKind.parse, filter(None, annotations.get(_GROUP_KINDS, "").split(","))))


def _check_parent(parent: Body, annotations: Mapping[str, str], identity: SetIdentity, owner: str) -> None:
    label = (parent["metadata"].get("labels") or {}).get(ID_LABEL, "")
    tool = annotations.get(_TOOLING, "").partition("/")[0]
    actual_owner = annotations.get(OWNER, "")
    faults = {
        f"its label {ID_LABEL} is {label or 'missing'}, not {identity.id}": label != identity.id,
        f"it belongs to {tool or 'no tool'} ({_TOOLING}), not to {_TOOL}": tool != _TOOL,
        f"it belongs to the owner {actual_owner or '(none)'} ({OWNER}), not to {owner}": actual_owner
        != owner,
    }
    for reason, is_fault in faults.items():
        if is_fault:
            raise InventoryError(
                f"app {identity.app}",
                f"reading its inventory, {identity.ref}",
                reason,
                "Rename the app, set plumb_owner to the right owner, or remove the ConfigMap if it is stale:"
                " its members are found again by their label.",
            )


def _jobs(parent: Body) -> tuple[tuple[str, str], ...]:
    try:
        digests = json.loads((parent.get("data") or {}).get(_FINISHED_JOBS, "{}"))
    except (ValueError, RecursionError):
        return ()
    if not isinstance(digests, dict):
        return ()
    return tuple(sorted((str(name), str(digest)) for name, digest in digests.items()))


def selector_of(set_ids: Sequence[str]) -> str:
    """Return the label selector for members of these sets; of many sets, for members of any set."""
    return f"{PART_OF} in ({','.join(set_ids)})" if len(set_ids) <= _IDS_IN_SELECTOR else PART_OF


def part_of(body: Body) -> str:
    """Return the id of the set that an object's label names; empty where it names none."""
    return str((body["metadata"].get("labels") or {}).get(PART_OF) or "")


def set_of(live: Body) -> str:
    """Return the id of the set that an object's label names; empty where the object is ours and somebody changed it."""
    entry = our_entry(owners(live))
    return part_of(live) if entry is None or owns_exactly(entry.fields, MEMBER_PATH) else ""


def is_member(live: Body, set_id: str) -> bool:
    """Whether a live object is marked as a member: it carries the set's label, and our own entry owns that label.

    A label alone is not enough: EndpointSlices inherit it from their Service. Both can be forged by whoever may patch
    the object, so that it is the app's takes its record, too.
    """
    entry = our_entry(owners(live))
    return part_of(live) == set_id and entry is not None and owns_exactly(entry.fields, MEMBER_PATH)


def app_of_parent(parent: Body, owner: str) -> str:
    """Return the app that a parent of ours belongs to; empty for a parent of another tool or owner."""
    annotations = parent["metadata"].get("annotations") or {}
    ours = annotations.get(_TOOLING, "").startswith(f"{_TOOL}/") and annotations.get(OWNER) == owner
    return annotations.get(APP, "") if ours else ""
