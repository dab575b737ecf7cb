# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as lines for a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..model.app import Revision
from ..model.change import ABSENT, MASK, Cause, FieldChange
from ..model.errors import printable
from ..model.plan import Action, AppResult, Outcome, Result, Verb
from ..model.report import Report, SourceReport
from .creates import summed_creates
from .unified import DiffBudget, DiffLine, diff_lines

_MOST_ACTIONS = 200  # objects an app is shown with; the rest is in the report file
MOST_AWAITED = 5  # objects that are waited for
_MOST_DIFF = 2000  # lines of all diffs
_MOST_OBJECT_DIFF = 200  # lines of an object's diff
_MOST_DIFF_SIZE = 256 * 1024  # characters of all diffs
_MOST_FIELDS = 12  # fields an object is shown with
_WIDEST_VALUE = 60  # characters of a value
_BEFORE = 20  # characters shown before the place where two long values begin to differ

_SIGNS = {
    Verb.CREATE: "+",
    Verb.UPDATE: "~",
    Verb.ADOPT: "^",
    Verb.RECREATE: "*",
    Verb.PRUNE: "-",
    Verb.UNCHANGED: "=",
    Verb.REFUSED: "x",
}

# What a count is called: in a check, and after a run.
_WORDS = {
    Verb.UPDATE: ("to update", "updated"),
    Verb.CREATE: ("to create", "created"),
    Verb.ADOPT: ("to adopt", "adopted"),
    Verb.RECREATE: ("to recreate", "recreated"),
    Verb.PRUNE: ("to prune", "pruned"),
    Verb.REFUSED: ("refused", "refused"),
    Verb.UNCHANGED: ("unchanged", "unchanged"),
}


def lines(report: Report) -> list[str]:
    """Return the report for people, one line each, without colour. Text from outside is printable and cut.

    The diff of an object begins with `---` in the first column and ends with an empty line.
    """
    shown = list(_head(report))
    width = max((len(app.plan.app) for app in report.apps), default=0)
    if report.stopped:
        shown.append(f"  x {report.stopped}")
    budget = DiffBudget(_MOST_DIFF, _MOST_OBJECT_DIFF, _MOST_DIFF_SIZE)
    for app in report.apps:
        shown += _app(app, width, report, budget)
    shown += [f"  ? {unclaimed(apply_set)}" for apply_set in report.unclaimed]
    shown += [f"  ? {warning}" for warning in report.warnings]
    if budget.omission:
        shown.append(f"  … {budget.omission}; all of them are in the report file (plumb_report_path)")
    if report.check:
        shown.append("  Check only, nothing was written.")
    return [line if isinstance(line, DiffLine) else _one_line(line) for line in shown]


def unclaimed(apply_set: str) -> str:
    """Return a sentence about an apply set that no app claims."""
    return (
        f"{apply_set}: no app claims this apply set, so its objects stay as they are. Add the app"
        " again, name it in moved_from of its new app, or remove it with state: absent."
    )


def not_started(result: AppResult) -> str:
    """Return why an app was not started that waits for another one."""
    return f"not started: it waits for app {result.waits_for}, which is not healthy yet"


def briefly(problem: str, sources: Sequence[SourceReport]) -> str:
    """Return why an app was not planned; what a source's line has already is not repeated for each of its apps."""
    source = next(
        (candidate for candidate in sources if candidate.error and problem == candidate.error), None
    )
    return f"source {source.name} has no revision: see above" if source is not None else problem


def _one_line(text: str) -> str:
    """Return the line with a blank for each character that could end it or forge output."""
    return "".join(c if c.isprintable() else " " for c in text).rstrip()


def _head(report: Report) -> Iterator[str]:
    name = report.cluster or "cluster"
    shown = [line for source in report.sources for line in _source(source)] or ["no source"]
    yield f"{name}    {shown[0]}"
    config = report.config
    if config is not None:
        shown.append(f"config {config.source}:{config.file} {config.commit[:7] or 'none in force'}")
    for more in shown[1:]:
        yield f"{' ' * len(name)}    {more}"
    if config is not None and config.error:
        yield f"  x {config.error}"


def _source(source: SourceReport) -> Iterator[str]:
    if source.revision is not None:
        yield _revision(source.name, source.revision)
    if source.error:
        yield source.error.removeprefix("source ") if source.revision is None else f"x {source.error}"
    if source.warning:
        yield f"? {source.warning}"


def _revision(source: str, revision: Revision) -> str:
    ref = f"{revision.ref} ({revision.resolved})" if revision.resolved else revision.ref
    ref = "" if revision.ref == revision.commit else f"{ref} "
    return f'{source} {ref}{revision.short} "{_cut(revision.subject)}", {_cut(revision.author.name)}'


def _app(result: AppResult, width: int, report: Report, budget: DiffBudget) -> Iterator[str]:
    plan, check, stopped = result.plan, report.check, report.stopped
    problem = briefly(plan.error or result.error, report.sources)
    summary = "suspended: nothing in it is changed" if plan.suspended else _summary(result, check=check)
    if not plan.actions and not plan.suspended:
        summary = "not planned" if plan.error else "not started" if problem else "nothing in it"
    if result.waits_for:
        summary = not_started(result)
    yield f"  {plan.app:<{width}}   {summary}".rstrip()
    if problem and problem != stopped:
        yield f"    x {problem}"
    outcomes = {outcome.action.ref: outcome for outcome in result.outcomes}
    actions = [
        action
        for action in plan.actions
        if _worth_telling(action, outcomes.get(action.ref))
        and not (stopped and _was_stopped(outcomes.get(action.ref)))
    ]
    sums, actions = summed_creates(actions, outcomes)
    yield from sums
    layout = _layout(actions[:_MOST_ACTIONS])
    for action in actions[:_MOST_ACTIONS]:
        yield from _action(action, outcomes.get(action.ref), layout, budget)
    if len(actions) > _MOST_ACTIONS:
        yield f"    … and {len(actions) - _MOST_ACTIONS} more, all in the report file (plumb_report_path)"
    for awaited in result.follow_up.objects[:MOST_AWAITED] if result.follow_up is not None else ():
        yield f"    … {awaited.ref}: in progress: {awaited.health.summary}"
    for unhealthy in result.unhealthy:
        yield f"    x {unhealthy.ref}: {unhealthy.health.status.value}: {unhealthy.health.message or 'not there yet'}"
        yield from (f"        {reason}" for reason in unhealthy.reasons)
    for warning in plan.warnings:
        yield f"    ? {warning}"


def _summary(result: AppResult, *, check: bool) -> str:
    actions = [action for action, _outcome in result.with_outcomes()]
    skipped = {o.action.ref for o in result.outcomes if o.result is Result.SKIPPED}
    failed = skipped | {o.action.ref for o in result.outcomes if o.result is Result.FAILED}
    parts = [(len(failed - skipped), "failed"), (len(skipped), "skipped")]
    parts.append((sum(action.unverified for action in actions if action.ref not in failed), "unverified"))
    drifted = [action for action in actions if action.drifted and action.ref not in failed]
    for verb, (to_do, done) in _WORDS.items():
        counted = [
            a for a in actions if a.verb is verb and a.ref not in failed and not (a.drifted or a.unverified)
        ]
        parts.append((len(counted), to_do if check else done))
        if verb is Verb.UPDATE:
            reverted = sum(action.verb.writes for action in drifted)
            parts.append((reverted, "drifted" if check else "reverted"))
            parts.append((len(drifted) - reverted, "drifted, left as it is"))
    return ", ".join(f"{number} {word}" for number, word in parts if number)


def _worth_telling(action: Action, outcome: Outcome | None) -> bool:
    failed = outcome is not None and outcome.result is not Result.DONE
    return (
        action.verb is not Verb.UNCHANGED or action.drifted or bool(action.reason or action.warning) or failed
    )


def _was_stopped(outcome: Outcome | None) -> bool:
    """Return whether the server failed for it, or it was not attempted after that; one line says so for all of them."""
    return outcome is not None and (outcome.blames_server or outcome.result is Result.SKIPPED)


def _layout(actions: Sequence[Action]) -> Callable[[Action, bool], str]:
    kinds = max((len(action.ref.kind) for action in actions), default=0)
    names = max((len(_name(action)) for action in actions), default=0)

    def padded(action: Action, failed: bool) -> str:
        sign = "x" if failed else "!" if action.drifted else "?" if action.unverified else _SIGNS[action.verb]
        return f"    {sign} {action.ref.kind:<{kinds}} {_name(action):<{names}}"

    return padded


def _name(action: Action) -> str:
    ref = action.ref
    return f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name


def _action(
    action: Action, outcome: Outcome | None, padded: Callable[[Action, bool], str], budget: DiffBudget
) -> Iterator[str]:
    head = padded(action, outcome is not None and outcome.result is Result.FAILED)
    diff = budget.take(diff_lines(action))
    remarks = [_change(change) for change in action.changes[:_MOST_FIELDS] if not diff]
    if len(action.changes) > _MOST_FIELDS and not diff:
        remarks.append(f"… and {len(action.changes) - _MOST_FIELDS} more fields")
    if action.deleted_by_someone:
        who = f"by {printable(str(action.culprit))}" if action.culprit else "by someone who is not recorded"
        remarks.append(f"was deleted {who}")
    reasons = [part for part in (action.reason, action.warning and f"warning: {action.warning}") if part]
    if action.unverified:
        reasons.insert(0, "unverified:")
    remarks += [" ".join(reasons)] if reasons else []
    if outcome is not None and outcome.error:
        remarks.append(f"{outcome.result.value}: {outcome.error}")
    first, *rest = remarks or [""]
    yield f"{head}   {first}".rstrip()
    for more in rest:
        yield f"{' ' * len(head)}   {more}"
    yield from [*diff, ""] if diff else []


def _change(change: FieldChange) -> str:
    live, desired = values(change.live, change.desired)
    text = f"{change.path}   {live} -> {desired}"
    if change.cause is Cause.ADDITION:
        text = f"{change.path}   {live}   added"
    if change.culprit is not None:
        return f"{text}   by {printable(str(change.culprit))}"
    return text if change.cause.value == "git" else f"{text}   changed by someone who is not recorded"


def values(live: Any, desired: Any) -> tuple[str, str]:
    """Return both values, cut so that what differs shows, and as JSON where plain text looks alike (`"1"` and `1`)."""
    first, second = _text(live), _text(desired)
    if first == second and live != MASK and ABSENT not in (live, desired):
        first, second = (json.dumps(value, ensure_ascii=False, sort_keys=True) for value in (live, desired))
    differ = next((at for at, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1]), 0)
    start = max(0, differ - _BEFORE) if differ > _WIDEST_VALUE - _BEFORE else 0
    return _from(first, start), _from(second, start)


def _text(value: Any) -> str:
    if value is ABSENT:
        return "(none)"
    plain = isinstance(value, str) and value
    return printable(value if plain else json.dumps(value, ensure_ascii=False, sort_keys=True), sys.maxsize)


def _from(text: str, start: int) -> str:
    return _cut(f"…{text[start:]}" if start else text)


def _cut(text: str) -> str:
    return printable(text, _WIDEST_VALUE)
