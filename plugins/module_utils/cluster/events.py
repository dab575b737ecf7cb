# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes Events on objects: they show in `kubectl describe` what was done to an object."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from ..model.errors import ClusterError, printable
from ..model.objects import GroupKind, ObjectRef
from .client import Cluster

MOST = 100  # Events of one run; its report has them all
_CONTROLLER = "plumb.gitops/plumb"
_LONGEST_NOTE = 1000  # the server takes 1,024 bytes
_LONGEST_INSTANCE = 120
_EVENT = GroupKind("events.k8s.io", "Event")


class Reason(Enum):
    """Why there is an Event."""

    REVERTED = "Reverted"  # someone changed it, and it was reverted
    DRIFTED = "Drifted"  # someone changed it, and it stays so
    REFUSED = "Refused"
    FAILED = "Failed"
    PRUNED = "Pruned"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesEvent:
    """An Event on one object; without a uid `kubectl describe` does not show it."""

    ref: ObjectRef
    api_version: str
    uid: str
    reason: Reason
    note: str


def write_events(cluster: Cluster, events: Sequence[KubernetesEvent], instance: str) -> ClusterError | None:
    """Write the first `MOST` Events; return the error of one that could not be written. `instance` names the writer.

    Where the first one fails, no other is tried.
    """
    chosen = events[:MOST]
    first = _write_event(cluster, chosen[0], instance) if chosen else None
    if first is not None:
        return first
    failures = cluster.map(lambda event: _write_event(cluster, event, instance), chosen[1:])
    return next((failure for failure in failures if failure is not None), None)


def _write_event(cluster: Cluster, event: KubernetesEvent, instance: str) -> ClusterError | None:
    kind = cluster.discover().of(_EVENT)
    if kind is None:
        return None  # a server without Events
    ref = event.ref
    body = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": f"plumb-{uuid.uuid4().hex[:20]}", "namespace": ref.namespace or "default"},
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": _CONTROLLER,
        "reportingInstance": printable(instance, _LONGEST_INSTANCE) or "plumb",
        "action": "Reconcile",
        "reason": event.reason.value,
        "type": "Normal" if event.reason is Reason.PRUNED else "Warning",
        "note": _shortened(event.note),
        "regarding": {
            "apiVersion": event.api_version,
            "kind": ref.kind,
            "name": ref.name,
            **({"namespace": ref.namespace} if ref.namespace else {}),
            **({"uid": event.uid} if event.uid else {}),
        },
    }
    try:
        cluster.create(kind, body)
    except ClusterError as error:
        return error
    return None


def _shortened(note: str) -> str:
    return printable(note).encode()[:_LONGEST_NOTE].decode(errors="ignore")
