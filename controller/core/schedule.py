# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the next run of a cluster is due, and why. Values and arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

FIRST_RETRY = 10.0  # seconds after a first failure; it doubles up to the interval
FIRST_BACKOFF = 10.0  # seconds after a run that was stopped because the API server failed; it doubles
LONGEST_BACKOFF = 600.0  # seconds
SYNC, RESUMED = "sync by request", "resumed"
SUSPENSION_ENDED = "suspension ended"  # by itself
BY_HAND = frozenset({SYNC, RESUMED})  # causes of runs that wait for nothing
CHANGE_SEEN, DEPENDENCY, HEALTH = "change seen", "dependency healthy", "health not readable from here"
RETRY, INTERVAL = "retry", "interval"


class Urgency(Enum):
    """How urgent a run is: the smaller, the sooner its cluster has a turn."""

    BY_HAND = 0
    REVERT = 1
    COMMIT = 2
    DEPENDENCY = 3
    RETRY = 4
    INTERVAL = 5


# By cause; any other is a commit's: a source moved, the inventory changed, the agent started or leads.
_URGENCY = {
    SYNC: Urgency.BY_HAND,
    RESUMED: Urgency.BY_HAND,
    CHANGE_SEEN: Urgency.REVERT,
    DEPENDENCY: Urgency.DEPENDENCY,
    HEALTH: Urgency.RETRY,
    RETRY: Urgency.RETRY,
    INTERVAL: Urgency.INTERVAL,
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How often runs of a cluster are made: seconds, and by how many percent each wait may differ."""

    interval: float
    jitter: int


def wait_after(pace: Pace, failed: int, chance: float) -> float:
    """Return the seconds until the next run, after `failed` runs in a row that failed; `chance` is drawn from [0, 1).

    A failure is tried again soon and then ever later, at last at the interval.
    """
    base = min(pace.interval, FIRST_RETRY * 2 ** min(failed - 1, 30)) if failed else pace.interval
    return base * (1 + pace.jitter / 100 * (2 * chance - 1))


def doubled_pause(first: float, longest: float, failures: int, chance: float) -> float:
    """Return the seconds to wait after `failures` in a row: `first`, doubled with each one more, up to `longest`.

    `chance` is drawn from [0, 1); what many wait differs by up to a fifth.
    """
    return min(longest, first * 2.0 ** min(max(failures - 1, 0), 30)) * (0.8 + 0.4 * chance)


def backoff_after(stopped: int, chance: float) -> float:
    """Return the seconds until a cluster gets requests again, after `stopped` runs in a row that were stopped.

    `chance` is drawn from [0, 1); what the agents of many clusters wait differs by up to a fifth.
    """
    return doubled_pause(FIRST_BACKOFF, LONGEST_BACKOFF, stopped, chance)


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why a run is due, and of which apps; None: all of them."""

    cause: str
    apps: frozenset[str] | None = None

    @property
    def is_by_hand(self) -> bool:
        """Whether an operator asked for it."""
        return not BY_HAND.isdisjoint(self.cause.split(", "))

    @property
    def is_sync(self) -> bool:
        """Whether the run is to bring the apps to what Git says, and not only to undo what somebody changed."""
        return not {CHANGE_SEEN, HEALTH}.issuperset(self.cause.split(", "))

    @property
    def has_hook(self) -> bool:
        """Whether the hook `before_sync` runs before it: dependents continue a sync that had it."""
        return not {CHANGE_SEEN, HEALTH, DEPENDENCY}.issuperset(self.cause.split(", "))

    @property
    def urgency(self) -> Urgency:
        """How urgent the run is, by the most urgent of its causes."""
        causes = self.cause.split(", ")
        return min((_URGENCY.get(cause, Urgency.COMMIT) for cause in causes), key=lambda each: each.value)


def merge_triggers(first: Trigger | None, second: Trigger) -> Trigger:
    """Return the trigger of one run for both: nothing is lost while another run is under way."""
    if first is None:
        return second
    causes = first.cause if second.cause in first.cause.split(", ") else f"{first.cause}, {second.cause}"
    apps = None if first.apps is None or second.apps is None else first.apps | second.apps
    return Trigger(causes, apps)
