# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the agent that is in force, and the services that its loops share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..core.config import Config
from ..core.log import Log
from ..core.suspensions import Suspensions
from ..core.turns import Turns
from ..runner.run_pool import RunPool
from .health_waits import HealthWait
from .inventory_copy import InventoryCopy
from .metrics import Metrics


@dataclass(frozen=True, slots=True)
class AgentState:
    """The configuration, inventory and suspensions that are in force; each run uses those of its start."""

    config: Config
    accepted: InventoryCopy
    suspensions: Suspensions
    may_run: bool = True  # whether this agent leads, where there is an election
    lease_file: Path | None = None


class DeliveryQueue(Protocol):
    """Takes what receivers are to be told: the forge, those of notifications, hooks."""

    def add(self, cluster: str) -> None:
        """Deliver what a run of the cluster left in its record."""

    def add_pending(self, cluster: str, source: str, commit: str) -> None:
        """Deliver that a commit of a source is to be applied."""

    def add_health(self, cluster: str, wait: HealthWait) -> None:
        """Deliver what the wait for an app came to."""

    def status(self, cluster: str) -> list[dict[str, Any]]:
        """Return what waits to be delivered of a cluster, as its status shows it."""


class SourcePulls(Protocol):
    """Pulls of the sources of clusters, which go on beside the runs."""

    async def first_pulls(self, cluster: str) -> None:
        """Wait a moment for the sources that a cluster has not had yet."""

    async def ask(self, cluster: str, apps: frozenset[str] | None = None) -> tuple[str, ...]:
        """Have the sources of apps (None: of all) pulled; return those that do not answer."""


@dataclass(slots=True)
class AgentServices:
    """The services that the loops of one agent share."""

    in_force: Callable[[], AgentState]
    runs: RunPool
    log: Log
    metrics: Metrics
    turns: Turns
    deliveries: DeliveryQueue
    sources: SourcePulls
    changed: Callable[[str], None]  # called with a cluster's name when there is something new to show of it
