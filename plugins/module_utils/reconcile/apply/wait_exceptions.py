# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that need not be waited for, though they are not healthy."""

from __future__ import annotations

from collections.abc import Sequence

from ...cluster.client import Cluster
from ...cluster.errors import RequestError
from ...model.health import HealthStatus
from ...model.objects import Body, GroupKind, ObjectRef
from ...model.plan import Awaited
from ..fields.object_view import LiveView

_CLAIM = GroupKind("", "PersistentVolumeClaim")
_CLASS = GroupKind("storage.k8s.io", "StorageClass")
_SELECTED_NODE = "volume.kubernetes.io/selected-node"  # set once a Pod that uses the claim has its node


class WaitExceptions:
    """The objects of one wait that need not be waited for, with a remark on each."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._late_binding: dict[str, bool] = {}  # by class: whether its claims wait for a Pod
        self.remarks: set[str] = set()

    def still_awaited(self, pending: Sequence[Awaited]) -> list[Awaited]:
        """Return those of the pending objects that have to be waited for."""
        remarks = [(awaited, self._remark(awaited)) for awaited in pending]
        self.remarks |= {f"{awaited.ref}: {remark}" for awaited, remark in remarks if remark}
        return [awaited for awaited, remark in remarks if not remark]

    def _remark(self, awaited: Awaited) -> str:
        status = awaited.health.status
        if status is HealthStatus.NOT_FOUND and awaited.removed_by_ttl:
            return "it has ended, and its TTL has removed it"
        if status is HealthStatus.IN_PROGRESS and awaited.ref.group_kind == _CLAIM:
            return self._waits_for_a_pod(awaited.ref)
        return ""

    def _waits_for_a_pod(self, claim: ObjectRef) -> str:
        live = self._get(_CLAIM, claim.namespace, claim.name)
        if live is None or _SELECTED_NODE in (live["metadata"].get("annotations") or {}):
            return ""
        name = LiveView(live).text("spec", "storageClassName")
        if not name or not self._binds_late(name):
            return ""
        return f"it is bound when the first Pod uses it (StorageClass {name} says WaitForFirstConsumer)"

    def _binds_late(self, name: str) -> bool:
        if name not in self._late_binding:
            live = self._get(_CLASS, "", name)
            mode = LiveView(live).text("volumeBindingMode") if live is not None else ""
            self._late_binding[name] = mode == "WaitForFirstConsumer"
        return self._late_binding[name]

    def _get(self, kind: GroupKind, namespace: str, name: str) -> Body | None:
        """Return the object, or None where there is none or it may not be read."""
        resource = self._cluster.discover().of(kind)
        try:
            return None if resource is None else self._cluster.get(resource, namespace=namespace, name=name)
        except RequestError:
            return None
