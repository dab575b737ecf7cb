# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 80: the nearest of any number of names, by a bounded number of comparisons."""

from __future__ import annotations

import difflib
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model import nearest
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import RefKind, SourceSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import SourceError
from ansible_collections.plumb.gitops.plugins.module_utils.source.git.remote import choose

KINDS = ("fix", "add", "remove", "raise")
MANY = [
    f"feature/PROJ-{number}-{KINDS[number % 4]}-limits-{number * 7919 % 10007}" for number in range(50_000)
]


@pytest.fixture
def comparisons(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many names each search compared letter by letter."""
    seen: list[int] = []
    search = difflib.get_close_matches

    def counted(word: str, names: list[str], **how: Any) -> list[str]:
        seen.append(len(names))
        return search(word, names, **how)

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    return seen


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("mian", "main"),
        ("Main", "main"),
        ("release/2026-12", "release/2026-11"),
        ("relaese/2026-11", "release/2026-11"),
        (MANY[4711].replace("limits", "limit"), MANY[4711]),
        (MANY[49_999].upper().replace("FEATURE", "feature"), ""),
        ("z" * 4000, ""),
        ("", ""),
    ],
)
def test_row_80_the_nearest_of_50000_names(written: str, meant: str, comparisons: list[int]) -> None:
    names = nearest.nearest_names(written, [*MANY, "main", "release/2026-11"])
    assert not meant or names[0] == meant
    assert comparisons == [nearest.COMPARED]


def test_row_80_a_wrong_branch_among_50000_refs(comparisons: list[int]) -> None:
    refs = {f"refs/heads/{name}": "0" * 40 for name in (*MANY, "production")}
    spec = SourceSpec(name="fleet", url="https://h/r.git", ref_kind=RefKind.BRANCH, ref="prodcution")
    with pytest.raises(SourceError) as caught:
        choose(spec, refs)
    assert caught.value.next_step.startswith("The nearest: production")
    assert comparisons == [nearest.COMPARED]


def test_few_names_are_all_compared(comparisons: list[int]) -> None:
    assert nearest.nearest_names("shpo", ["shop", "cart"]) == ["shop"]
    assert comparisons == [2]
