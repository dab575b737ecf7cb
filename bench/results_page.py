# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RESULTS.md from the results: the same bytes for the same results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ansible_collections.plumb.gitops.bench.figures import (
    SERIES,
    Series,
    growth,
    median_of,
    over_floor,
    over_kubectl,
    per_app,
    points,
    seconds,
)
from ansible_collections.plumb.gitops.bench.results import Agents, Results, Run, Sample, Scenario
from ansible_collections.plumb.gitops.bench.targets import Judged, judge

PLOT = "growth.svg"
_GROWING = (Scenario.FIRST, Scenario.AGAIN, Scenario.CHECK)


def page(results: Results) -> str:
    """Return the whole page as Markdown."""
    lines = [
        "# Results",
        "",
        "Written by `make bench`; README.md says what is measured and how. Seconds are medians of the rounds, with the",
        "lowest and the highest in brackets. Requests are the API server's own count.",
        "",
        f"Machine: {_listed(results.machine)}.",
        "",
        *_targets(judge(results)),
        *_growth(results),
    ]
    if results.agents is not None:
        lines += _agents(results.agents)
    for run in results.runs:
        lines += _run(run)
    return "\n".join(lines).rstrip() + "\n"


def _listed(named: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(named.items()))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]


_MET = {True: "yes", False: "**no**", None: "not measured"}


def _agents(agents: Agents) -> list[str]:
    rows = [
        (
            measure.fleet,
            measure.what,
            "" if measure.most is None else f"{measure.most:g} {measure.unit}".strip(),
            f"{measure.value:.3g} {measure.unit}".strip(),
            "" if measure.most is None else _MET[measure.value <= measure.most],
        )
        for measure in agents.measures
    ]
    return [
        "## The running agent",
        "",
        f"{agents.day}, commit {agents.commit}.",
        "",
        *_table(("fleet", "what", "at most", "measured", "met"), rows),
    ]


def _targets(judged: Sequence[Judged]) -> list[str]:
    rows = [
        (
            each.target.shape.title,
            each.target.what,
            f"{each.target.most:g} {each.target.unit}".strip(),
            "" if each.measured is None else f"{each.measured:.4g} {each.target.unit}".strip(),
            _MET[each.met],
        )
        for each in judged
    ]
    return ["## Targets", "", *_table(("fleet", "what", "at most", "measured", "met"), rows)]


def _growth(results: Results) -> list[str]:
    rows = []
    for scenario in _GROWING:
        for series in SERIES:
            line = growth(points(results, series, scenario))
            if line is None:
                continue
            app = per_app(results, series, scenario)
            rows.append(
                (
                    scenario.value,
                    series.title,
                    f"{line.fixed_seconds:.2f}",
                    f"{line.milliseconds:.2f}",
                    "" if app is None else f"{app:.2f}",
                )
            )
    if not rows:
        return []
    return [
        "## Growth",
        "",
        "A straight line through the sizes: what is there anyway, and what each object more costs.",
        "An app's milliseconds are what each app more costs for as many objects.",
        "",
        *_table(("scenario", "who", "s anyway", "ms an object", "ms an app"), rows),
        f"![Seconds by number of objects]({PLOT})",
        "",
    ]


def _run(run: Run) -> list[str]:
    rounds = f"{run.rounds} round{'s' if run.rounds > 1 else ''}"
    head = (
        "scenario",
        "who",
        "seconds",
        "x floor",
        "x kubectl",
        "reads",
        "dry-runs",
        "writes",
        "largest process",
    )
    return [
        f"## {run.shape.title}",
        "",
        f"{run.day}, {rounds}, commit {run.commit}; {_listed(run.versions)}.",
        f"Other work had {run.others:.0%} of the machine meanwhile.",
        "",
        *_table(head, list(_rows(run))),
    ]


def _rows(run: Run) -> Iterator[Sequence[str]]:
    for scenario in Scenario:
        for series in SERIES:
            samples = run.of(series.contender, scenario)
            if samples:
                yield _row(run, series, scenario, samples)


def _row(run: Run, series: Series, scenario: Scenario, samples: Sequence[Sample]) -> Sequence[str]:
    def middle(value: Callable[[Sample], float]) -> str:
        return f"{median_of(samples, value):,.0f}"

    return (
        scenario.value,
        series.title,
        _spread(seconds(run, series, scenario), [series.seconds(sample) for sample in samples]),
        _times(over_floor(run, series, scenario)),
        _times(over_kubectl(run, series, scenario)),
        middle(lambda s: s.traffic.reads),
        middle(lambda s: s.traffic.dry_runs),
        middle(lambda s: s.traffic.writes),
        f"{max(sample.peak_mib for sample in samples):.0f} MiB",
    )


def _spread(middle: float | None, each: Sequence[float]) -> str:
    assert middle is not None
    return f"{middle:.2f}" + (f" ({min(each):.2f}-{max(each):.2f})" if len(each) > 1 else "")


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"
