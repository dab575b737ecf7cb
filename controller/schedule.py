# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the next run of a cluster is due, and why. Values and arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_RETRY = 10.0  # seconds after a first failure; it doubles up to the interval


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a cluster is brought to what Git says: seconds, and by how many percent each wait may differ."""

    interval: float
    jitter: int


def wait_after(pace: Pace, failed: int, chance: float) -> float:
    """Seconds until the next run, after `failed` runs in a row that failed; `chance` is drawn from [0, 1).

    A failure is tried again soon and then ever later, at last at the interval.
    """
    base = min(pace.interval, FIRST_RETRY * 2 ** min(failed - 1, 30)) if failed else pace.interval
    return base * (1 + pace.jitter / 100 * (2 * chance - 1))


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why a run is due, and of which apps; None: all of them."""

    cause: str
    apps: frozenset[str] | None = None


def together(one: Trigger | None, other: Trigger) -> Trigger:
    """One run for both: nothing is lost while another run is under way."""
    if one is None:
        return other
    causes = one.cause if other.cause in one.cause.split(", ") else f"{one.cause}, {other.cause}"
    apps = None if one.apps is None or other.apps is None else one.apps | other.apps
    return Trigger(causes, apps)
