# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations, limits and errors: what operators write, and what they read."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import PruneLimit
from ansible_collections.plumb.gitops.plugins.module_utils.model.duration import (
    MAX_SECONDS,
    format_seconds,
    parse_duration,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import (
    MAX_REASON,
    InputError,
    PlumbError,
    printable,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.health import brief_reason
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind, ObjectRef


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90.0), ("5m", 300.0), ("1h30m", 5400.0), ("1h0m1s", 3601.0), ("500ms", 0.5), ("1.5h", 5400.0),
     ("168h", MAX_SECONDS), ("1m500ms", 60.5)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text, subject="app shop, timeout") == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "5", "0s", "0h0m", "-5m", "5 m", " 5m", "5m\n", "5d", "m", "1h30", "5M", "1e3s", "168h1s", "9" * 400 + "s",
     "\u0665m", "infs", "5m5", "1..5s"],
)  # fmt: skip
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_duration(text, subject="app shop, timeout")
    message = str(caught.value)
    assert message.startswith("app shop, timeout: reading a duration: ")
    assert "for example 90s, 5m or 1h30m" in message or "Write 5s for seconds" in message
    assert len(message) < 300


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_an_error(text: str) -> None:
    with suppress(InputError):
        assert 0 < parse_duration(text, subject="x") <= MAX_SECONDS


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0, "0.0s"), (0.44, "0.4s"), (9.94, "9.9s"), (12.4, "12s"), (60.0, "1m"), (90.0, "1m30s"), (5400.0, "1h30m"),
     (3601.0, "1h1s"), (MAX_SECONDS, "168h")],
)  # fmt: skip
def test_seconds_for_people(seconds: float, shown: str) -> None:
    assert format_seconds(seconds) == shown


@given(st.integers(10, int(MAX_SECONDS)))
def test_shown_seconds_are_a_duration(seconds: int) -> None:
    assert parse_duration(format_seconds(seconds), subject="x") == seconds


@pytest.mark.parametrize(
    ("limit", "shown", "count", "total", "allowed"),
    [
        (PruneLimit(50, percent=True), "50%", 10, 20, True),
        (PruneLimit(50, percent=True), "50%", 11, 20, False),
        (PruneLimit(50, percent=True), "50%", 10, 10, True),
        (PruneLimit(50, percent=True), "50%", 11, 11, False),
        (PruneLimit(33, percent=True), "33%", 33, 100, True),
        (PruneLimit(33, percent=True), "33%", 34, 100, False),
        (PruneLimit(3), "3", 3, 3, True),
        (PruneLimit(3), "3", 4, 1000, False),
        (PruneLimit(0), "0", 0, 5, True),
    ],
)
def test_prune_limit(limit: PruneLimit, shown: str, count: int, total: int, *, allowed: bool) -> None:
    assert str(limit) == shown
    assert limit.allows(count, total) is allowed


def test_an_error_names_object_operation_reason_and_next_step() -> None:
    error = PlumbError("app shop", "rendering it", "x.yaml is no YAML", "Correct it.")
    assert str(error) == "app shop: rendering it: x.yaml is no YAML. Correct it."
    assert str(PlumbError("a", "b", "c")) == "a: b: c"


@given(st.text(), st.text(), st.text(max_size=3000), st.text())
def test_foreign_text_cannot_forge_output(subject: str, operation: str, reason: str, step: str) -> None:
    message = str(PlumbError(subject, operation, reason, step))
    assert message.isprintable()
    assert len(message) <= 300 + 300 + 2 * MAX_REASON + 10


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo\tthree", "one two three"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("a\u202eb\u200bc", "a b c"),
        ("  spaces   in \r\n between  ", "spaces in between"),
        ("naïve — ok", "naïve — ok"),
        ("", ""),
        ("x" * 11, "x" * 9 + "…"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text, 10 if len(shown) == 10 else 1000) == shown


def test_identities_as_they_are_shown() -> None:
    assert str(ObjectRef("apps", "Deployment", "shop", "cart")) == "Deployment shop/cart"
    assert str(ObjectRef("", "Namespace", "", "shop")) == "Namespace shop"


@given(
    st.from_regex(re.compile(r"[A-Z][A-Za-z]*"), fullmatch=True),
    st.from_regex(r"([a-z]+(\.[a-z]+)*)?", fullmatch=True),
)
def test_group_kinds_are_read_back(kind: str, group: str) -> None:
    assert GroupKind.parse(str(GroupKind(group, kind))) == GroupKind(group, kind)


@pytest.mark.parametrize(
    ("reason", "brief"),
    [
        ("Pod web-1: container app: CrashLoopBackOff, last exit code 1 (Error), 5 restarts",
         "container app: CrashLoopBackOff, last exit code 1 (Error)"),
        ("3 Pods: unschedulable: 0/3 nodes (and 2 more reasons)", "unschedulable: 0/3 nodes"),
        ("ReplicaSet web-7d9f: exceeded quota: small", "ReplicaSet web-7d9f: exceeded quota: small"),
    ],
)  # fmt: skip
def test_the_brief_reason_is_the_same_as_long_as_the_trouble_is(reason: str, brief: str) -> None:
    assert brief_reason([reason, "another"]) == brief
    assert brief_reason([]) == ""
