# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges of versions: which they admit, and which tag they choose."""

from __future__ import annotations

import contextlib

import pytest
import semver
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.plugins.module_utils.source.semver_range import parse_range

ADMITTED = [
    # range, admitted, not admitted
    ("1.4.2", "1.4.2", "1.4.3"),
    ("=1.4.2", "1.4.2+build.5", "1.4.2-rc.1"),
    ("v1.4.2", "1.4.2", "1.4.1"),
    ("1.4", "1.4.9", "1.5.0"),
    ("1.4.x", "1.4.0", "1.5.0"),
    ("1.x", "1.99.0", "2.0.0"),
    ("1", "1.0.0", "0.9.0"),
    ("*", "0.0.1", "0.0.1-rc.1"),
    (">=1.2 <2", "1.2.0", "2.0.0"),
    (">= 1.2, < 2", "1.99.99", "1.1.9"),
    (">=1.2,<2", "1.2.0", "2.0.0"),
    (">1.2", "1.3.0", "1.2.9"),
    (">1.2.3", "1.2.4", "1.2.3"),
    ("<=1.2", "1.2.9", "1.3.0"),
    ("<=1.2.3", "1.2.3", "1.2.4"),
    ("<1.2", "1.1.9", "1.2.0"),
    ("~1.4.2", "1.4.9", "1.5.0"),
    ("~1.4", "1.4.0", "1.5.0"),
    ("~1", "1.9.0", "2.0.0"),
    ("~>1.4.2", "1.4.2", "1.4.1"),
    ("^1.2.3", "1.9.0", "2.0.0"),
    ("^1.2.3", "1.2.3", "1.2.2"),
    ("^0.2.3", "0.2.9", "0.3.0"),
    ("^0.0.3", "0.0.3", "0.0.4"),
    ("^0.0", "0.0.9", "0.1.0"),
    ("^0", "0.9.0", "1.0.0"),
    ("1.2 - 2.3", "2.3.9", "2.4.0"),
    ("1.2.3 - 2.3.4", "2.3.4", "2.3.5"),
    ("^1 || ^3", "3.1.0", "2.1.0"),
    ("^1 !=1.4.3", "1.4.4", "1.4.3"),
    # prereleases: only where an alternative names one, and never of the version that the upper bound excludes
    (">=1.3.0-0", "1.3.0-rc.1", "1.3.0-"),
    (">=1.3.0-0 <2", "1.9.0-beta", "2.0.0-rc.1"),
    ("^1.3.0-rc.2", "1.3.0-rc.10", "1.3.0-rc.1"),
    ("~1.3.0-0", "1.3.5-rc.1", "1.4.0-rc.1"),
    ("^1 || >=2.0.0-0", "2.0.0-rc.1", "1.5.0-rc.1"),
    (">1.3.0-rc.1 <1.3.0-rc.3", "1.3.0-rc.2", "1.3.0-rc.3"),
]


@pytest.mark.parametrize(("text", "inside", "outside"), ADMITTED)
def test_a_range_admits(text: str, inside: str, outside: str) -> None:
    wanted = parse_range(text, subject="source fleet")
    assert wanted.choose([inside, outside]) == inside
    assert wanted.choose([f"v{inside}"]) == f"v{inside}"
    assert wanted.choose([outside]) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "abc",
        ">=",
        ">=1.2 <",
        "1.2.3.4",
        "01.2.3",
        "1.2-rc",
        ">*",
        "<x",
        "1 - ",
        "=>1",
        "^^1",
        "1||",
        "|| 1",
        "1;2",
        "$(id)",
        "1" * 300,
        "1\n2",
        ">=1.2\x00",
    ],
)
def test_what_is_no_range_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="semver") as caught:
        parse_range(text, subject="source fleet")
    assert "'>=1.2 <2'" in caught.value.next_step


def test_the_highest_is_chosen_whatever_the_order_of_tags() -> None:
    tags = ["v1.9.0", "v1.10.0", "v1.2.0", "release-1.11.0", "1", "v1.10", "latest", "v01.99.0"]
    assert parse_range("^1", subject="").choose(tags) == "v1.10.0"
    assert parse_range("^1", subject="").choose(reversed(tags)) == "v1.10.0"


def test_of_equal_versions_the_last_by_name_is_chosen() -> None:
    assert parse_range("1.0.0", subject="").choose(["v1.0.0", "1.0.0", "1.0.0+b"]) == "v1.0.0"


@given(st.tuples(*[st.integers(0, 20)] * 3), st.tuples(*[st.integers(0, 20)] * 3))
def test_exactly_one_of_below_equal_and_above_admits_a_version(
    first: tuple[int, int, int], second: tuple[int, int, int]
) -> None:
    version = semver.Version(*first)
    bound = ".".join(map(str, second))
    admitting = [parse_range(f"{sign}{bound}", subject="").admits(version) for sign in ("<", "=", ">")]
    assert admitting.count(True) == 1
    assert parse_range(f"<={bound}", subject="").admits(version) is not admitting[2]
    assert parse_range(f">={bound}", subject="").admits(version) is not admitting[0]


@given(st.text(max_size=40))
def test_any_text_is_a_range_or_an_input_error(text: str) -> None:
    with contextlib.suppress(InputError):
        parse_range(text, subject="source fleet").choose(["v1.2.3"])
