# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines for people, by golden files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.report.terminal import lines
from ansible_collections.plumb.gitops.plugins.module_utils.report.unified import DiffLine
from ansible_collections.plumb.gitops.tests.unit.report.reports import REPORTS

CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize("name", REPORTS)
def test_golden(name: str) -> None:
    golden = (CASES / f"{name}.txt").read_text(encoding="utf-8")
    assert "\n".join(lines(REPORTS[name])) + "\n" == golden


@pytest.mark.parametrize("name", REPORTS)
def test_every_line_is_one_printable_line(name: str) -> None:
    for line in lines(REPORTS[name]):
        assert line.isprintable()
        assert isinstance(line, DiffLine) or line == line.rstrip()


def test_no_golden_file_is_left_over() -> None:
    assert {file.stem for file in CASES.glob("*.txt")} == set(REPORTS)
