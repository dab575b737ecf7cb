# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Lease of coordination.k8s.io/v1 that this process holds, or that it waits for.

No clocks are compared. A process that waits counts the lease as free once nothing has changed in it for the holder's
leaseDurationSeconds, by its own monotonic clock. The holder may write for that long after the moment *before* the
request that renewed it, by its own clock. The rule for waiting is client-go's (tools/leaderelection); renewTime is
written for people.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .client import Cluster
from .discovery import ApiResource
from .errors import NotFound, StaleVersion
from .lease_file import boot_time

LEASES = ApiResource(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    namespaced=True,
    verbs=frozenset({"get", "list", "patch", "delete"}),
)
_MANAGER = "plumb-agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSpec:
    """A lease, the process that wants it (by a unique name), and for how many seconds it holds without a renewal."""

    namespace: str
    name: str
    holder: str
    duration: int = 15


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks, which tests replace: seconds, and RFC 3339 for people."""

    monotonic: Callable[[], float] = time.monotonic
    boot: Callable[[], float] = boot_time
    shown: Callable[[], str] = lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Lease:
    """A lease. Not to be used by several threads at once. A method makes a few requests, and raises RequestError."""

    def __init__(self, spec: LeaseSpec, clocks: Clocks | None = None) -> None:
        self.spec = spec
        self.until = 0.0  # writes may start until then, by `boot_time`; 0 while it is not held
        self.holder = ""  # who held it when it was read last
        self._clocks = clocks or Clocks()
        self._version = ""
        self._live_spec: Mapping[str, Any] = {}
        self._changed = 0.0  # monotonic

    def acquire(self, cluster: Cluster) -> bool:
        """Take the lease if it is free, or is ours; return whether we hold it now."""
        live = self._read(cluster)
        if live is None:
            if not self._is_free({}):
                return False
            live = self._create(cluster)
        self._update(live)
        return self._is_free(self._live_spec) and self._write(cluster)

    def renew(self, cluster: Cluster) -> bool:
        """Hold it for another `duration`; return False where another has it, or it is gone: nothing may be written."""
        if self._write(cluster):
            return True
        live = self._read(cluster)  # somebody wrote to it; perhaps only a label
        if live is not None:
            self._update(live)
            if self.holder == self.spec.holder and self._write(cluster):
                return True
        self.until = 0.0
        return False

    def release(self, cluster: Cluster) -> bool:
        """Let another process take it at once; return False where it was not ours any more."""
        self.until = 0.0
        if self.holder != self.spec.holder:
            return False
        free = {name: value for name, value in self._live_spec.items() if name != "holderIdentity"}
        return self._patch(cluster, {**free, "leaseDurationSeconds": 1, "renewTime": self._clocks.shown()})

    def _read(self, cluster: Cluster) -> dict[str, Any] | None:
        return cluster.get(LEASES, namespace=self.spec.namespace, name=self.spec.name)

    def _create(self, cluster: Cluster) -> dict[str, Any]:
        """Return a new lease without a holder: its resourceVersion decides which process takes it."""
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"namespace": self.spec.namespace, "name": self.spec.name},
        }
        return cluster.apply(LEASES, body, field_manager=_MANAGER, force=False)

    def _update(self, live: Mapping[str, Any]) -> None:
        spec = live.get("spec") or {}
        if spec != self._live_spec:
            self._changed = self._clocks.monotonic()
        self._live_spec = spec
        self._version = live["metadata"]["resourceVersion"]
        self.holder = spec.get("holderIdentity") or ""

    def _is_free(self, spec: Mapping[str, Any]) -> bool:
        """Return whether nobody else holds it: it has no other holder, or it has not changed for too long.

        A lease that was deleted under its holder counts as held for its last duration.
        """
        holder = spec.get("holderIdentity") if spec else self.holder
        if not holder or holder == self.spec.holder:
            return True
        seconds = self._live_spec.get("leaseDurationSeconds") or self.spec.duration
        return self._clocks.monotonic() >= self._changed + seconds

    def _write(self, cluster: Cluster) -> bool:
        before = self._clocks.boot()
        shown = self._clocks.shown()
        ours = self.holder == self.spec.holder
        wanted = {
            **self._live_spec,
            "holderIdentity": self.spec.holder,
            "leaseDurationSeconds": self.spec.duration,
            "renewTime": shown,
            "acquireTime": self._live_spec.get("acquireTime", shown) if ours else shown,
            "leaseTransitions": int(self._live_spec.get("leaseTransitions") or 0) + (not ours),
        }
        if not self._patch(cluster, wanted):
            return False
        self.until = before + self.spec.duration
        return True

    def _patch(self, cluster: Cluster, spec: Mapping[str, Any]) -> bool:
        """Write the spec; return whether the lease was still as it was read last."""
        try:
            live = cluster.json_patch(
                LEASES,
                namespace=self.spec.namespace,
                name=self.spec.name,
                operations=[
                    {"op": "test", "path": "/metadata/resourceVersion", "value": self._version},
                    {"op": "add", "path": "/spec", "value": spec},
                ],
                field_manager=_MANAGER,
            )
        except (StaleVersion, NotFound):
            return False
        self._update(live)
        return True
