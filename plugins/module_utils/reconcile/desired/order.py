# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of work within an app, as a table: what others need comes first, what can lock others out comes last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import TypeVar

from ...model.objects import GroupKind, ObjectRef


class Stage(IntEnum):
    """The stages of an apply, in order. Deletes take them in reverse."""

    DEFINITIONS = 0  # Namespaces and CRDs: awaited, for what comes after lives in them
    CLASSES = 1
    ROLES = 2
    BINDINGS = 3
    THE_REST = 4
    ADMISSION = 5  # last: a webhook whose Service is not up yet would refuse all that follows


_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"

_STAGES: dict[GroupKind, Stage] = {
    GroupKind("", "Namespace"): Stage.DEFINITIONS,
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): Stage.DEFINITIONS,
    GroupKind("", "ServiceAccount"): Stage.ROLES,
    GroupKind(_RBAC, "ClusterRole"): Stage.ROLES,
    GroupKind(_RBAC, "Role"): Stage.ROLES,
    GroupKind(_RBAC, "ClusterRoleBinding"): Stage.BINDINGS,
    GroupKind(_RBAC, "RoleBinding"): Stage.BINDINGS,
}

_T = TypeVar("_T")


def stage_of(kind: GroupKind) -> Stage:
    """Return the stage of a kind. Kinds ending in `Class` are classes, as in kustomize-controller."""
    if kind.group == _ADMISSION:
        return Stage.ADMISSION
    return _STAGES.get(kind, Stage.CLASSES if kind.kind.endswith("Class") else Stage.THE_REST)


def sort_key(ref: ObjectRef) -> tuple[Stage, ObjectRef]:
    """Return a key that sorts objects by stage, then by identity, so that the same input gives the same plan."""
    return stage_of(ref.group_kind), ref


def staged(
    items: Iterable[tuple[ObjectRef, _T]], *, reverse: bool = False
) -> Sequence[tuple[Stage, Sequence[_T]]]:
    """Return items by stage, in the order of work; `reverse` for deletes."""
    by_stage: dict[Stage, list[_T]] = {}
    for ref, item in sorted(items, key=lambda pair: sort_key(pair[0])):
        by_stage.setdefault(stage_of(ref.group_kind), []).append(item)
    return sorted(by_stage.items(), reverse=reverse)
