# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: measure, save the numbers, print the results; with --publish, write RESULTS.md and its plot."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.plumb.gitops.bench import agent, trouble
from ansible_collections.plumb.gitops.bench.contenders import KUBECTL, MODULE
from ansible_collections.plumb.gitops.bench.environment import commit, machine
from ansible_collections.plumb.gitops.bench.figures import SERIES, points
from ansible_collections.plumb.gitops.bench.fleet import Shape
from ansible_collections.plumb.gitops.bench.plot import plot
from ansible_collections.plumb.gitops.bench.process import CommandFailed
from ansible_collections.plumb.gitops.bench.results import Results, Scenario, load, save
from ansible_collections.plumb.gitops.bench.results_page import PLOT, page
from ansible_collections.plumb.gitops.bench.rounds import measure

_PUBLISHED = Path(__file__).resolve().parent
_UNPUBLISHED = _PUBLISHED.parent / "reports" / "bench"  # git ignores it
_OF_AN_APP = 10  # objects
_LARGE = 5000  # objects from which on there is one round: it takes minutes
_PLOTTED = (Scenario.FIRST, Scenario.AGAIN, Scenario.CHECK)


def main(arguments: Sequence[str]) -> int:
    """Measure, and save the numbers of each shape at once. Return the exit code: 1 where a contender failed."""
    options = _parser().parse_args(arguments)
    folder = _PUBLISHED if options.publish else options.out
    results = load(folder / "results.json", machine())
    shapes = [Shape(size) for size in options.sizes]
    shapes += [Shape(options.apps * _OF_AN_APP, options.apps)] if options.apps else []
    try:
        for shape in shapes:
            rounds = options.rounds or (1 if shape.objects >= _LARGE else 3)
            results = results.with_run(measure(shape, rounds, options.skip, options.once))
            save(results, folder / "results.json")
        measures = [
            *(agent.MEASURES if options.agent else ()),
            *(trouble.MEASURES if options.trouble else ()),
        ]
        for measure_agent in measures:
            day = datetime.now(UTC).strftime("%Y-%m-%d")
            results = results.with_agent(day, commit(), measure_agent())
            save(results, folder / "results.json")
    except CommandFailed as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    if options.publish:
        _publish(results)
    sys.stdout.write(page(results))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1000], help="objects, each in one app")
    parser.add_argument("--apps", type=int, default=0, help=f"apps of {_OF_AN_APP} objects each; 0: none")
    parser.add_argument(
        "--rounds", type=int, default=0, help=f"of each; 0: 3, and 1 from {_LARGE} objects on"
    )
    parser.add_argument("--skip", nargs="*", default=[], choices=(KUBECTL, MODULE), help="leave these out")
    parser.add_argument(
        "--once", nargs="*", default=[], choices=(KUBECTL, MODULE), help="have these in the first round only"
    )
    parser.add_argument("--agent", action="store_true", help="measure the running agent, too")
    parser.add_argument("--trouble", action="store_true", help="measure the agent beside trouble, too")
    parser.add_argument("--out", type=Path, default=_UNPUBLISHED, help="the folder of results.json")
    parser.add_argument(
        "--publish", action="store_true", help=f"write results.json, RESULTS.md and {PLOT} that are committed"
    )
    return parser


def _publish(results: Results) -> None:
    if not results.runs:
        return
    (_PUBLISHED / "RESULTS.md").write_text(page(results), encoding="utf-8")
    lines = {
        scenario.value: {series.title: points(results, series, scenario) for series in SERIES}
        for scenario in _PLOTTED
    }
    (_PUBLISHED / PLOT).write_text(plot(lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
