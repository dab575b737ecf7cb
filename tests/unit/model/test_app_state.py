# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of states: whole, and the same as in the glossary."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.plumb.gitops.plugins.module_utils.model.app_state import (
    STATES,
    SyncState,
    worst_state,
)

GLOSSARY = Path(__file__).parents[3] / "docs" / "glossary.md"


def test_each_state_has_one_row():
    assert sorted(row.state.value for row in STATES) == sorted(state.value for state in SyncState)
    assert {row.commit_status for row in STATES} == {"failure", "success", "pending", ""}


def test_the_glossary_has_the_rows_in_this_order():
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines if line.startswith("|")
    ]
    assert [row for row in rows if row[0] in {state.value for state in SyncState}] == [
        (row.state.value, row.when, row.commit_status or "none") for row in STATES
    ]


def test_the_worst_state_is_the_first_row_that_is_there():
    assert worst_state([]) is SyncState.IN_SYNC
    assert worst_state([SyncState.IN_SYNC, SyncState.PENDING]) is SyncState.PENDING
    for index, row in enumerate(STATES):
        assert worst_state(later.state for later in STATES[index:]) is row.state
