# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that take others with them when they are deleted."""

from __future__ import annotations

from ...model.objects import Body, GroupKind, ObjectRef
from ..fields.object_view import LiveView

_NAMESPACE = GroupKind("", "Namespace")
CONTAINERS = frozenset({_NAMESPACE, GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")})


def contains(container: ObjectRef, live: Body, other: ObjectRef) -> bool:
    """Whether an object would go with a Namespace or a CustomResourceDefinition."""
    if container.group_kind == _NAMESPACE:
        return other.namespace == container.name
    if container.group_kind not in CONTAINERS:
        return False
    view = LiveView(live)
    return other.group_kind == GroupKind(view.text("spec", "group"), view.text("spec", "names", "kind"))
