# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as Markdown, for CI and pull requests: what happened first, text from outside escaped, cut with a note."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from ..model.change import Cause, FieldChange
from ..model.errors import printable
from ..model.plan import Action, AppResult, Outcome, Result, Unhealthy, Verb
from ..model.report import Report, SourceReport
from .terminal import MOST_AWAITED, briefly, not_started, unclaimed, values
from .unified import DiffBudget, diff_lines

MOST = 60_000  # characters; forges take 65,536 in a comment
_MOST_DIFFS = 0.6  # of all characters may be diffs
_MOST_DIFF = 2000  # lines of all diffs
_MOST_OBJECT_DIFF = 200  # lines of an object's diff
_MOST_FIELDS = 12  # fields an object is shown with
_LONGEST = 200  # characters of any text from outside
_NOTE = "\n_Cut: there is more than fits here. The report file (`plumb_report_path`) has all._\n"

# What a reader should see first: (heading, which actions). An action stands under the first that fits.
_GROUPS = (
    ("failed or refused", lambda a, o: a.verb is Verb.REFUSED or (o is not None and o.result is not Result.DONE)),
    ("drifted", lambda a, _o: a.drifted),
    ("unverified", lambda a, _o: a.unverified),
    ("pruned", lambda a, _o: a.verb is Verb.PRUNE),
    ("created", lambda a, _o: a.verb is Verb.CREATE),
    ("updated", lambda a, _o: a.verb is Verb.UPDATE),
    ("adopted", lambda a, _o: a.verb is Verb.ADOPT),
    ("recreated", lambda a, _o: a.verb is Verb.RECREATE),
    ("remarks", lambda a, _o: bool(a.reason or a.warning)),
)  # fmt: skip
# What a check calls them.
_TO_DO = {
    "pruned": "to prune",
    "created": "to create",
    "updated": "to update",
    "adopted": "to adopt",
    "recreated": "to recreate",
}

# What begins or ends something in Markdown, or makes a mention, a reference or a link of a word. A colon, a dot, a dash
# do so in one place only.
_SPECIAL = re.compile(r"[\\`*_{}\[\]()#|~>@^$]|:(?=//)|(?<=www)\.|^[-+=]|(?<=^\d)[.)]|(?<=^\d\d)[.)]")


def markdown(report: Report, *, most: int = MOST) -> str:
    """Return the report as Markdown (CommonMark with tables) of at most `most` characters."""
    text = ""
    budget = DiffBudget(_MOST_DIFF, _MOST_OBJECT_DIFF, int(most * _MOST_DIFFS))
    for block in _blocks(report, budget):
        if len(text) + len(block) + len(_NOTE) > most:
            return text + _NOTE
        text += block
    return text


def _blocks(report: Report, budget: DiffBudget) -> Iterator[str]:
    name = _text(report.cluster or "cluster")
    yield f"## Plumb: {name}: {_verdict(report, check=report.check)}\n\n"
    for source in report.sources:
        yield _source(source)
    if report.config is not None and report.config.error:
        yield f"- **config**: {_text(report.config.error)}\n"
    yield "\n| App | | Objects |\n|---|---|---|\n"
    for app in report.apps:
        state = "suspended" if app.plan.suspended else _verdict(app, check=report.check)
        yield f"| {_text(app.plan.app)} | {state} | {_counts(app)} |\n"
    for app in report.apps:
        yield from _app(app, report, budget)
    if budget.omission:
        yield f"\n_{budget.omission}. The report file (`plumb_report_path`) has all._\n"
    for remark in (*map(unclaimed, report.unclaimed), *report.warnings):
        yield f"\n- {_text(remark, 1000)}\n"
    how = "Check only, nothing was written." if report.check else f"{report.seconds:.1f} s."
    yield f"\n{how} Began {_text(report.started)}.\n"


def _verdict(of: Report | AppResult, *, check: bool) -> str:
    words = (
        ("failed", of.failed),
        ("drifted", of.drifted),
        ("would change" if check else "changed", of.changed),
    )
    return ", ".join(word for word, holds in words if holds) or "unchanged"


def _source(source: SourceReport) -> str:
    parts = []
    if source.revision is not None:
        revision = source.revision
        parts.append(
            f"{_text(revision.resolved or revision.ref)} {_code(revision.short)} {_text(revision.subject)},"
            f" {_text(revision.author.name)}"
        )
    parts += [_text(text, 1000) for text in (source.error, source.warning) if text]
    return f"- **{_text(source.name)}**: {'; '.join(parts)}\n"


def _counts(app: AppResult) -> str:
    number = len(app.plan.actions)
    unchanged = sum(a.verb is Verb.UNCHANGED and not a.drifted for a in app.plan.actions)
    return f"{number}, {unchanged} unchanged" if number else ""


def _app(app: AppResult, report: Report, budget: DiffBudget) -> Iterator[str]:
    outcomes = {outcome.action.ref: outcome for outcome in app.outcomes}
    groups: dict[str, list[Action]] = {name: [] for name, _fits in _GROUPS}
    for action in app.plan.actions:
        name = next((name for name, fits in _GROUPS if fits(action, outcomes.get(action.ref))), "")
        if name:
            groups[name].append(action)
    problems = dict.fromkeys(filter(None, (app.plan.error, app.error)))
    remarks = [*(briefly(problem, report.sources) for problem in problems), *app.plan.warnings]
    if app.waits_for:
        remarks.append(not_started(app))
    remarks += [
        f"{awaited.ref}: in progress: {awaited.health.summary}"
        for awaited in (app.follow_up.objects[:MOST_AWAITED] if app.follow_up is not None else ())
    ]
    if not remarks and not app.unhealthy and not any(groups.values()):
        return
    yield f"\n### {_text(app.plan.app)}\n"
    for remark in remarks:
        yield f"\n- {_text(remark, 1000)}\n"
    yield from map(_unhealthy, app.unhealthy)
    for name, actions in groups.items():
        if actions:
            title = _TO_DO.get(name, name) if report.check else name
            yield f"\n**{len(actions)} {title}**\n\n"
            for action in actions:
                yield from _action(action, outcomes.get(action.ref), budget)


def _unhealthy(entry: Unhealthy) -> str:
    state = f"{entry.ref}: {entry.health.status.value}: {entry.health.message or 'not there yet'}"
    return f"\n- {_text(state, 1000)}\n" + "".join(f"  - {_text(reason, 1000)}\n" for reason in entry.reasons)


def _action(action: Action, outcome: Outcome | None, budget: DiffBudget) -> Iterator[str]:
    ref = action.ref
    name = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
    remarks = [action.reason, action.warning, outcome.error if outcome is not None else ""]
    if action.deleted_by_someone:
        remarks.insert(0, f"was deleted by {action.culprit or 'someone who is not recorded'}")
    text = "; ".join(_text(text, 1000) for text in remarks if text)
    head = f"- {_text(ref.kind)} {_code(name)}{f': {text}' if text else ''}\n"
    diff = budget.take(diff_lines(action))
    if diff:
        yield head + _fenced(diff)
        return
    yield head
    shown = action.changes[:_MOST_FIELDS]
    yield from map(_change, shown)
    if len(action.changes) > len(shown):
        yield f"  - and {len(action.changes) - len(shown)} more fields\n"


def _change(change: FieldChange) -> str:
    live, desired = values(change.live, change.desired)
    moved = f"{_code(live)} added" if change.cause is Cause.ADDITION else f"{_code(live)} → {_code(desired)}"
    by = ""
    if change.culprit is not None:
        by = f", by {_text(str(change.culprit), 400)}"
    elif change.cause is not Cause.GIT:
        by = ", by someone who is not recorded"
    return f"  - {_code(change.path)}: {moved}{by}\n"


def _fenced(lines: Sequence[str]) -> str:
    """Return the lines of a diff as a block of code below an item of a list, within more backticks than they have."""
    fence = "`" * max(3, *(len(run) + 1 for line in lines for run in re.findall("`+", line)), 3)
    return "".join(f"  {line}\n" for line in ["", f"{fence}diff", *lines, fence])


def _text(text: str, longest: int = _LONGEST) -> str:
    """Text from outside as text: no markup, no HTML, no link, no mention of a person, on one line."""
    return _SPECIAL.sub(r"\\\g<0>", escape(printable(text, longest), quote=False)).replace("\\@", "@\u200b")


def _code(value: Any) -> str:
    """Text from outside as code, in as many backticks as it takes; a table's bars cannot stand in it."""
    text = printable(str(value), _LONGEST) or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{space}{text}{space}{fence}"
