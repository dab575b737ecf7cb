# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diffs in a report: how much of them is shown, and what stands above a hunk."""

from __future__ import annotations

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.change import (
    ABSENT,
    Cause,
    Culprit,
    FieldChange,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.object_diff import Hunk, ObjectDiff
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Action, Verb
from ansible_collections.plumb.gitops.plugins.module_utils.report.document import document, failures
from ansible_collections.plumb.gitops.plugins.module_utils.report.markdown import MOST, markdown
from ansible_collections.plumb.gitops.plugins.module_utils.report.terminal import lines
from ansible_collections.plumb.gitops.plugins.module_utils.report.unified import (
    DiffBudget,
    DiffLine,
    diff_lines,
)
from ansible_collections.plumb.gitops.tests.unit.report.reports import action, app, report

KUBECTL = Culprit("kubectl-edit", "Update", "", "2026-11-23T09:10:00Z")


def updated(name: str, *texts: str) -> Action:
    diff = ObjectDiff(hunks=(Hunk("data", (), texts),))
    return action("ConfigMap", name, Verb.UPDATE, FieldChange("data.k", ABSENT, "x"), diff=diff)


@pytest.mark.parametrize(
    ("cause", "culprit", "left", "expected"),
    [
        (Cause.GIT, None, False, []),
        (Cause.DRIFT, KUBECTL, False, ["# data.k: by kubectl-edit, 2026-11-23T09:10:00Z"]),
        (Cause.DRIFT, None, False, ["# data.k: changed by someone who is not recorded"]),
        (Cause.DRIFT, KUBECTL, True, ["# data.k: by kubectl-edit, 2026-11-23T09:10:00Z; left as it is"]),
        (Cause.ADDITION, KUBECTL, False, ["# data.k: added by kubectl-edit, 2026-11-23T09:10:00Z"]),
        (
            Cause.ADDITION,
            KUBECTL,
            True,
            ["# data.k: added by kubectl-edit, 2026-11-23T09:10:00Z; left as it is"],
        ),
    ],
)
def test_above_a_hunk_is_who_changed_what_begins_in_it(
    cause: Cause, culprit: Culprit | None, left: bool, expected: list[str]
) -> None:
    diff = ObjectDiff(
        hunks=(Hunk("data", ("data.k",), ("-  k: 1",)),), left=frozenset({"data.k"} if left else ())
    )
    change = FieldChange("data.k", "1", ABSENT, cause, culprit)
    shown = diff_lines(action("ConfigMap", "c", Verb.UPDATE, change, diff=diff))
    assert shown[2:] == [*expected, "@@ data @@", "-  k: 1"]


def test_text_from_outside_ends_no_line() -> None:
    shown = diff_lines(updated("c", "+  k: a\nb\x1b[2K\u202e"))
    assert all(line.isprintable() for line in shown)


def test_an_object_has_so_many_lines_and_all_of_them_together_so_many_lines_and_characters() -> None:
    ten = [DiffLine("x" * 7)] * 10
    budget = DiffBudget(lines=15, of_object=8, size=1000)
    assert budget.take(ten) == [*ten[:8], "# … and 2 more lines"]
    assert budget.take(ten) == [*ten[:7], "# … and 3 more lines"]
    assert budget.take(ten) == []
    assert (budget.left_out, budget.objects) == (15, 3)
    assert DiffBudget(lines=100, of_object=100, size=35).take(ten) == [*ten[:3], "# … and 7 more lines"]


def test_what_does_not_fit_is_counted_has_its_fields_and_stands_in_the_document() -> None:
    texts = tuple(f"+  key-{number}: x" for number in range(300))
    many = report(app("shop", *(updated(f"c{number:02}", *texts) for number in range(20))))
    shown = lines(many)
    assert len(shown) < 2100
    assert "    ~ ConfigMap shop/c15   data.k   (none) -> x" in shown
    assert shown[-2].startswith(
        "  … 4060 lines of the diffs of 20 objects are left out; all of them are in the report"
    )
    assert all(entry["diff"].count("\n") == 302 for entry in document(many)["apps"][0]["actions"])
    assert failures(document(many)) == []


def test_markdown_with_large_diffs_still_has_all_apps() -> None:
    wide = tuple("+  key: " + "`" * 200 for _ in range(150))
    many = report(
        app("shop", *(updated(f"c{number}", *wide) for number in range(12))),
        app("after", action("ConfigMap", "last", Verb.CREATE)),
    )
    made = markdown(many)
    assert len(made) < MOST
    assert "### after" in made
    assert "lines of the diffs of 11 objects are left out" in made
    fence = next(line.strip() for line in made.splitlines() if line.endswith("`diff"))
    assert len(fence.removesuffix("diff")) > 200, "more backticks than any line has"
