# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of fields held against a plain set of paths."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.fieldset import (
    SELF,
    Path,
    display,
    intersect,
    leaves,
    owns,
    owns_exactly,
    subtract,
    union,
)

_keys = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"'])
_paths = st.lists(_keys, min_size=1, max_size=3).map(tuple)
_members = st.frozensets(_paths, max_size=6)


def tree(members: frozenset[Path]) -> dict[str, Any]:
    """The set as managedFields writes it."""
    root: dict[str, Any] = {}
    for path in members:
        node = root
        for key in path:
            node = node.setdefault(key, {})
    for path in members:
        node = root
        for key in path:
            node = node[key]
        if node:
            node[SELF] = {}
    return root


def starts(path: Path, prefix: Path) -> bool:
    return path[: len(prefix)] == prefix


def leaf(path: Path, members: frozenset[Path]) -> bool:
    return not any(other != path and starts(other, path) for other in members)


@given(_members, _members)
def test_sets_of_fields_are_sets_of_paths(paths: frozenset[Path], other: frozenset[Path]) -> None:
    first, second = tree(paths), tree(other)
    before = deepcopy((first, second))
    assert union(first, second) == tree(paths | other)
    assert subtract(first, second) == tree(paths - other)
    assert intersect(first, second) == tree(paths & other)
    assert (first, second) == before, "nothing is changed in place"


@given(_members)
def test_leaves_are_members_with_nothing_below(members: frozenset[Path]) -> None:
    assert list(leaves(tree(members))) == sorted(path for path in members if leaf(path, members))


@given(_members, _paths)
def test_whole_and_exact_ownership(members: frozenset[Path], path: Path) -> None:
    above = any(starts(path, owned) and leaf(owned, members) for owned in members)
    below = any(starts(owned, path) for owned in members)
    assert owns(tree(members), path) is (above or below)
    assert owns_exactly(tree(members), path) is (path in members)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("f:spec", "f:replicas"), "spec.replicas"),
        (("f:metadata", "f:labels", "f:example.com/team"), "metadata.labels[example.com/team]"),
        (("f:data", "f:app.properties"), "data[app.properties]"),
        (("f:data", "f:has space"), "data[has space]"),
        (("f:spec", "f:containers", 'k:{"name":"main"}', "f:image"), "spec.containers[main].image"),
        (("f:ports", 'k:{"containerPort":80,"protocol":"TCP"}'), "ports[80/TCP]"),
        (("f:finalizers", 'v:"example.com/hold"'), "finalizers[=example.com/hold]"),
        (("f:list", "i:2"), "list[2]"),
        (("f:$ref", "f:a-b_c"), "$ref.a-b_c"),
        ((), ""),
    ],
)
def test_paths_as_people_write_them(path: Path, shown: str) -> None:
    assert display(path) == shown
