# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Plumb aims at, and how far it got: a table to read, not a test to pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.plumb.gitops.bench.contenders import PLUMB
from ansible_collections.plumb.gitops.bench.figures import Series, median_of, over_floor, seconds
from ansible_collections.plumb.gitops.bench.fleet import KINDS, Shape
from ansible_collections.plumb.gitops.bench.results import Results, Run, Scenario

_COMMAND = Series("", PLUMB)
_WORK = Series("", PLUMB, work=True)


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on one number of one run. `unit` stands after the numbers."""

    what: str
    shape: Shape
    most: float
    unit: str
    measure: Callable[[Run], float | None]


@dataclass(frozen=True, slots=True)
class Judged:
    """A target and what was measured, None where it was not."""

    target: Target
    measured: float | None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where nothing was measured."""
        return None if self.measured is None else self.measured <= self.target.most


def judge(results: Results) -> list[Judged]:
    """Return each target against the last run of its shape."""
    judged = []
    for target in TARGETS:
        run = results.run_of(target.shape.objects, target.shape.apps)
        judged.append(Judged(target, target.measure(run) if run is not None else None))
    return judged


def _floors(series: Series, scenario: Scenario) -> Callable[[Run], float | None]:
    return lambda run: over_floor(run, series, scenario)


def _seconds(scenario: Scenario) -> Callable[[Run], float | None]:
    return lambda run: seconds(run, _COMMAND, scenario)


def _requests(run: Run) -> float | None:
    samples = run.of(PLUMB, Scenario.AGAIN)
    return median_of(samples, lambda s: s.traffic.requests) if samples else None


def _writes(run: Run) -> float | None:
    idle = [
        sample
        for scenario in (Scenario.AGAIN, Scenario.COLD, Scenario.CHECK)
        for sample in run.of(PLUMB, scenario)
    ]
    return max((sample.traffic.writes for sample in idle), default=None)


def _memory(*scenarios: Scenario) -> Callable[[Run], float | None]:
    """In MB (10^6 bytes), the most of all rounds."""

    def measure(run: Run) -> float | None:
        samples = [sample for scenario in scenarios or Scenario for sample in run.of(PLUMB, scenario)]
        return max((sample.peak_mib * 1.048576 for sample in samples), default=None)

    return measure


_AT_1000, _AT_5000, _AT_10000, _APPS = Shape(1000), Shape(5000), Shape(10000), Shape(5000, 500)

TARGETS: tuple[Target, ...] = (
    Target("first apply, the work itself", _AT_1000, 1.15, "x floor", _floors(_WORK, Scenario.FIRST)),
    Target("first apply, the whole command", _AT_1000, 1.7, "x floor", _floors(_COMMAND, Scenario.FIRST)),
    Target("first apply, the whole command", _AT_5000, 1.25, "x floor", _floors(_COMMAND, Scenario.FIRST)),
    Target("nothing to do", _AT_1000, 2.0, "s", _seconds(Scenario.AGAIN)),
    Target("nothing to do, no cache", _AT_1000, 2.5, "s", _seconds(Scenario.COLD)),
    Target("check, nothing to do", _AT_1000, 2.0, "s", _seconds(Scenario.CHECK)),
    # One app in one namespace: its kinds, the parent's kind among them, and one page of 500 for each up to here.
    Target("nothing to do, requests", _AT_1000, len(KINDS) + 5, "", _requests),
    Target("nothing to do, writes", _AT_1000, 0, "", _writes),
    Target("largest process, any scenario", _AT_1000, 150, "MB", _memory()),
    Target("nothing to do", _AT_10000, 5.0, "s", _seconds(Scenario.AGAIN)),
    Target("largest process, nothing to do", _AT_10000, 400, "MB", _memory(Scenario.AGAIN, Scenario.COLD)),
    Target("one object changed", _APPS, 4.0, "s", _seconds(Scenario.CHANGED)),
)
