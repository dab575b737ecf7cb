# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers that the benchmark makes of its samples, its page and its plot."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.bench.contenders import FLOOR, KUBECTL, PLUMB
from ansible_collections.plumb.gitops.bench.figures import (
    Series,
    growth,
    over_floor,
    over_kubectl,
    per_app,
    points,
    seconds,
)
from ansible_collections.plumb.gitops.bench.fleet import Shape
from ansible_collections.plumb.gitops.bench.plot import plot
from ansible_collections.plumb.gitops.bench.results import Results, Run, Sample, Scenario, load, save
from ansible_collections.plumb.gitops.bench.results_page import page
from ansible_collections.plumb.gitops.bench.targets import judge
from ansible_collections.plumb.gitops.bench.traffic import Traffic

_COMMAND = Series("whole", PLUMB)
_WORK = Series("work", PLUMB, work=True)
_MACHINE = {"cores": "2"}


def _samples(*taken: float, work: float = 0.0, writes: int = 0) -> tuple[Sample, ...]:
    return tuple(
        Sample(seconds=each, work=each - work, cpu_seconds=1.0, peak_mib=80.0, traffic=Traffic(13, 0, writes))
        for each in taken
    )


def _run(shape: Shape, plumb: float, day: str = "2026-01-01") -> Run:
    first, again = Scenario.FIRST, Scenario.AGAIN
    return Run(
        shape=shape,
        day=day,
        commit="0123456789",
        versions={"kubectl": "v1"},
        samples={
            FLOOR: {first: _samples(2.0, 4.0, 3.0), again: _samples(0.5)},
            PLUMB: {
                first: _samples(plumb, work=1.0, writes=9),
                again: _samples(1.5, work=1.0),
                Scenario.COLD: _samples(2.0, work=1.0),
            },
            KUBECTL: {first: _samples(12.0), again: _samples(4.0)},
        },
    )


def test_seconds_are_the_median_of_the_rounds():
    assert seconds(_run(Shape(1000), 6.0), Series("", FLOOR), Scenario.FIRST) == 3.0


def test_ratios_are_over_what_comes_to_the_same():
    run = _run(Shape(1000), 6.0)
    assert over_floor(run, _COMMAND, Scenario.FIRST) == 2.0
    assert over_floor(run, _WORK, Scenario.COLD) == 2.0  # the floor's look
    assert over_kubectl(run, _COMMAND, Scenario.FIRST) == 0.5
    assert over_kubectl(run, _COMMAND, Scenario.COLD) == 0.5  # kubectl knows no cache: its apply again
    assert over_floor(run, _COMMAND, Scenario.CHECK) is None


def test_growth_is_the_straight_line_through_the_sizes():
    line = growth([(100, 1.1), (1000, 2.0), (5000, 6.0)])
    assert line is not None
    assert line.fixed_seconds == pytest.approx(1.0)
    assert line.milliseconds == pytest.approx(1.0)
    assert growth([(100, 1.0)]) is None


def test_an_app_costs_what_many_cost_more_than_one():
    results = Results(_MACHINE, (_run(Shape(5000), 10.0), _run(Shape(5000, 501), 15.0)))
    assert per_app(results, _COMMAND, Scenario.FIRST) == pytest.approx(10.0)
    assert per_app(Results(_MACHINE, (_run(Shape(50, 5), 1.0),)), _COMMAND, Scenario.FIRST) is None


def test_points_are_of_runs_with_one_app():
    results = Results(_MACHINE, (_run(Shape(1000), 6.0), _run(Shape(100), 2.0), _run(Shape(50, 5), 9.0)))
    assert points(results, _COMMAND, Scenario.FIRST) == [(100, 2.0), (1000, 6.0)]


def test_a_target_is_met_missed_or_not_measured():
    judged = {
        (j.target.what, j.target.shape.objects): j.met
        for j in judge(Results(_MACHINE, (_run(Shape(1000), 6.0),)))
    }
    assert judged["first apply, the whole command", 1000] is False
    assert judged["nothing to do", 1000] is True
    assert judged["nothing to do, requests", 1000] is True
    assert judged["nothing to do, writes", 1000] is True
    assert judged["nothing to do", 10000] is None


def test_results_are_kept_whole_and_replaced_by_shape(tmp_path: Path):
    kept = tmp_path / "results.json"
    results = Results(_MACHINE).with_run(_run(Shape(1000), 6.0)).with_run(_run(Shape(100), 2.0))
    save(results, kept)
    assert load(kept, _MACHINE) == results
    again = results.with_run(_run(Shape(1000), 5.0, day="2026-01-02"))
    assert [(run.shape.objects, run.day) for run in again.runs] == [(100, "2026-01-01"), (1000, "2026-01-02")]


def test_numbers_of_two_machines_do_not_mix(tmp_path: Path):
    kept = tmp_path / "results.json"
    save(Results(_MACHINE, (_run(Shape(1000), 6.0),)), kept)
    assert load(kept, {"cores": "8"}) == Results({"cores": "8"})


def test_the_page_has_a_table_for_each_run():
    said = page(Results(_MACHINE, (_run(Shape(100), 2.0), _run(Shape(1000), 6.0), _run(Shape(50, 5), 9.0))))
    assert "## 1,000 objects in one app" in said
    assert "## 50 objects in 5 apps" in said
    row = "| first apply | Plumb, the whole command | 6.00 | 2.00 | 0.50 | 13 | 0 | 9 | 80 MiB |"
    assert row in said.splitlines()


def test_the_plot_shows_each_line_of_each_panel_that_has_points():
    drawn = ET.fromstring(  # noqa: S314 - our own text
        plot({"first": {"a & b": [(100, 0.05), (1000, 2.0)], "c": [(100, 1.0)]}, "none": {"a & b": []}})
    )
    named = "{http://www.w3.org/2000/svg}"
    assert len(drawn.findall(f"{named}g")) == 1
    assert len(drawn.findall(f".//{named}polyline")) == 2
    assert len(drawn.findall(f".//{named}circle")) == 3
    assert "a & b" in [text.text for text in drawn.iter(f"{named}text")]
