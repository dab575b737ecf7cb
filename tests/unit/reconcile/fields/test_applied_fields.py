# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The annotation that names the fields an object was last applied with (row 84)."""

from __future__ import annotations

import zlib
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.applied_fields import (
    ANNOTATION,
    as_recorded,
    decode,
    encode,
    with_applied_fields,
)
from ansible_collections.plumb.gitops.tests.unit.reconcile.managed import data, live, ours, update

names = st.text(min_size=1, max_size=20)
sets: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.just({}), lambda inner: st.dictionaries(names.map(lambda name: f"f:{name}"), inner, max_size=8), max_leaves=60
)  # fmt: skip
RECORD: dict[str, Any] = {"f:metadata": {"f:annotations": {f"f:{ANNOTATION}": {}}}}


@given(sets)
def test_row_84_what_is_written_is_read(fields: dict[str, Any]) -> None:
    assert decode(encode(fields)) == fields


@given(st.text())
def test_row_84_any_other_text_is_nothing(text: str) -> None:
    assert isinstance(decode(text), dict)
    assert decode("z" + text) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"f:data": 1}',
        '{"f:data": ["f:a"]}',
        "{" * 5000,
        '{"a":' * 5000,
        "z",
        "z" + b64encode(zlib.compress(b'{"f:data": {}}')[:-2]).decode(),
        "z" + b64encode(zlib.compress(b" " * 100_000_000)).decode(),
    ],
)
def test_row_84_a_damaged_or_hostile_annotation_is_nothing(text: str) -> None:
    assert decode(text) == {}


def test_row_84_the_annotation_is_bounded() -> None:
    assert encode({f"f:{number * 7919:x}": {} for number in range(200_000)}) == ""
    assert len(encode({f"f:key-{number}": {} for number in range(2000)})) < 8192


def test_row_84_it_holds_no_value() -> None:
    secret = "hunter2"
    pod = {"containers": [{"name": "main", "args": [secret], "env": [{"name": "A", "value": secret}]}]}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {"a": secret}, "annotations": {"b": secret}},
        "spec": {**pod, "tolerations": [{"key": "k", "value": secret}], "nodeSelector": {"x": secret}},
        "data": {"k": secret},
        "list": [[secret], {"name": "n", "key": secret}, secret],
    }
    written = with_applied_fields(body, None)["metadata"]["annotations"]
    assert written["b"] == secret
    assert decode(written[ANNOTATION])["f:spec"]["f:containers"]['k:{"name":"main"}']["f:env"]
    assert secret not in repr(decode(written[ANNOTATION]))


@pytest.mark.parametrize(
    ("annotations", "compared"),
    [
        (live(ours(data("a"))), None),  # of an older version, or removed
        (live(ours({**data("a"), **RECORD}), metadata={"annotations": {ANNOTATION: "kept"}}), "kept"),
        (
            live(ours(data("a")), update("x", RECORD), metadata={"annotations": {ANNOTATION: "{}"}}),
            '{"f:data":{"f:a":{}}}',
        ),
        (live(update("x", RECORD), metadata={"annotations": {ANNOTATION: "{}"}}), '{"f:data":{"f:a":{}}}'),
    ],
    ids=["absent", "ours", "edited", "without an entry of ours"],
)
def test_row_84_how_a_live_annotation_is_compared(annotations: dict[str, Any], compared: str | None) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cart"}, "data": {"a": "1"}}
    annotations = as_recorded(body, annotations)["metadata"].get("annotations") or {}
    assert annotations.get(ANNOTATION) == compared
