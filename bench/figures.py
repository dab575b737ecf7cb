# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers from samples: medians, ratios, growth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from ansible_collections.plumb.gitops.bench.contenders import FLOOR, KUBECTL, MODULE, PLUMB
from ansible_collections.plumb.gitops.bench.results import Results, Run, Sample, Scenario


@dataclass(frozen=True, slots=True)
class Series:
    """What a line of a table or of the plot shows: one contender, whole commands or the work in it."""

    title: str
    contender: str
    work: bool = False

    def seconds(self, sample: Sample) -> float:
        """Return a sample's seconds: of the command, or of the work in it."""
        if not self.work:
            return sample.seconds
        assert sample.work is not None
        return sample.work


FLOOR_SERIES = Series("floor", FLOOR, work=True)
KUBECTL_SERIES = Series("kubectl", KUBECTL)
SERIES: tuple[Series, ...] = (
    FLOOR_SERIES,
    Series("Plumb, the work itself", PLUMB, work=True),
    Series("Plumb, the whole command", PLUMB),
    KUBECTL_SERIES,
    Series("kubernetes.core k8s", MODULE),
)

# The floor of reading is the same for all of these; of a change it is one request more.
_FLOOR_OF = {
    Scenario.FIRST: Scenario.FIRST,
    Scenario.AGAIN: Scenario.AGAIN,
    Scenario.COLD: Scenario.AGAIN,
    Scenario.CHECK: Scenario.AGAIN,
    Scenario.CHANGED: Scenario.AGAIN,
}
_KUBECTL_OF = {scenario: scenario for scenario in Scenario} | {Scenario.COLD: Scenario.AGAIN}


def seconds(run: Run, series: Series, scenario: Scenario) -> float | None:
    """Return the median of the rounds, None where that was not measured."""
    samples = run.of(series.contender, scenario)
    return median(map(series.seconds, samples)) if samples else None


def median_of(samples: Sequence[Sample], value: Callable[[Sample], float]) -> float:
    """Return the median of a value of samples."""
    return median(map(value, samples))


def over_floor(run: Run, series: Series, scenario: Scenario) -> float | None:
    """Return the median as a multiple of the floor's."""
    return _ratio(seconds(run, series, scenario), seconds(run, FLOOR_SERIES, _FLOOR_OF[scenario]))


def over_kubectl(run: Run, series: Series, scenario: Scenario) -> float | None:
    """Return the median as a multiple of kubectl's for the scenario that comes to the same."""
    return _ratio(seconds(run, series, scenario), seconds(run, KUBECTL_SERIES, _KUBECTL_OF[scenario]))


def _ratio(value: float | None, other: float | None) -> float | None:
    return value / other if value is not None and other else None


@dataclass(frozen=True, slots=True)
class Growth:
    """A straight line through the sizes: seconds that are there anyway, and milliseconds for each object more."""

    fixed_seconds: float
    milliseconds: float


def points(results: Results, series: Series, scenario: Scenario) -> list[tuple[int, float]]:
    """Return objects and seconds of the runs with one app, by size."""
    points = [
        (run.shape.objects, seconds(run, series, scenario)) for run in results.runs if run.shape.apps == 1
    ]
    return sorted((objects, value) for objects, value in points if value is not None)


def growth(measured: Sequence[tuple[int, float]]) -> Growth | None:
    """Least squares; None for fewer than two sizes."""
    if len({size for size, _value in measured}) < 2:
        return None
    count = len(measured)
    size = sum(s for s, _v in measured) / count
    value = sum(v for _s, v in measured) / count
    slope = sum((s - size) * (v - value) for s, v in measured) / sum((s - size) ** 2 for s, _v in measured)
    return Growth(value - slope * size, slope * 1000)


def per_app(results: Results, series: Series, scenario: Scenario) -> float | None:
    """Milliseconds that each app more costs, the number of objects being the same. None where not measured."""
    for run in results.runs:
        alone = results.run_of(run.shape.objects) if run.shape.apps > 1 else None
        if alone is None:
            continue
        many, single = seconds(run, series, scenario), seconds(alone, series, scenario)
        if many is not None and single is not None:
            return (many - single) * 1000 / (run.shape.apps - 1)
    return None
