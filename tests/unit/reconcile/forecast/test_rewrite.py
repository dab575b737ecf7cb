# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What server-side apply removes, and the JSON patch that shows it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.forecast.rewrite import (
    overridden,
    remove_unowned,
)

LIST: dict[str, Any] = {"f:list": {'k:{"name":"a"}': {".": {}, "f:name": {}, "f:x": {}}}}
ONE_ITEM = {"list": [{"name": "a", "x": 1}, {"name": "b"}]}

# body, what its applier owned last, what anybody owns now, what is left
REMOVALS: dict[str, tuple[Any, dict[str, Any], dict[str, Any], Any]] = {
    "a field": ({"a": 1, "b": 2}, {"f:a": {}}, {}, {"b": 2}),
    "a field that is kept": ({"a": 1}, {"f:a": {}}, {"f:a": {}}, {"a": 1}),
    "a field that is not there": ({"b": 2}, {"f:a": {}}, {}, {"b": 2}),
    "a map with all in it": ({"m": {"x": 1, "unowned": 2}}, {"f:m": {"f:x": {}}}, {}, {}),
    "a map of which another has a field": (
        {"m": {"x": 1, "y": 2, "unowned": 3}}, {"f:m": {".": {}, "f:x": {}}}, {"f:m": {"f:y": {}}},
        {"m": {"y": 2, "unowned": 3}}),
    "all in a map that is said to be empty": ({"m": {"x": 1}}, {"f:m": {".": {}, "f:x": {}}}, {"f:m": {}}, {"m": {}}),
    "an item": (ONE_ITEM, LIST, {}, {}),
    "an item beside a kept one": (
        ONE_ITEM, LIST, {"f:list": {'k:{"name":"b"}': {"f:name": {}}}}, {"list": [{"name": "b"}]}),
    "a field of an item": (
        ONE_ITEM, LIST, {"f:list": {'k:{"name":"a"}': {".": {}, "f:name": {}}}},
        {"list": [{"name": "a"}, {"name": "b"}]}),
    "a value of a set": ({"s": ["x", "y"]}, {"f:s": {'v:"x"': {}}}, {"f:s": {'v:"y"': {}}}, {"s": ["y"]}),
    "a list by index is left": ({"s": [1]}, {"f:s": {"i:0": {}}}, {"f:s": {"i:0": {}}}, {"s": [1]}),
}  # fmt: skip


@pytest.mark.parametrize("name", REMOVALS)
def test_row_99_what_an_apply_removes(name: str) -> None:
    body, before, still_owned, expected = REMOVALS[name]
    original = deepcopy(body)
    assert remove_unowned(body, before, still_owned) == expected
    assert body == original


def test_row_99_what_is_emptied_becomes_null_on_the_server() -> None:
    last: dict[str, Any] = {"f:m": {".": {}, "f:x": {}}, "f:n": {}}
    body = {"m": {"x": 1}, "n": {}}
    assert remove_unowned(body, last, {"f:m": {}, "f:n": {}}, empties=True) == {"m": None, "n": {}}


@pytest.mark.parametrize(("value", "taken"), [("1", {}), ("2", {"tool": (("f:data", "f:a"),)})])
def test_row_99_another_applier_loses_nothing_while_the_value_stays(
    value: str, taken: dict[str, Any]
) -> None:
    entry = {"manager": "tool", "operation": "Apply", "fieldsV1": {"f:data": {"f:a": {}, "f:never": {}}}}
    live = {"metadata": {"managedFields": [entry]}, "data": {"a": "1"}}
    assert overridden(live, {"metadata": {}, "data": {"a": value}}) == taken
