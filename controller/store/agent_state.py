# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the agent that is in force, and the services that its loops share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..core.config import Config
from ..core.log import Log
from ..core.suspensions import Suspensions
from ..core.turns import Turns
from ..runner.run_pool import RunPool
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


@dataclass(slots=True)
class AgentServices:
    """The services that the loops of one agent share."""

    in_force: Callable[[], AgentState]
    runs: RunPool
    log: Log
    metrics: Metrics
    turns: Turns
    changed: Callable[[str], None]  # called with a cluster's name when there is something new to show of it
