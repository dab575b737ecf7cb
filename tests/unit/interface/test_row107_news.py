# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A failure that differs in its numbers alone, from try to try, is no news (row 107)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.interface.outputs.reported_state import (
    save_reported_state,
    unreported,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import AppResult, Plan
from ansible_collections.plumb.gitops.tests.unit.report.reports import report

SAME = [
    "read tcp 10.0.0.5:51234->10.96.0.1:443: connection reset",
    "no answer within 30.0 s",
    "exceeded quota: used 5, limited 6 (app/all.yaml:12)",
]


def is_news(file: Path, **record: Any) -> bool:
    whole = {"app": "shop", "object": "ConfigMap shop/a", "action": "create", "result": "failed", **record}
    fresh, standing = unreported(file, [whole], report(AppResult(plan=Plan(app="shop"))))
    save_reported_state(file, standing)
    return bool(fresh)


@pytest.mark.parametrize("error", SAME)
def test_row_107_other_numbers_are_no_news_and_other_words_are(tmp_path: Path, error: str) -> None:
    file = tmp_path / "standing.json"
    assert is_news(file, error=error)
    for digit in "123":
        other = "".join(digit if character.isdigit() else character for character in error)
        assert not is_news(file, error=other)
    assert is_news(file, error=f"{error}, and more")
    assert is_news(file, error=error, result="refused")
