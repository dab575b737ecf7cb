# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Matches with managed fields by golden cases; test_properties.py compares it with a real server's dry-run."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.ownership_match import (
    matches_managed_fields,
    same,
)
from ansible_collections.plumb.gitops.tests.unit.reconcile.golden import golden


@pytest.mark.parametrize("case", golden("fields", "ownership_match"))
def test_golden(case: dict[str, Any]) -> None:
    before = deepcopy(case)
    assert matches_managed_fields(case["desired"], case["live"]) is case["expected"]["proven"], case[
        "expected"
    ]["why"]
    assert case == before, "nothing is changed in place"


_json = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 0.0, 1.0, "", "1", "true"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


@given(_json, _json)
def test_same_is_equality_of_type_and_value(value: Any, other: Any) -> None:
    """repr() writes each type of JSON its own way, once the order of keys is out of the way."""
    assert same(value, other) is (repr(_sorted(value)) == repr(_sorted(other)))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
