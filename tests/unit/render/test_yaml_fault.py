# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An error names the line that is to be corrected, and its column (row 96)."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderError
from ansible_collections.plumb.gitops.plugins.module_utils.render.app import render_path
from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds.limits import Meter
from ansible_collections.plumb.gitops.plugins.module_utils.render.yaml import pyyaml
from ansible_collections.plumb.gitops.plugins.module_utils.render.yaml.documents import read_documents
from ansible_collections.plumb.gitops.tests.unit.render.conftest import Write


def error_of(text: str) -> str:
    with pytest.raises(RenderError) as caught:
        read_documents(text.encode(), file="app/a.yaml", meter=Meter("app shop"))
    return str(caught.value)


INDENTED = {
    "a key deeper than its map": (
        "metadata:\n  name: a\n    labels: x\n",
        3,
        5,
        "4 spaces, where 0 or 2 would",
    ),
    "a map deeper than its map": ("metadata:\n  name: a\n    labels:\n      x: y\n", 3, 5, "0 or 2"),
    "a key between two maps": ("a:\n  b:\n    c: 1\n   d: 2\n", 4, 4, "3 spaces, where 0 or 2 or 4 would"),
    "a key less deep than its map": ("spec:\n    a: 1\n  b: 2\n", 3, 3, "0 or 4"),
    "a key before its list's item": ("spec:\n  containers:\n  - name: a\n   image: b\n", 4, 4, "0 or 2 or 4"),
    "a key behind its list's item": (
        "spec:\n  containers:\n  - name: a\n     image: b\n",
        4,
        6,
        "0 or 2 or 4",
    ),
    "an item before its list": (
        "spec:\n  containers:\n    - name: a\n   - name: b\n",
        4,
        4,
        "0 or 2 or 4 or 6",
    ),
    "a key of the root": ("a: 1\n b: 2\n", 2, 2, "1 spaces, where 0 would"),
    "a root that is indented": (" a: 1\nb: 2\n", 2, 1, "0 spaces, where 1 would"),
    "a line of a text": ("data:\n  a: |\n    text\n   less: b\n  b: 1\n", 4, 4, "3 spaces"),
    "in the second document": ("a: 1\n---\nb:\n  c: 1\n d: 1\n", 5, 2, "1 spaces, where 0 or 2 would"),
    "after a comment": ("spec:\n    a: 1\n# c\n\n  b: 2\n", 5, 3, "2 spaces, where 0 or 4 would"),
    "by a tab": ("a:\n\tb: 1\n", 2, 1, "a tab"),
    "by blanks and a tab": ("a:\n  b: 1\n  \tc: 1\n", 3, 3, "a tab"),
}
BEGUN = {
    "a quote": ("a: 'x\nb: 1\nc: 2\n", 1, 4, "quoted scalar"),
    "a list": ("b: 0\na: [x,\nb: 1\nc: 2\n", 2, 4, "flow sequence"),
    "a map": ("a: {x: 1\nb: 1\nc: 2\n", 1, 4, "flow mapping"),
    "a line without a colon": ("a: b\nc\nd: e\n", 2, 1, "could not find expected ':'"),
    "a colon too many": ("a: b: c\n", 1, 5, "mapping values"),
}


@pytest.mark.parametrize("parser", ["C", "Python"])
@pytest.mark.parametrize("case", INDENTED | BEGUN)
def test_row_96_the_line_and_the_column_are_those_to_be_corrected(
    case: str, parser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if parser == "Python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
        assert pyyaml.parser_class("app shop") is yaml.SafeLoader
    text, line, column, why = (INDENTED | BEGUN)[case]
    message = error_of(text)
    assert message.startswith(f"app shop: reading app/a.yaml:{line}: not valid YAML: column {column}: ")
    assert why in message or parser == "Python"


NAMES = st.sampled_from(["a", "spec", "name", "image"])


@st.composite
def indented(draw: st.DrawFn) -> tuple[str, int, int]:
    """Return a document of nested maps; a line of it, whose indentation no other line above it has; and its column."""
    lines: list[str] = []
    depth = 0
    for number in range(draw(st.integers(3, 12))):
        lines.append(f"{'  ' * depth}{draw(NAMES)}{number}: {draw(st.integers())}")
        if draw(st.booleans()) and depth < 5:
            lines.append(f"{'  ' * depth}{draw(NAMES)}m{number}:")
            depth += 1
        elif draw(st.booleans()):
            depth = max(0, depth - 1)
    if lines[-1].endswith("m:") or ": " not in lines[-1]:
        lines.append(f"{'  ' * depth}last: 1")
    siblings = [
        index
        for index in range(1, len(lines))
        if ": " in lines[index - 1]
        and len(lines[index]) - len(lines[index].lstrip())
        == len(lines[index - 1]) - len(lines[index - 1].lstrip())
    ]
    if not siblings:
        lines[1:1] = ["sibling: 1"]
        siblings = [1]
    wrong = draw(st.sampled_from(siblings))
    indentation = len(lines[wrong]) - len(lines[wrong].lstrip()) + draw(st.sampled_from([-1, 1, 3]))
    indentation = indentation if indentation >= 0 else 1
    lines[wrong] = " " * indentation + lines[wrong].lstrip()
    return "\n".join(lines) + "\n", wrong + 1, indentation + 1


@given(indented())
def test_row_96_whichever_line_is_indented_wrongly_it_is_named(case: tuple[str, int, int]) -> None:
    text, line, column = case
    assert f"a.yaml:{line}: not valid YAML: column {column}: the line is indented by " in error_of(text)


def test_row_96_no_word_of_the_file_is_in_the_message() -> None:
    assert "hunter2" not in error_of("data:\n  password: hunter2\n    hunter2: hunter2\n")


@pytest.mark.parametrize(
    "files",
    [
        {"app/big.yaml": "#" * (17 << 20)},
        {"app/kustomization.yaml": "resources: [big.yaml]", "app/big.yaml": "#" * (17 << 20)},
        {
            "app/kustomization.yaml": "configMapGenerator: [{name: a, files: [big.yaml]}]",
            "app/big.yaml": "x" * (17 << 20),
        },
    ],
)
def test_row_96_a_file_that_is_too_large_is_named_with_its_size_and_what_helps(
    checkout: Write, files: dict[str, str]
) -> None:
    with pytest.raises(RenderError) as caught:
        render_path(checkout(files), "app", subject="app shop")
    assert str(caught.value) == (
        "app shop: reading app/big.yaml: the file has 17 MiB, and a file may have 16. "
        "Split the file, or keep it out of the app's path if it is no manifest."
    )
