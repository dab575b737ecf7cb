# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as Markdown, by golden files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model.change import Cause, Culprit, FieldChange
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.plugins.module_utils.report.markdown import MOST, markdown
from ansible_collections.plumb.gitops.tests.unit.report.reports import REPORTS, action, app, report

CASES = Path(__file__).parent / "cases"
_TEXT = re.compile(r"\\[^A-Za-z0-9\s]|(`+)(?!`).*?(?<!`)\1(?!`)")  # what is escaped, and code


@pytest.mark.parametrize("name", REPORTS)
def test_golden(name: str) -> None:
    assert markdown(REPORTS[name]) == (CASES / f"{name}.md").read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {file.stem for file in CASES.glob("*.md")} == set(REPORTS)


def test_it_is_cut_with_a_note() -> None:
    many = report(app("shop", *(action("ConfigMap", f"c{number}", Verb.CREATE) for number in range(5000))))
    made = markdown(many)
    assert len(made) <= MOST
    assert made.endswith("has all._\n")
    assert markdown(many, most=10**7).count("ConfigMap") == 5000


@given(st.text(alphabet="`<>[]()@#|*_~\\ab:/\n&!-.", max_size=30))
def test_text_from_outside_is_text(text: str) -> None:
    change = FieldChange("data.a", text, f"{text}.", Cause.DRIFT, Culprit(text, "Update"))
    hostile = action("ConfigMap", "c", Verb.UPDATE, change, reason=text)
    lines = markdown(report(app("shop", hostile, warnings=(text,)))).split("### shop")[1].splitlines()
    for line in lines:
        outside = _TEXT.sub(" ", line.removeprefix("**1 drifted**"))
        assert not re.search(r"[<`*_\[\]#|]|@(?!\u200b)|://", outside), line
