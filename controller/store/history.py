# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of a cluster's runs for people: each app's findings, and the moments at which something happened.

Runs that found nothing leave no moment, so that drift of last week is not pushed out by an idle night. Kept on disk.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.report.document import unhealthy_text
from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import Trust
from ansible_collections.plumb.gitops.plugins.module_utils.state.record_store import RecordStore

from ..runner.report_digest import FINDING_KINDS
from .health_waits import HEALTHY, HealthWait
from .reverts import Slots, add_reverts

MOST_MOMENTS = 200  # of a cluster
_PASSING = frozenset({"reverted"})  # over with the run; all else remains until a run no longer finds it
_WITHOUT_MOMENT = frozenset({"skipped"})  # follows from something that has a moment
_RENAMED = {"unproven": "unverified"}  # what older versions wrote as a finding's kind


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The history of one cluster. Times are seconds since the epoch.

    `apps`: by name, the findings of its last run (report_digest.findings_of), each with `since`.
    `moments`, the newest first: a finding with its `app`, `commits` and `time`; one that remains is one moment,
    with `since` and how many `times` it was found. Or `what` is `applied` (a commit's changes) or `ended` (a run
    without a report). `reverts`: by app, how many objects were reverted and when (reverts.py).
    """

    apps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: tuple[Mapping[str, Any], ...] = ()
    unclaimed: tuple[str, ...] = ()
    moments: tuple[Mapping[str, Any], ...] = ()
    reverts: Mapping[str, Slots] = field(default_factory=dict)


def read_history(folder: Path, cluster: str) -> History:
    """Read the history of a cluster; an empty one where there is none."""
    return _STORE.load(folder / cluster) or History()


def _decode(content: Mapping[str, Any]) -> History:
    return History(
        apps={
            name: {**app, "findings": [_with_current_kind(finding) for finding in app["findings"]]}
            for name, app in content["apps"].items()
        },
        sources=tuple(content["sources"]),
        unclaimed=tuple(content["unclaimed"]),
        moments=tuple(map(_with_current_kind, content["moments"])),
        reverts={  # 0.1.0 has none, and ignores them
            app: tuple((int(since), int(number)) for since, number in slots)
            for app, slots in content.get("reverts", {}).items()
        },
    )


def _with_current_kind(finding: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**finding, "what": _RENAMED.get(finding["what"], finding["what"])}


_STORE = RecordStore[History](
    kind="plumb.gitops/history", version=1, encode=dataclasses.asdict, decode=_decode, trust=Trust.STATE
)


def write_history(folder: Path, cluster: str, history: History) -> None:
    """Write the history of a cluster. Raises OSError."""
    _STORE.save(folder / cluster, history)


def after_run(before: History, findings: Mapping[str, Any], now: float, *, whole: bool) -> History:
    """Return the history after a run that ended `now`; one that was not `whole` leaves other apps as they were."""
    moments = list(before.moments)
    commits = {source["name"]: source["commit"] for source in findings["sources"] if "commit" in source}
    apps: dict[str, Mapping[str, Any]] = {} if whole else dict(before.apps)
    for app in findings["apps"]:
        known = before.apps.get(app["name"], {})
        apps[app["name"]] = _with_times(app, known, moments, commits, now)
    moments += _applied(findings, commits, now)
    moments.sort(key=_order)
    return replace(
        before,
        apps=apps,
        sources=tuple(findings["sources"] if whole else merge_by_name(before.sources, findings["sources"])),
        unclaimed=tuple(findings["unclaimed"]),
        moments=tuple(moments[:MOST_MOMENTS]),
        reverts=add_reverts(
            before.reverts, {app["name"]: app.get("reverted", 0) for app in findings["apps"]}, now
        ),
    )


def after_health(before: History, wait: HealthWait, now: float) -> History:
    """Return the history after a wait for health ended: a moment for each object that is not healthy."""
    if wait.result == HEALTHY:
        return before
    moments = list(before.moments)
    for unhealthy in wait.unhealthy:
        error = unhealthy_text(unhealthy).partition(" is not healthy: ")[2]
        moment = {
            "what": "unhealthy",
            "app": wait.app,
            "object": unhealthy["object"],
            "error": error,
            "changes": [],
        }
        _add_moment(moments, moment, {}, now, goes_on=False)
    return replace(before, moments=tuple(moments[:MOST_MOMENTS]))


def merge_by_name(
    before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the items of `before`, with those of `after` instead of them or behind them."""
    new = {item["name"]: item for item in after}
    merged = [new.pop(item["name"], item) for item in before]
    return [*merged, *new.values()]


def after_run_without_report(before: History, result: str, failures: Sequence[str], now: float) -> History:
    """Return the history after a run that wrote no report."""
    moment = {"what": "ended", "result": result, "error": "; ".join(failures[:3]), "app": "", "object": "run"}
    moments = list(before.moments)
    goes_on = bool(moments) and _about(moments[0]) == _about(moment)
    _add_moment(moments, moment, {}, now, goes_on=goes_on)
    return replace(before, moments=tuple(moments[:MOST_MOMENTS]))


def _with_times(
    app: Mapping[str, Any],
    before: Mapping[str, Any],
    moments: list[Mapping[str, Any]],
    commits: Mapping[str, str],
    now: float,
) -> Mapping[str, Any]:
    earlier = {finding["object"] for finding in before.get("findings", ())}
    findings = []
    for finding in app["findings"]:
        since = now
        if finding["what"] not in _WITHOUT_MOMENT:
            goes_on = finding["what"] not in _PASSING and finding["object"] in earlier
            since = _add_moment(moments, {**finding, "app": app["name"]}, commits, now, goes_on=goes_on)
        findings.append({**finding, "since": since})
    return {**app, "findings": findings}


def _add_moment(
    moments: list[Mapping[str, Any]],
    finding: Mapping[str, Any],
    commits: Mapping[str, str],
    now: float,
    *,
    goes_on: bool,
) -> float:
    """Put a moment in front; one that goes on as it was replaces the last one. Return since when it goes on."""
    moment = {**finding, "time": now, "since": now, "times": 1, "commits": dict(commits)}
    last = next((at for at, each in enumerate(moments) if _about(each) == _about(finding)), None)
    if goes_on and last is not None and finding.items() <= moments[last].items():
        known = moments.pop(last)
        moment |= {"since": known["since"], "times": known["times"] + 1}
    moments.insert(0, moment)
    return float(moment["since"])


def _order(moment: Mapping[str, Any]) -> tuple[float, int]:
    """Return the sort key: what began last first, and of one run what matters most."""
    what = moment["what"]
    return -moment["since"], FINDING_KINDS.index(what) if what in FINDING_KINDS else len(FINDING_KINDS)


def _about(moment: Mapping[str, Any]) -> tuple[str, str]:
    return moment["app"], moment["object"]


def _applied(findings: Mapping[str, Any], commits: Mapping[str, str], now: float) -> list[dict[str, Any]]:
    written = {app["name"]: app["written"] for app in findings["apps"] if app["written"]}
    if not written:
        return []
    subjects = {source["name"]: source.get("subject", "") for source in findings["sources"]}
    moment = {"what": "applied", "written": written, "commits": commits, "subjects": subjects}
    return [{**moment, "app": "", "object": "applied", "time": now, "since": now, "times": 1}]
