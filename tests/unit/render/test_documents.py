# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loader reads what Kubernetes reads, and answers everything else with a RenderError that names the line."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderError
from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds import limits
from ansible_collections.plumb.gitops.plugins.module_utils.render.yaml import pyyaml
from ansible_collections.plumb.gitops.plugins.module_utils.render.yaml.documents import (
    Document,
    read_documents,
    read_yaml_documents,
)

CASES = Path(__file__).parent / "cases"
ROWS = [json.loads(line) for line in (CASES / "scalars/sigs-yaml.jsonl").read_text().splitlines()]
# Refused on purpose where sigs.k8s.io/yaml guesses: the key becomes text by way of a 32-bit float.
STRICTER = {"1.5: a"}
# PyYAML's parser in Python drops the tag `!` before anyone can see it.
DROPPED_BY_PYTHON_PARSER = {"a: ! 12"}


def read(text: str | bytes) -> tuple[Document, ...]:
    data = text if isinstance(text, bytes) else text.encode()
    return read_documents(data, file="a.yaml", meter=limits.Meter("app shop"))


def refused(text: str | bytes) -> str:
    with pytest.raises(RenderError) as caught:
        read(text)
    return str(caught.value)


def same(ours: Any, theirs: Any) -> bool:
    """Equal in JSON type and value; numbers beyond int64 are doubles, whose digits JSON may write in two ways."""
    if isinstance(ours, float) and isinstance(theirs, int) and not isinstance(theirs, bool):
        return abs(theirs) >= 2**63 and ours == float(theirs)
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(same(a, b) for a, b in zip(ours, theirs, strict=True))
    return bool(ours == theirs)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: repr(row["yaml"]))
@pytest.mark.parametrize("parser", ["C", "Python"])
def test_reads_what_kubernetes_reads(
    row: dict[str, Any], parser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if parser == "Python":
        if row["yaml"] in DROPPED_BY_PYTHON_PARSER:
            return
        monkeypatch.delattr(pyyaml.yaml, "CSafeLoader")
    if "error" in row or row["yaml"] in STRICTER:
        assert "a.yaml:" in refused(row["yaml"])
        return
    documents = read(row["yaml"])
    assert same(documents[0].value if documents else None, row["value"]), documents


def test_says_where_documents_and_list_items_start() -> None:
    text = "# first\na: 1\n---\n# nothing\n---\n\nkind: List\nitems:\n- {a: 1}\n- b: 2\n  items: [{}]\n"
    assert read(text) == (
        Document({"a": 1}, 2),
        Document({"kind": "List", "items": [{"a": 1}, {"b": 2, "items": [{}]}]}, 7, (9, 10)),
    )


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# only\n# comments\n", "---\n", "---\n---\n", "\ufeff", "null\n"]
)
def test_leaves_out_what_is_empty(text: str) -> None:
    assert read(text) == ()


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("a: 1\nb: {c: 1}\na: 2\n", "a.yaml:3", "'a' is written twice, first on line 1"),
        ("x:\n  a: 1\n  b: 1\n  a: 2\n", "a.yaml:4", "'a' is written twice, first on line 2"),
        ("1: a\n'1': b\n", "a.yaml:2", "'1' is written twice"),
        ('{\n"a": 1,\n"a": 2}\n', "a.yaml:3", "'a' is written twice"),
        ("x: &x {a: 1}\ny:\n  a: 2\n  <<: *x\n", "a.yaml:4", "'a', which is written above it"),
        ("a: b\n\tc: d\n", "a.yaml:2", "tab"),
        ("a: [1,\nb: 2\n", "a.yaml:1", "not valid YAML: column 4"),
        ("a: b: c\n", "a.yaml:1", "mapping values are not allowed"),
        (b"a: b\nc: \xff\n", "a.yaml:2", "not valid UTF-8"),
        ("a: b\n".encode("utf-16"), "a.yaml:1", "not valid UTF-8"),
        (b"a: b\nc: \x00\n", "a.yaml:2", "a character that YAML does not allow"),
        ("ü: b\nü: \x01\n", "a.yaml:2", "a character that YAML does not allow"),
        ("a:\n- !!python/object/apply:os.system [id]\n", "a.yaml:2", "core ones"),
        ("data: !!binary aGVsbG8=\n", "a.yaml:1", "!!binary"),
        ("data: !vault x\n", "a.yaml:1", "core ones"),
        ("a: !!set {b}\n", "a.yaml:1", "core ones"),
        ("a: &a [*a]\n", "a.yaml:1", "contains itself"),
        ("a: 1\nb: *c\n", "a.yaml:2", "no anchor above it"),
        ("a: .inf\n", "a.yaml:1", "infinity"),
        ("? [a]\n: b\n", "a.yaml:1", "cannot be a key"),
        ("a: 1\n~: b\n", "a.yaml:2", "Quote the key"),
        ("a:\n" + "- " * 3000 + "x\n", "a.yaml:2", "more than 100 deep"),
        ("[" * 200_000, "a.yaml:1", "more than 100 deep"),
        ('{"a":' * 200_000, "a.yaml:1", "more than 100 deep"),
        ('{"a":' * 150 + "1" + "}" * 150, "a.yaml:1", "more than 100 deep"),
    ],
)
def test_names_file_line_and_fault(text: str | bytes, where: str, why: str) -> None:
    message = refused(text)
    assert message.startswith(f"app shop: reading {where}: ")
    assert why in message


@pytest.mark.parametrize(
    "text", ["password: *hunter2\n", "password: !hunter2\n", "password: !hunter2 x\n", "a: &b *hunter2"]
)
def test_an_unquoted_password_stays_out_of_the_error(text: str) -> None:
    assert "hunter2" not in refused(text)


def test_windows_line_ends_and_a_byte_order_mark_are_read() -> None:
    assert read("\ufeffa: 1\r\nb: |\r\n  x\r\n  y\r\n")[0].value == {"a": 1, "b": "x\ny\n"}


def test_json_keeps_what_yaml_could_not_say() -> None:
    text = '{"a": "\\ud83d\\ude00\\/", "b": 1.0, "c": 1e3, "d": [true, null, 0.5]}\n{"f": {}}'
    first, second = read(text)
    assert first.value == {"a": "😀/", "b": 1, "c": 1000, "d": [True, None, 0.5]}
    assert isinstance(first.value["b"], int)
    assert (second.value, second.line) == ({"f": {}}, 2)


def test_half_a_surrogate_pair_is_refused() -> None:
    assert "a.yaml:1" in refused('{"a": "\\ud83d"}')


def test_merge_keys() -> None:
    text = "x: &x {a: 1, b: 2}\nw: &w {a: 3, c: 4}\nz: {<<: [*x, *w], b: 5}\nq: {'<<': 1}\n"
    assert read(text)[0].value["z"] == {"a": 1, "b": 5, "c": 4}
    assert read(text)[0].value["q"] == {"<<": 1}


def bomb(width: int, height: int) -> str:
    rows = [f"a0: &a0 [{', '.join(['x'] * width)}]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, height)]
    return "\n".join(rows) + "\n"


def test_an_alias_bomb_is_refused_and_a_modest_use_is_not() -> None:
    assert len(read(bomb(3, 3))[0].value["a2"]) == 3
    assert "with aliases written out" in refused(bomb(10, 40))


def test_a_bomb_of_one_long_text_is_refused() -> None:
    text = f"a: &a {'x' * 1_000_000}\nb: [{', '.join(['*a'] * 100)}]\n"
    assert "larger than 64 MiB with aliases written out" in refused(text)


def test_a_bomb_of_merges_is_refused() -> None:
    keys = ", ".join(f"k{n}: 1" for n in range(5000))
    text = f"a: &a {{{keys}}}\nb:\n" + "- {<<: *a}\n" * 500
    assert "with aliases written out" in refused(text)


def test_the_number_of_documents_is_bounded() -> None:
    assert "more than 50000 documents" in refused("---\n" * 50_001)


def test_bounds_hold_for_all_files_of_an_app_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_VALUES", 1000)
    meter = limits.Meter("app shop")
    data = b"- x\n" * 400
    read_yaml_documents(data, file="a.yaml", meter=meter)
    read_yaml_documents(data, file="b.yaml", meter=meter)
    with pytest.raises(RenderError, match=r"reading c\.yaml.*more than 1000 values"):
        read_yaml_documents(data, file="c.yaml", meter=meter)


HOSTILE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderError
from ansible_collections.plumb.gitops.plugins.module_utils.render.app import render_path
from pathlib import Path
try:
    render_path(Path(sys.argv[1]), ".", subject="app shop")
except RenderError as exc:
    print(exc)
"""


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("big.yaml", b"a: " + b"x" * 100_000_000, "the file has 96 MiB, and a file may have 16"),
        ("many.yaml", b"- {}\n" * 3_000_000, "more than 1000000 values"),
        ("deep.yaml", b"[" * 15_000_000, "more than 100 deep"),
        ("deep.json", b'{"a":' * 3_000_000, "more than 1000000 commas and brackets"),
        ("bomb.yaml", bomb(10, 100).encode(), "with aliases written out"),
        ("stream.json", b"{}" * 8_000_000, "more than 1000000 commas and brackets"),
        ("documents.json", b"{}" * 60_000, "more than 50000 documents"),
        (
            "lists.yaml",
            b"kind: List\nitems:\n" + b"- kind: List\n" * 490_000 + b"- x\n",
            "is text, not an object",
        ),
        ("flat.json", b'{"a": [' + b"1," * 3_000_000 + b"1]}", "more than 1000000 commas and brackets"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_hostile_files_end_in_an_error_within_bounded_memory(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    (tmp_path / name).write_bytes(content)
    program = HOSTILE.format(limit=2 * 1024**3)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, why in done.stdout) == (0, True), (done.stdout, done.stderr[-500:])
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != 2 * 1024**3  # the bound was the child's alone


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def as_doubles(value: Any) -> Any:
    """Numbers as doubles: of one beyond 2^53 the digits are free, not the value."""
    if isinstance(value, dict):
        return {key: as_doubles(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_doubles(part) for part in value]
    return value if isinstance(value, bool) or not isinstance(value, int) else float(value)


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), JSON_VALUES, max_size=5))
@example({"": 0.0, "a": [1e20, -0.0, 5e-324]})
def test_agrees_with_json(value: dict[str, Any]) -> None:
    for indent in (None, 2):
        documents = read(json.dumps(value, indent=indent))
        assert [as_doubles(document.value) for document in documents] == [as_doubles(value)]


def survives(data: bytes) -> None:
    """Documents that JSON can say, or a RenderError that names the file; nothing else."""
    try:
        documents = read(data)
    except RenderError as exc:
        message = str(exc)
    else:
        json.dumps([document.value for document in documents], allow_nan=False).encode()
        message = "app shop: reading a.yaml"
    assert message.startswith("app shop: reading a.yaml")


@pytest.fixture(params=["C", "Python"])
def parser(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both of PyYAML's parsers."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "Python":
            patch.delattr(pyyaml.yaml, "CSafeLoader")
        yield


@pytest.mark.usefixtures("parser")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
@example(b"a: \xed\xa0\x80")
@example(b"\xff\xfe")
@example(b"{")
@example(b"{}}")
@example(b"&a")
@example(b"? ")
@example(b"--- !!map\n...\n")
@example(b'"\\U00110000"')
@example(b"%YAML " + b"1" * 5000 + b".1\n---\n")
def test_bytes_give_documents_or_a_render_error(data: bytes) -> None:
    survives(data)


SYNTAX = [
    *"ab1:-?[]{},|>'\"#\\é\ufeff_.~\n\t",
    "0x",
    ".inf",
    "yes",
    ": ",
    "- ",
    "? ",
    "&a ",
    "*a ",
    "!!str ",
    "! ",
    "<<: ",
]
SYNTAX += [">-", "\n  ", "\r\n", "---\n", "...\n", "%YAML 1.1\n"]


@pytest.mark.usefixtures("parser")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.lists(st.sampled_from(SYNTAX), max_size=40).map("".join))
def test_syntax_gives_documents_or_a_render_error(text: str) -> None:
    survives(text.encode())
