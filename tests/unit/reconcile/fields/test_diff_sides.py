# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two sides of a diff: the manifest as in Git, and what is live where the plan has changes."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.change import ABSENT
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.diff import differences
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.diff_sides import (
    owned_part,
    sides,
    with_value,
    without_secret_values,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.fieldset import display
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.yaml_lines import (
    Changed,
    hunks,
    yaml_lines,
)
from ansible_collections.plumb.gitops.tests.unit.reconcile.golden import golden
from ansible_collections.plumb.gitops.tests.unit.reconcile.managed import ours

_NAMED: dict[str, Any] = {
    "f:list": {f'k:{{"name":"{name}"}}': {".": {}, "f:name": {}, "f:x": {}} for name in "abc"}
}
_SET: dict[str, Any] = {"f:set": {f'v:"{value}"': {} for value in "abc"}}

# What is live, in Git, and made of it by the server; the shape of `spec`; the lines that differ.
CASES: dict[str, tuple[Any, Any, Any, dict[str, Any], list[str]]] = {
    "a value": ({"a": 1, "d": 600}, {"a": 2}, {"a": 2, "d": 600}, {}, ["-  a: 1", "+  a: 2"]),
    "in Git's own form": ({"a": "2"}, {"a": "1000m"}, {"a": "1"}, {}, ['-  a: "2"', "+  a: 1000m"]),
    "the same in another form": ({"a": "1"}, {"a": "1000m"}, {"a": "1"}, {}, []),
    "left Git": ({"a": 1, "b": 2}, {"a": 1}, {"a": 1}, {}, ["-  b: 2"]),
    "left Git for a default": ({"a": 1, "b": 5}, {"a": 1}, {"a": 1, "b": 1}, {}, ["-  b: 5", "+  b: 1"]),
    "came to Git": ({"a": 1}, {"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 2, "d": 0}}, {}, ["+  b:", "+    c: 2"]),
    "changed by admission": ({"a": 1}, {"a": 1}, {"a": 9}, {}, ["-  a: 1", "+  a: 9"]),
    "an item changed": (
        {"list": [{"name": "a", "x": 1, "d": 0}, {"name": "b", "x": 1}]},
        {"list": [{"name": "a", "x": 2}, {"name": "b", "x": 1}]},
        {"list": [{"name": "a", "x": 2, "d": 0}, {"name": "b", "x": 1}]},
        _NAMED, ["-    x: 1", "+    x: 2"],
    ),
    "an item left": (
        {"list": [{"name": "a", "x": 1}, {"name": "b", "x": 1, "default": 7}]},
        {"list": [{"name": "a", "x": 1}]}, {"list": [{"name": "a", "x": 1}]},
        _NAMED, ["-  - name: b", "-    x: 1"],
    ),
    "an item came": (
        {"list": [{"name": "a", "x": 1}]},
        {"list": [{"name": "c", "x": 1}, {"name": "a", "x": 1}]},
        {"list": [{"name": "c", "x": 1, "d": 1}, {"name": "a", "x": 1}]},
        _NAMED, ["+  - name: c", "+    x: 1"],
    ),
    "items in another order": (
        {"list": [{"name": "a", "x": 1}, {"name": "b", "x": 2}]},
        {"list": [{"name": "b", "x": 2}, {"name": "a", "x": 1}]},
        {"list": [{"name": "b", "x": 2}, {"name": "a", "x": 1}]},
        _NAMED, ["+  - name: b", "+    x: 2", "-  - name: b", "-    x: 2"],
    ),
    "a set": ({"set": ["a", "c"]}, {"set": ["a", "b"]}, {"set": ["a", "b"]}, _SET, ["-  - c", "+  - b"]),
    "a list without keys": (
        {"l": [{"p": 1, "d": 0}, {"p": 2, "d": 0}]}, {"l": [{"p": 1}, {"p": 3}]},
        {"l": [{"p": 1, "d": 0}, {"p": 3, "d": 0}]}, {}, ["-  - p: 2", "+  - p: 3"],
    ),
}  # fmt: skip


def body(spec: Any, fields: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "x", "managedFields": [ours({"f:spec": fields})]}
    return {"apiVersion": "v1", "kind": "Any", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize("name", CASES)
def test_only_what_the_plan_changes_differs(name: str) -> None:
    spec, git, outcome, shape, expected = CASES[name]
    live, after = body(spec, shape), body(outcome, shape)
    manifest = {"apiVersion": "v1", "kind": "Any", "metadata": {"name": "x"}, "spec": git}
    paths = {path: display(path) for path, _live, _outcome in differences(live, after)}
    found = hunks(*map(yaml_lines, sides(live, manifest, after, paths, {"f:spec": shape})))
    assert [line for hunk in found for line in hunk.lines if line[0] != " "] == expected
    assert {path for hunk in found for path in hunk.changes} == set(paths.values())


@pytest.mark.parametrize("case", golden("fields", "diff"))
def test_each_difference_of_the_golden_cases_shows(case: dict[str, Any]) -> None:
    live, outcome = case["live"], case["wanted"]
    metadata = {name: value for name, value in outcome["metadata"].items() if name != "managedFields"}
    git = {**outcome, "metadata": metadata}
    paths = {path: display(path) for path, _live, _outcome in differences(live, outcome)}
    found = hunks(*map(yaml_lines, sides(live, git, outcome, paths, {})))
    assert {path for hunk in found for path in hunk.changes} == set(paths.values())


def test_of_a_live_value_only_what_somebody_owns_is_shown() -> None:
    shape: dict[str, Any] = {"f:a": {}, "f:list": {'k:{"name":"x"}': {"f:name": {}, "f:image": {}}}}
    value = {"a": {"whole": 1}, "b": 1, "list": [{"name": "x", "image": "i", "default": 1}, {"name": "y"}]}
    assert owned_part(value, shape) == {"a": {"whole": 1}, "list": [{"name": "x", "image": "i"}]}


def test_a_value_is_put_where_nothing_leads_to_it() -> None:
    path = ("f:spec", "f:list", 'k:{"name":"x"}', "f:value")
    assert with_value({"a": 1}, path, 5) == {"a": 1, "spec": {"list": [{"name": "x", "value": 5}]}}
    assert with_value({"spec": {"list": [{"name": "x"}]}}, path, 5)["spec"]["list"] == [
        {"name": "x", "value": 5}
    ]


def test_of_a_secret_names_are_shown_and_values_by_their_length_and_a_digest_of_this_process() -> None:
    metadata = {"name": "x", "namespace": "n", "labels": {"a": "b"}, "annotations": {"note": "sensitive"}}
    secret = {
        "kind": "Secret",
        "metadata": metadata,
        "type": "Opaque",
        "data": {"one": "cGFzcw==", "two": "cGFzcw=="},
    }
    shown = without_secret_values({**secret, "sensitive": "sensitive"})
    assert shown["metadata"]["labels"] == {"a": "b"}
    assert shown["type"] == "Opaque"
    assert "sensitive" not in repr(shown)
    assert shown["data"]["one"] == shown["data"]["two"]
    assert shown["data"]["one"].startswith("<hidden: 4 bytes, digest ")
    assert blake2b(b"pass", digest_size=6).hexdigest() not in shown["data"]["one"], "nobody can try values"
    other = without_secret_values({**secret, "data": {"one": "d29yZA=="}})
    assert other["data"]["one"] != shown["data"]["one"]
    for broken in ({"a": {"sensitive": 1}}, ["sensitive"], "sensitive"):
        assert "sensitive" not in repr(without_secret_values({**secret, "data": broken}))
    assert "sensitive" not in repr(without_secret_values({"metadata": {"labels": {"a": "sensitive !"}}}))
    assert without_secret_values(ABSENT) is ABSENT


def test_a_change_in_what_is_hidden_as_a_whole_shows() -> None:
    def secret(name: str) -> dict[str, Any]:
        owner = {"uid": "u", "name": Changed(name, ("metadata.ownerReferences[u].name",))}
        metadata = {
            "name": "x",
            "ownerReferences": [owner],
            "finalizers": [Changed(name, ("metadata.finalizers",))],
        }
        return {"kind": "Secret", "metadata": metadata}

    before, after = (yaml_lines(without_secret_values(secret(name))) for name in ("first", "second"))
    changes = [path for hunk in hunks(before, after) for path in hunk.changes]
    assert sorted(changes) == ["metadata.finalizers", "metadata.ownerReferences[u].name"]
