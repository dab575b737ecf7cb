# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compact JSON means the same by either writer, and what only one of them can write is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model import compact as module
from ansible_collections.plumb.gitops.plugins.module_utils.model.compact import compact

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters())
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner)
)


@pytest.fixture(params=["orjson", "Python's own"])
def writer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which of the two writes."""
    assert module.orjson is not None
    if request.param != "orjson":
        monkeypatch.setattr(module, "orjson", None)
    return str(request.param)


@given(value=_VALUES)
def test_both_writers_say_the_same(value: Any) -> None:
    assert json.loads(compact(value)) == value
    by_orjson = compact(value, sort=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "orjson", None)
        assert json.loads(by_orjson) == json.loads(compact(value, sort=True)) == value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": [1, True, None], "a": "é\U0001f600"}, '{"a":"é\U0001f600","b":[1,true,null]}'.encode()),
        ({"z": 1, "é": 2, "\U0001f600": 3}, '{"z":1,"é":2,"\U0001f600":3}'.encode()),
        (2**64, b"18446744073709551616"),
        ("\udc80", b'"\\udc80"'),
        ({1: "a"}, b'{"1":"a"}'),
        ("\x00\x1f\x7f", b'"\\u0000\\u001f\x7f"'),
    ],
)
@pytest.mark.usefixtures("writer")
def test_bytes(value: Any, written: bytes) -> None:
    assert compact(value, sort=True) == written


@pytest.mark.usefixtures("writer")
def test_what_is_no_json_is_refused() -> None:
    with pytest.raises((TypeError, ValueError)):
        compact(object())
