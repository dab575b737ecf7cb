# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured, as values and as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.bench.fleet import Shape
from ansible_collections.plumb.gitops.bench.traffic import Traffic


class Scenario(Enum):
    """In the order in which they are played on one fleet."""

    FIRST = "first apply"
    AGAIN = "nothing to do"
    COLD = "nothing to do, no cache"
    CHECK = "check, nothing to do"
    CHANGED = "one object changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run of one contender. `work` leaves out what starts the program: it is None where that is not known."""

    seconds: float
    work: float | None = None
    cpu_seconds: float
    peak_mib: float
    others: float = 0.0  # the share of the machine, from 0 to 1, that went to other work meanwhile
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class Measure:
    """One number about the running agent. `most` is what is aimed at, None where nothing is."""

    fleet: str
    what: str
    unit: str
    value: float
    most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """All numbers about the running agent; `day` and `commit` are those of the last of them."""

    day: str
    commit: str
    measures: tuple[Measure, ...]

    def with_measures(self, measures: Sequence[Measure]) -> tuple[Measure, ...]:
        """With these in place of earlier ones about the same."""
        new = {(measure.fleet, measure.what) for measure in measures}
        return (
            *(measure for measure in self.measures if (measure.fleet, measure.what) not in new),
            *measures,
        )


Samples = Mapping[str, Mapping[Scenario, tuple[Sample, ...]]]  # by contender


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All samples of one shape, taken side by side."""

    shape: Shape
    day: str
    commit: str
    versions: Mapping[str, str]
    samples: Samples

    def of(self, contender: str, scenario: Scenario) -> tuple[Sample, ...]:
        """Return the samples of a contender in a scenario."""
        return self.samples.get(contender, {}).get(scenario, ())

    @property
    def others(self) -> float:
        """The share of the machine that other work had, over all samples."""
        taken = [sample for each in self.samples.values() for samples in each.values() for sample in samples]
        whole = sum(sample.seconds for sample in taken)
        return sum(sample.others * sample.seconds for sample in taken) / whole if whole else 0.0

    @property
    def rounds(self) -> int:
        """The largest number of rounds."""
        return max((len(taken) for each in self.samples.values() for taken in each.values()), default=0)


@dataclass(frozen=True, slots=True)
class Results:
    """The last run of each shape, all on one machine."""

    machine: Mapping[str, str]
    runs: tuple[Run, ...] = field(default=())
    agents: Agents | None = None

    def with_run(self, run: Run) -> Results:
        """With this run in place of an earlier one of the same shape."""
        others = [other for other in self.runs if other.shape != run.shape]
        ordered = sorted([*others, run], key=lambda r: (r.shape.apps, r.shape.objects))
        return replace(self, runs=tuple(ordered))

    def with_agent(self, day: str, commit: str, measures: Sequence[Measure]) -> Results:
        """With these numbers about the running agent in place of earlier ones about the same."""
        before = self.agents or Agents(day=day, commit=commit, measures=())
        return replace(self, agents=Agents(day=day, commit=commit, measures=before.with_measures(measures)))

    def run_of(self, objects: int, apps: int = 1) -> Run | None:
        """Return the run of a shape; None where it was not measured."""
        return next((run for run in self.runs if run.shape == Shape(objects, apps)), None)


def load(path: Path, machine: Mapping[str, str]) -> Results:
    """Load the results of a file if they were measured on such a machine, else empty ones: machines do not mix."""
    if not path.exists():
        return Results(machine)
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["machine"] != machine:
        return Results(machine)
    agents = document.get("agents")
    if agents is not None:
        agents = Agents(**{**agents, "measures": tuple(Measure(**measure) for measure in agents["measures"])})
    return Results(machine, tuple(map(_run, document["runs"])), agents)


def save(results: Results, path: Path) -> None:
    """Write the results as JSON."""
    document = {"machine": dict(results.machine), "runs": [_dump_run(run) for run in results.runs]}
    if results.agents is not None:
        document["agents"] = asdict(results.agents)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _dump_run(run: Run) -> dict[str, Any]:
    return {
        "shape": asdict(run.shape),
        "day": run.day,
        "commit": run.commit,
        "versions": dict(run.versions),
        "samples": {
            who: {scenario.name: [asdict(sample) for sample in taken] for scenario, taken in each.items()}
            for who, each in run.samples.items()
        },
    }


def _run(document: Mapping[str, Any]) -> Run:
    return Run(
        shape=Shape(**document["shape"]),
        day=document["day"],
        commit=document["commit"],
        versions=document["versions"],
        samples={
            who: {Scenario[name]: tuple(map(_sample, taken)) for name, taken in each.items()}
            for who, each in document["samples"].items()
        },
    )


def _sample(document: Mapping[str, Any]) -> Sample:
    return Sample(**{**document, "traffic": Traffic(**document["traffic"])})
