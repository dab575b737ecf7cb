# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of an app, one table for agent, report, page, metrics and commit statuses (docs/glossary.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class SyncState(Enum):
    """A state of an app."""

    FAILED = "failed"
    REFUSED = "refused"
    UNHEALTHY = "unhealthy"
    CONFLICTING = "conflicting"
    DRIFTED = "drifted"
    UNVERIFIED = "unverified"
    WAITING = "waiting for dependency"
    IN_PROGRESS = "in progress"
    SUSPENDED = "suspended"
    PENDING = "pending"
    IN_SYNC = "in sync"


@dataclass(frozen=True, slots=True)
class StateRow:
    """A row of the table: when an app is in this state, and the status of its commit then (empty: it is left)."""

    state: SyncState
    when: str
    commit_status: str


# The worst first: an app for which several hold is in the first of them, and a cluster in the worst of its apps.
STATES = (
    StateRow(SyncState.FAILED, "its source, its rendering or a write failed", "failure"),
    StateRow(SyncState.REFUSED, "the app or an object of it was refused before a write", "failure"),
    StateRow(SyncState.UNHEALTHY, "all is applied, and the wait ended without health", "failure"),
    StateRow(SyncState.CONFLICTING, "somebody writes a field again each time it is reverted", "success"),
    StateRow(SyncState.DRIFTED, "something is not what Git says, and the app leaves it so", "success"),
    StateRow(SyncState.UNVERIFIED, "the agent may not read all of it", "success"),
    StateRow(SyncState.WAITING, "an app that it depends on is not healthy", "pending"),
    StateRow(SyncState.IN_PROGRESS, "applied; health or a deletion is waited for", "pending"),
    StateRow(SyncState.SUSPENDED, "nothing is done until it is resumed", ""),
    StateRow(SyncState.PENDING, "nothing has been applied yet", "pending"),
    StateRow(SyncState.IN_SYNC, "applied and healthy, or nothing to wait for", "success"),
)


def worst_state(states: Iterable[SyncState]) -> SyncState:
    """Return the worst of the states; in sync where there is none."""
    present = frozenset(states)
    return next((row.state for row in STATES if row.state in present), SyncState.IN_SYNC)
