# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status for people: a line for each cluster, then what is not in sync, once for each cause.

Twelve clusters of 200 apps fit a screen: what is in sync is a number, and causes are cut to what the screen takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core.causes import Problem, ProblemCause, group_by_cause
from ..core.suspensions import suspension_text
from .ages import age_between, seconds_text
from .screen import Cell, Screen, Tone
from .selection import IN_SYNC, STATE_NAMES

_FEW_APPS = 10  # that are shown one by one even if nobody asked for them
_MOST_CAUSES = 20  # where there is no screen to fill
_LEAST_CAUSES = 3
_NAMES = 3  # clusters or apps of a cause that are named

_TONES = {
    **dict.fromkeys(("failed", "refused", "unhealthy"), Tone.BAD),
    **dict.fromkeys(("conflicting", "drifted", "unverified"), Tone.WARN),
    **dict.fromkeys(("waiting for dependency", "in progress", "suspended", "pending"), Tone.STILL),
    IN_SYNC: Tone.GOOD,
}
_WHY = {"pending": "no run yet", "suspended": "suspend: true in the inventory or in Git"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """How the status is shown: where, with all apps, and with nothing cut."""

    screen: Screen = field(default_factory=Screen)
    all_apps: bool = False
    wide: bool = False


def status_lines(status: Mapping[str, Any], view: StatusView) -> list[str]:
    """Return the lines of a status (selection.select). Text from outside is printable and cut."""
    screen = Screen(colour=view.screen.colour) if view.wide else view.screen
    clusters = status["clusters"]
    lines = [screen.line(text, Tone.BAD) for text in _of_agent(status)]
    if not clusters:
        return [*lines, "Nothing matches."]
    lines += screen.table([_CLUSTER_HEAD, *(_cluster_row(each, status["time"]) for each in clusters)])
    app_count = sum(len(cluster["app_states"]) for cluster in clusters)
    if app_count and (view.all_apps or view.wide or app_count <= _FEW_APPS):
        apps = screen.table([_APP_HEAD, *_app_rows(clusters, status["time"])])
        return [*lines, "", *apps, *_of_clusters(clusters, screen)]
    causes = sorted(group_by_cause(problems_of(clusters)), key=lambda cause: STATE_NAMES.index(cause.state))
    return [*lines, *_cause_lines(causes, screen, len(lines))]


def problems_of(clusters: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    """Yield each problem, with one for each app that is not in sync and has none of its own."""
    for cluster in clusters:
        suspensions = {each["app"]: each for each in cluster["suspensions"]}
        with_problems = {each["app"] for each in cluster["problems"]}
        for each in cluster["problems"]:
            yield Problem(cluster=cluster["name"], **each)
        for name, app in cluster["app_states"].items():
            if app["state"] != IN_SYNC and name not in with_problems and not cluster["suspended"]:
                why = suspension_text(suspensions[name]) if name in suspensions else _why(app)
                yield Problem(cluster=cluster["name"], app=name, state=app["state"], reason=why)


def _why(app: Mapping[str, Any]) -> str:
    return f"waits for {app['waits_for']}" if app["waits_for"] else _WHY.get(app["state"], "")


def _of_agent(status: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each loop of the agent that failed lately, and for each source that does not answer."""
    for source in status.get("sources", ()):
        if source["silent_since"]:
            yield f"x source {source['name']} does not answer since {source['silent_since']}: {source['why']}"
    for loop in status.get("loops", ()):
        yield f"x loop {loop['loop']} failed {loop['failures']} times, last {loop['at']}: {loop['why']}"


_CLUSTER_HEAD = [
    Cell(name, Tone.HEAD)
    for name in ("CLUSTER", "STATE", "APPS", "NOT IN SYNC", "LAST RUN", "NOW", "REVISION")
]
_APP_HEAD = [Cell(name, Tone.HEAD) for name in ("APP", "STATE", "SINCE", "REVISION", "OBJECTS", "WHY")]


def _cluster_row(cluster: Mapping[str, Any], now: str) -> list[Cell]:
    counts = Counter(app["state"] for app in cluster["app_states"].values())
    off = [f"{counts[state]} {state}" for state in STATE_NAMES if state != IN_SYNC and counts[state]]
    state = cluster["state"]
    return [
        Cell(cluster["name"]),
        Cell(state, _TONES[state]),
        Cell(str(len(cluster["app_states"]))),
        Cell(", ".join(off) or "-", _TONES[state] if off else Tone.PLAIN),
        Cell(_last_run(cluster["last_run"], now)),
        Cell(_doing(cluster, now)),
        Cell(_revisions(cluster["sources"])),
    ]


def _last_run(last: Mapping[str, Any], now: str) -> str:
    if not last["ended"]:
        return "never"
    result = "" if last["result"] == "succeeded" else f"{last['result']} "
    return f"{result}{age_between(last['ended'], now)} ago"


def _doing(cluster: Mapping[str, Any], now: str) -> str:
    if cluster["running_since"]:
        progress = cluster.get("progress", {}).get("text", "")
        return f"running {age_between(cluster['running_since'], now)}{f': {progress}' if progress else ''}"
    if cluster["suspended"]:
        return "suspended"
    if cluster.get("backs_off"):
        return f"backing off {seconds_text(cluster['backs_off'])}"
    return f"next in {seconds_text(cluster['next_in'])}"


def _revisions(sources: Sequence[Mapping[str, Any]]) -> str:
    shown = [f"{each['name']}@{each.get('commit', '')[:7] or 'none'}" for each in sources]
    return ", ".join(shown[:2]) + (f" and {len(shown) - 2} more" if len(shown) > 2 else "")


def _app_rows(clusters: Sequence[Mapping[str, Any]], now: str) -> Iterator[list[Cell]]:
    for cluster in clusters:
        reasons: dict[str, str] = {}
        for problem in problems_of([cluster]):
            about = f"{problem.object}: " if problem.object else ""
            reasons.setdefault(problem.app, f"{about}{problem.reason}")
        for name, app in sorted(
            cluster["app_states"].items(), key=lambda pair: (STATE_NAMES.index(pair[1]["state"]), pair[0])
        ):
            yield [
                Cell(f"{cluster['name']}/{name}"),
                Cell(app["state"], _TONES[app["state"]]),
                Cell(age_between(app["since"], now) or "-"),
                Cell(app["commit"][:7] or "-"),
                Cell(str(app["objects"])),
                Cell(reasons.get(name, "")),
            ]


def _of_clusters(clusters: Sequence[Mapping[str, Any]], screen: Screen) -> Iterator[str]:
    """Yield what is not of an app, beside the table of apps."""
    for problem in problems_of(clusters):
        if not problem.app:
            yield screen.line(f"{problem.cluster}: {problem.state}: {problem.reason}", _TONES[problem.state])


def _cause_lines(causes: Sequence[ProblemCause], screen: Screen, above: int) -> list[str]:
    if not causes:
        return []
    left = (screen.height - above - 3) // 2 if screen.height else _MOST_CAUSES
    most = max(_LEAST_CAUSES, left)
    lines = [""]
    for cause in causes[:most]:
        lines += _cause(cause, screen)
    if len(causes) > most:
        more = f"and {len(causes) - most} more causes; choose with --cluster, --app, --state, or see all with -o wide"
        lines.append(screen.line(more))
    return lines


def _cause(cause: ProblemCause, screen: Screen) -> Iterator[str]:
    origin = f" ({cause.source}@{cause.commit[:7]}{_quoted(cause.subject)})" if cause.commit else ""
    count = cause.app_count
    apps = f"{count:,} app{'s' * (count != 1)} of " if count else ""
    yield screen.line(f"{cause.state}: {apps}{_named(sorted(cause.apps))}{origin}", _TONES[cause.state])
    names = sorted({app for names in cause.apps.values() for app in names} - {""})
    yield screen.line(f"{_named(names)}: {cause.reason}" if names else cause.reason, indent=4)


def _quoted(text: str) -> str:
    return f' "{text}"' if text else ""


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES])
    return f"{shown} and {len(names) - _NAMES} more" if len(names) > _NAMES else shown
