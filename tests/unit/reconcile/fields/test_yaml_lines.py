# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML by lines: it reads back as what it was made of, and what differs shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model.change import ABSENT
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.yaml_lines import (
    Changed,
    Verbatim,
    hunks,
    yaml_lines,
)
from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds.limits import Meter
from ansible_collections.plumb.gitops.plugins.module_utils.render.yaml.documents import read_yaml_documents

_TEXT = st.text(max_size=12) | st.sampled_from(
    ["y", "no", "0777", "1e3", "1_000", "2026-12-01", "12:30", "null", "~", "a: b", "a #b", "- a", "{}", "a:", " a",
     "a ", "a\n", "a\n\n", "a\n b\n", "\na", "a\tb\n", "a\n\n\nb", "<<", "=", "*a", "&a", "!a", "%a", "@a",
     "`a`", "'", '"',
     "nginx:1.27", "a/b.c@d", "é", "\u202e", "a\u2028b\n", "...", "---", "--- a\nb", "a\n---\nb", "1.", ".5", "+1", "-"]
)  # fmt: skip
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.sampled_from([0.5, -2.25, 1e300])
    | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)
_OBJECTS = st.dictionaries(_TEXT, _JSON, min_size=1, max_size=4)


def text_of(value: Any) -> str:
    return "".join(f"{line.text}\n" for line in yaml_lines(value))


@given(value=_OBJECTS)
def test_it_reads_back_as_what_it_was_made_of(value: dict[str, Any]) -> None:
    (document,) = read_yaml_documents(text_of(value).encode(), file="x.yaml", meter=Meter("x"))
    assert document.value == value


@given(value=_OBJECTS)
def test_each_line_is_one_printable_line(value: dict[str, Any]) -> None:
    assert all(line.text.replace("\t", " ").isprintable() for line in yaml_lines(value))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": {"b": [1, {"c": "d", "e": []}]}}, "a:\n  b:\n  - 1\n  - c: d\n    e: []\n"),
        ({"a": "x\ny\n"}, "a: |\n  x\n  y\n"),
        ({"a": ["x\n\ny"]}, "a:\n- |-\n  x\n\n  y\n"),
        ({"a": [[1, 2], [{}]]}, "a:\n- - 1\n  - 2\n- - {}\n"),
        ({"a": "no", "b": "nginx:1.27", "c": "1"}, 'a: "no"\nb: nginx:1.27\nc: "1"\n'),
        ({"a": Verbatim("<hidden>")}, "a: <hidden>\n"),
        (ABSENT, ""),
    ],
)
def test_golden(value: Any, expected: str) -> None:
    assert text_of(value) == expected


def test_what_differs_shows_with_three_lines_around_it_and_where_it_is() -> None:
    before = {"spec": {**{f"k{n}": n for n in range(9)}, "last": {"list": [{"name": "a", "x": 1, "z": 0}]}}}
    after = {
        "spec": {
            **before["spec"],
            "k0": Changed(5, ("spec.k0",)),
            "last": {"list": [{"name": "a", "x": Changed(2, ("x",)), "z": 0}]},
        }
    }
    first, second = hunks(yaml_lines(before), yaml_lines(after))
    assert first.lines == (" spec:", "-  k0: 0", "+  k0: 5", "   k1: 1", "   k2: 2", "   k3: 3")
    assert (first.at, first.changes) == ("spec", ("spec.k0",))
    assert second.lines == (
        "   last:",
        "     list:",
        "     - name: a",
        "-      x: 1",
        "+      x: 2",
        "       z: 0",
    )
    assert (second.at, second.changes) == ("spec", ("x",))


def test_a_place_deep_inside_is_named_by_its_parents() -> None:
    def value(image: str) -> dict[str, Any]:
        main = {"name": "main", "a": 1, "b": 2, "c": 3, "image": image, "d": 4}
        return {"spec": {"containers": [{"name": "first"}, main]}}

    (hunk,) = hunks(yaml_lines(value("web:1")), yaml_lines(value("web:2")))
    assert hunk.at == "spec.containers[main]"


def test_a_long_line_is_cut_and_differs_by_its_digest() -> None:
    (hunk,) = hunks(yaml_lines({"a": "x" * 1000 + "1"}), yaml_lines({"a": "x" * 1000 + "2"}))
    before, after = hunk.lines
    assert max(map(len, hunk.lines)) < 400
    assert before[1:] != after[1:]
    assert "704 more characters" in before


@given(before=_OBJECTS, after=_OBJECTS)
def test_all_lines_of_both_sides_are_there_in_order(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = hunks(yaml_lines(before), yaml_lines(after))
    assert (found == ()) is (text_of(before) == text_of(after))
    for side, value in (("-", before), ("+", after)):
        shown = [line[1:] for hunk in found for line in hunk.lines if line[0] in (side, " ")]
        lines = iter(line.text for line in yaml_lines(value))
        assert all(any(line == other for other in lines) for line in shown), "in order, and nothing else"


def test_two_large_texts_without_anything_in_common_take_no_long_comparison() -> None:
    old, new = ({"a": "".join(f"{word} {n}\n" for n in range(3000))} for word in ("old", "new"))
    (hunk,) = hunks(yaml_lines(old), yaml_lines(new))
    assert len(hunk.lines) == 6001
