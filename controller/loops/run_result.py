# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run came to, for the cluster's record, its history and the log. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.run_protocol import RunOutcome
from ..core.schedule import Trigger
from ..runner.run_pool import DEADLINE, DIED
from ..store.history import History, after_run, after_run_without_report, merge_by_name
from ..store.run_state import RunState


def result_of(outcome: RunOutcome) -> str:
    """Return succeeded, failed, deadline or died."""
    if outcome.code in {DEADLINE, DIED}:
        return {DEADLINE: "deadline", DIED: "died"}[outcome.code]
    failed = outcome.code != 0 or not outcome.summary or outcome.summary["failed"]
    return "failed" if failed else "succeeded"


def record_after(
    before: RunState, outcome: RunOutcome, trigger: Trigger, report: Path | None, now: float
) -> RunState:
    """Return the record of a cluster after a run that ended `now`."""
    result = result_of(outcome)
    succeeded = result == "succeeded"
    whole = trigger.apps is None and not outcome.summary.get("stopped")
    after = replace(
        before,
        ended=now,
        last_success=now if succeeded and whole else before.last_success,
        failed=0 if succeeded and whole else before.failed + (not succeeded),
        result=result,
        cause=trigger.cause,
        failures=_failures(outcome),
    )
    if not outcome.summary:
        return after
    commits = {
        source["name"]: source["commit"] for source in outcome.summary["sources"] if "commit" in source
    }
    return replace(
        after,
        report=str(report),
        summary=_merge_summary(before.summary, outcome.summary, whole=whole),
        commits={**before.commits, **commits},
    )


def history_after(before: History, outcome: RunOutcome, record: RunState, *, whole: bool) -> History:
    """Return the history after the run of this record; one that was not `whole` leaves other apps as they were."""
    if outcome.digest is None:
        return after_run_without_report(before, record.result, record.failures, record.ended)
    return after_run(before, outcome.digest.findings, record.ended, whole=whole)


def _merge_summary(
    before: Mapping[str, Any], summary: Mapping[str, Any], *, whole: bool
) -> Mapping[str, Any]:
    """Return the summary; after a run of some apps the others are as they were, and so are other sources."""
    if whole or not before:
        return summary
    return {**summary, **{part: merge_by_name(before[part], summary[part]) for part in ("sources", "apps")}}


def _failures(outcome: RunOutcome) -> tuple[str, ...]:
    failures = outcome.summary.get("failures") or outcome.failures
    return tuple(failures) or (
        () if outcome.code == 0 else (f"ansible-playbook ended with code {outcome.code}",)
    )


def log_values(name: str, outcome: RunOutcome, trigger: Trigger, seconds: float) -> dict[str, Any]:
    """Return the values of a run's line in the log."""
    values: dict[str, Any] = {"cluster": name}
    if summary := outcome.summary:
        revisions = [f"{source['name']}@{source.get('commit', 'none')[:7]}" for source in summary["sources"]]
        values["revision"] = ",".join(revisions) or "none"
        counts = summary["counts"]
        values["changed"] = sum(counts[verb] for verb in ("create", "update", "adopt", "recreate", "prune"))
        values |= {"drifted": counts["drifted"], "failed": counts["failed"]}
        values |= {word: counts[word] for word in ("refused", "skipped") if counts.get(word)}
    values |= {"seconds": round(seconds, 1), "cause": trigger.cause}
    if trigger.apps is not None:
        values["apps"] = ",".join(sorted(trigger.apps))
    if failures := _failures(outcome):
        more = outcome.summary.get("more_failures", 0) + len(failures) - 3
        values["why"] = "; ".join(failures[:3]) + (f"; and {more} more" if more > 0 else "")
    return values
