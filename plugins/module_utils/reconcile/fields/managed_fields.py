# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns which field of a live object: managedFields read, compared and rewritten.

Server-side apply tracks an owner per field, in a list of entries with a set of fields each (`fieldset.py`):

    manager              operation            what it means for Plumb
    plumb                Apply                its own entry: the fields of the manifest that was applied last
    helm, kustomize-...  Apply                another applier: its fields are taken only with force_conflicts
    kubectl-edit         Update               a person or controller: its changes are drift, what it adds is an addition
    (any)                Update, subresource  a status or a scale: does not concern the manifest
    before-first-apply   Update               the server's own, for an object without managedFields: struck

Drift, conflicts, additions and adoption are all read from there. Beside it in this package: whether an object is as
wanted (`ownership_match.py`), fields that were applied last (`applied_fields.py`), managers that may write without
being reported (`known_writers.py`), and the structure of lists without a schema (`structure.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...model.change import Culprit
from ...model.objects import Body
from .fieldset import FieldSet, Path, intersect, owns, owns_exactly, subtract, union, without

FIELD_MANAGER = "plumb"

DIGEST = "plumb.gitops/manifest"  # annotation: which manifest an object was last applied from
_DIGEST_PATH: Path = ("f:metadata", "f:annotations", f"f:{DIGEST}")

# Creates a Namespace that no manifest of the app is for. It sets no field, so it owns none; written as `plumb` it would
# remove all that another app's manifest for that Namespace has just applied.
CREATOR = "plumb-create-namespace"

# Managers whose Update entries are folded into ours when we take an object over: tools and people that wrote before us
# what Git says now. Source: the table in kustomize-controller and csaupgrade of client-go.
FORMER_OWNERS = re.compile(
    r"kubectl(-.*)?|helm|kustomize-controller|argocd.*|Go-http-client|OpenAPI-Generator|Swagger-Codegen"
)

# The server's name for whoever wrote an object that had no managedFields when it was first applied. It owns every field
# there was, defaults and immutable ones too, so it is struck, not folded: removing all that would break the object.
BEFORE_FIRST_APPLY = "before-first-apply"

# What a former owner may own by accident of history, and the cluster goes on needing: never folded, never removed.
NEVER_FOLDED: tuple[Path, ...] = (
    ("f:status",),
    ("f:metadata", "f:finalizers"),
    ("f:metadata", "f:ownerReferences"),
    ("f:metadata", "f:annotations", "f:deployment.kubernetes.io/revision"),
    ("f:metadata", "f:annotations", "f:pv.kubernetes.io/bind-completed"),
    ("f:metadata", "f:annotations", "f:pv.kubernetes.io/bound-by-controller"),
    ("f:metadata", "f:labels", "f:kubernetes.io/metadata.name"),
    ("f:spec", "f:clusterIP"),
    ("f:spec", "f:clusterIPs"),
    ("f:spec", "f:healthCheckNodePort"),
    ("f:spec", "f:volumeName"),
    ("f:spec", "f:finalizers"),
    ("f:spec", "f:replicas"),
)

# People and what they type. What tools own from before an adoption is no addition; what a person writes later is.
_BY_HAND = re.compile(r"kubectl(-.*)?")
_TOOLS = re.compile(r"kubectl-client-side-apply|helm|kustomize-controller|argocd.*")

# How controllers keep track of what they work with, on any object.
_TRACKING: tuple[Path, ...] = (("f:metadata", "f:finalizers"), ("f:metadata", "f:ownerReferences"))


@dataclass(frozen=True, slots=True)
class Owner:
    """One entry of managedFields."""

    manager: str
    operation: str
    subresource: str
    time: str
    api_version: str
    fields: FieldSet

    @property
    def is_ours(self) -> bool:
        """Whether this is what Plumb itself applied."""
        return self.manager == FIELD_MANAGER and self.operation == "Apply" and not self.subresource

    @property
    def is_applier(self) -> bool:
        """Whether another tool applied it by server-side apply."""
        return self.operation == "Apply" and not self.is_ours

    @property
    def is_former_owner(self) -> bool:
        """Whether it is of a tool or person whose fields we take over with an object."""
        return (
            self.operation == "Update"
            and not self.subresource
            and bool(FORMER_OWNERS.fullmatch(self.manager))
        )

    @property
    def is_before_first_apply(self) -> bool:
        """Whether the server made it up for an object that had no managedFields."""
        return self.operation == "Update" and self.manager == BEFORE_FIRST_APPLY

    def may_keep(self, path: Path) -> bool:
        """Whether the path is this owner's for good reason, though Git does not say it."""
        if self.operation != "Update":
            return False
        if any(path[: len(prefix)] == prefix for prefix in _TRACKING) and not _BY_HAND.fullmatch(
            self.manager
        ):
            return True
        return bool(_TOOLS.fullmatch(self.manager)) and any(
            path[: len(prefix)] == prefix for prefix in NEVER_FOLDED
        )

    @property
    def culprit(self) -> Culprit:
        """The owner as a report names him."""
        return Culprit(self.manager, self.operation, self.subresource, self.time)


def owners(live: Body) -> tuple[Owner, ...]:
    """Return the entries of a live object's managedFields; empty ones, as after a wipe, are left out."""
    return tuple(
        Owner(
            entry.get("manager") or "",
            entry.get("operation") or "",
            entry.get("subresource") or "",
            entry.get("time") or "",
            entry.get("apiVersion") or "",
            entry["fieldsV1"],
        )
        for entry in live["metadata"].get("managedFields") or ()
        if entry.get("fieldsV1") is not None
    )


def our_entry(entries: Sequence[Owner]) -> Owner | None:
    """Return our own entry, if there is one."""
    return next((owner for owner in entries if owner.is_ours), None)


def restored_by(entries: Sequence[Owner]) -> Owner | None:
    """Return who restored an object of ours, as from a backup: that entry owns our digest, and we own nothing."""
    if our_entry(entries) is not None:
        return None
    return next(
        (owner for owner in entries if not owner.subresource and owns_exactly(owner.fields, _DIGEST_PATH)),
        None,
    )


def owner_of(entries: Sequence[Owner], path: Path) -> Owner | None:
    """Return who, other than us, owns the path; the latest where several do, those without a time first."""
    holders = [owner for owner in entries if not owner.is_ours and owns(owner.fields, path)]
    return max(
        holders, key=lambda owner: (owner.operation == "Update", not owner.time, owner.time), default=None
    )


def lost_fields(before: Sequence[Owner], after: Sequence[Owner]) -> dict[str, FieldSet]:
    """Return, by manager, what other appliers own before and not after: what a forced apply would take from them."""
    taken: dict[str, FieldSet] = {}
    for owner in before:
        if not owner.is_applier:
            continue
        left = next(
            (
                other.fields
                for other in after
                if other.is_applier
                and (other.manager, other.subresource) == (owner.manager, owner.subresource)
            ),
            {},
        )
        lost = subtract(owner.fields, left)
        if lost:
            taken[owner.manager] = lost
    return taken


def foldable(entries: Sequence[Owner], not_ignored: Callable[[Owner], FieldSet]) -> FieldSet:
    """Return what former owners own and we may take over; `not_ignored` gives those of one that no rule ignores."""
    fields: FieldSet = {}
    for owner in entries:
        if owner.is_former_owner:
            fields = union(fields, without_never_folded(not_ignored(owner)))
    return fields


def without_never_folded(fields: FieldSet) -> FieldSet:
    """Return the set without what NEVER_FOLDED lists, whole subtrees included."""
    for path in NEVER_FOLDED:
        fields = without(fields, path)
    return fields


def rewritten_managed_fields(
    live: Body,
    *,
    fold: FieldSet,
    release: FieldSet,
    api_version: str,
    seize: FieldSet | None = None,
    succeeds: Callable[[Owner], FieldSet] | None = None,
) -> list[Mapping[str, Any]] | None:
    """Return managedFields with `fold` moved from former owners into our entry.

    `release` is struck from all Update entries, `seize` from those of other appliers. With `succeeds`, former owners
    lose what it returns for them, and who restored the object loses all: what NEVER_FOLDED lists stays as it is, and is
    nobody's then. The entry of BEFORE_FIRST_APPLY goes as well. None where nothing changes. Entries of subresources
    stay: a scale or a status does not concern the manifest.
    Source of the idea: csaupgrade in client-go; written as a JSON patch guarded by the resourceVersion.
    """
    result: list[Mapping[str, Any]] = []
    ours: dict[str, Any] | None = None
    changed = False
    restorer = restored_by(owners(live))
    for entry in filter(None, live["metadata"].get("managedFields") or ()):
        owner = next(iter(owners({"metadata": {"managedFields": [entry]}})), None)
        if owner is None or owner.subresource:
            result.append(entry)
        elif owner.is_ours:
            ours = entry
        else:
            strike = (seize or {}) if owner.is_applier else release
            if succeeds and owner == restorer:
                strike = owner.fields
            elif owner.is_former_owner:
                strike = succeeds(owner) if succeeds else union(release, fold)
            left = {} if owner.is_before_first_apply else subtract(owner.fields, strike)
            changed = changed or left != owner.fields
            result += [{**entry, "fieldsV1": left}] if left else []
    if fold:
        base = ours or {
            "manager": FIELD_MANAGER,
            "operation": "Apply",
            "apiVersion": api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": {},
        }
        folded = union(base["fieldsV1"], fold)
        changed = changed or folded != base["fieldsV1"]
        ours = {**base, "fieldsV1": folded}
    if not changed:
        return None
    return [*result, ours] if ours else result


def co_owned(entries: Sequence[Owner], fields: FieldSet) -> FieldSet:
    """Return the part of `fields` that Update entries (not of a subresource) own as well."""
    shared: FieldSet = {}
    for owner in entries:
        if owner.operation == "Update" and not owner.subresource:
            shared = union(shared, intersect(fields, owner.fields))
    return shared
