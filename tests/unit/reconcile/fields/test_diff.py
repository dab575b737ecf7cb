# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences by golden cases, and as a property: an object does not differ from itself."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model.change import ABSENT
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.diff import differences, masked
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.fieldset import display
from ansible_collections.plumb.gitops.tests.unit.reconcile.golden import golden


def shown_differences(live: dict[str, Any], wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """The differences as a golden case writes them: a side that is absent is left out."""
    return [
        {
            "path": display(path),
            **{
                side: masked(live, path, value)
                for side, value in (("live", before), ("wanted", after))
                if value is not ABSENT
            },
        }
        for path, before, after in differences(live, wanted)
    ]


@pytest.mark.parametrize("case", golden("fields", "diff"))
def test_golden(case: dict[str, Any]) -> None:
    before = deepcopy(case)
    expected = case["expected"]
    assert shown_differences(case["live"], case["wanted"]) == expected["differences"], expected["why"]
    assert case == before, "nothing is changed in place"


@pytest.mark.parametrize("case", golden("fields", "diff"))
def test_the_way_back_is_the_mirror_image(case: dict[str, Any]) -> None:
    changes = differences(case["live"], case["wanted"])
    assert differences(case["wanted"], case["live"]) == tuple((path, new, old) for path, old, new in changes)


_json = st.recursive(
    st.sampled_from([None, True, 1, 1.0, "", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "a"]), inner, max_size=2)
    ),
    max_leaves=8,
)
_fields: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(
        st.sampled_from(["f:name", "f:a", 'k:{"name":"x"}', 'v:"x"', "."]), inner, max_size=2
    ),
    max_leaves=6,
)


@given(spec=_json, other=_json, fields=_fields)
def test_nothing_differs_from_itself_and_what_differs_is_told(spec: Any, other: Any, fields: Any) -> None:
    """Whatever managedFields say of a list's shape."""
    entry = {"manager": "plumb", "operation": "Apply", "fieldsV1": {"f:spec": fields}}
    live, wanted = (
        {
            "apiVersion": "v1",
            "kind": "Any",
            "metadata": {"name": "x", "managedFields": [entry]},
            "spec": content,
        }
        for content in (spec, other)
    )
    assert differences(live, deepcopy(live)) == ()
    assert (differences(live, wanted) == ()) is (repr(_sorted(spec)) == repr(_sorted(other)))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
