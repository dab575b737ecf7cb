# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a field differs, and who made it so."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.change import (
    ABSENT,
    MASK,
    Cause,
    Culprit,
    FieldChange,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.drift.explain import explain, value_at
from ansible_collections.plumb.gitops.tests.unit.reconcile.managed import data, entry, live, ours, update

TIME = "2026-11-23T07:00:00Z"
EDITOR = update("kubectl-edit", data("a"), time=TIME)
SCALER = update("kubectl", data("a"), subresource="scale")
APPLIER = entry("helm", "Apply", data("a"), time=TIME)

BY_EDITOR = Culprit("kubectl-edit", "Update", "", TIME)
BY_SCALER = Culprit("kubectl", "Update", "scale", "")
BY_APPLIER = Culprit("helm", "Apply", "", TIME)

# what is live of `data`, its owners, whether Git says what it said, then: live, cause, culprit
CASES: dict[str, tuple[dict[str, str], list[Any], bool, Any, Cause, Culprit | None]] = {
    "Git says something new": ({"a": "1"}, [ours(data("a"))], False, "1", Cause.GIT, None),
    "Git says one field more": ({}, [ours(data("b"))], False, ABSENT, Cause.GIT, None),
    "somebody changed ours": ({"a": "9"}, [ours(data("b")), EDITOR], True, "9", Cause.DRIFT, BY_EDITOR),
    "somebody changed ours, and Git moved": (
        {"a": "9"}, [ours(data("b")), EDITOR], False, "9", Cause.DRIFT, BY_EDITOR),
    "somebody scaled": ({"a": "9"}, [ours(data("b")), SCALER], True, "9", Cause.DRIFT, BY_SCALER),
    "another tool took it": ({"a": "9"}, [ours(data("b")), APPLIER], True, "9", Cause.DRIFT, BY_APPLIER),
    "somebody removed ours": ({}, [ours(data("b"))], True, ABSENT, Cause.DRIFT, None),
    "changed under our claim": ({"a": "9"}, [ours(data("a"))], True, "9", Cause.DRIFT, None),
    "changed under our claim, another co-owns": (
        {"a": "9"}, [ours(data("a")), EDITOR], True, "9", Cause.DRIFT, None),
    "the latest of two editors": (
        {"a": "9"}, [update("kubectl-patch", data("a"), time="2026-11-22T00:00:00Z"), EDITOR], True, "9",
        Cause.DRIFT, BY_EDITOR),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_cause_and_culprit(name: str) -> None:
    content, owners, same_manifest, before, cause, culprit = CASES[name]
    predicted = live(ours(data("a", "b")), data={"a": "3"})
    changes = explain(live(*owners, data=content), predicted, drift_only=same_manifest, adopting=False)
    assert changes == (FieldChange("data.a", before, "3", cause, culprit),)


def test_what_is_found_at_adoption_is_not_drift() -> None:
    changes = explain(live(EDITOR, data={"a": "9"}), live(data={"a": "3"}), drift_only=False, adopting=True)
    assert changes == (FieldChange("data.a", "9", "3", Cause.GIT),)


def test_nothing_differs() -> None:
    body = live(EDITOR, data={"a": "9"})
    assert explain(body, body, drift_only=True, adopting=False) == ()


def test_what_plumb_records_on_an_object_is_no_change_to_tell() -> None:
    before, after = (
        live(
            metadata={
                "annotations": {"plumb.gitops/manifest": text, "plumb.gitops/applied-fields": text, "x": "y"}
            }
        )
        for text in ("old", "new")
    )
    assert explain(before, after, drift_only=False, adopting=False) == ()


def test_a_move_between_apps_is_no_drift_of_the_member_label() -> None:
    before, after = (
        live(metadata={"labels": {"applyset.kubernetes.io/part-of": its_set}}) for its_set in ("a", "b")
    )
    changes = [
        explain(before, after, drift_only=True, adopting=False, moving=moving) for moving in (True, False)
    ]
    assert [len(changes_of_app) for changes_of_app in changes] == [0, 1]


def test_values_of_a_secret_stay_hidden_whatever_the_cause() -> None:
    body = {**live(EDITOR, data={"a": "aHVudGVy", "b": "eA=="}), "kind": "Secret"}
    predicted = {**live(ours(data("a"))), "kind": "Secret", "data": {"a": "bmV3"}}
    changes = explain(body, predicted, drift_only=True, adopting=False)
    assert [(c.path, c.live, c.desired) for c in changes] == [
        ("data.a", MASK, MASK),
        ("data.b", MASK, ABSENT),
    ]
    assert changes[0].culprit == BY_EDITOR


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("f:spec", "f:ports", 'k:{"port":80}', "f:name"), "web"),
        (("f:spec", "f:ports", 'k:{"port":81}'), ABSENT),
        (("f:spec", "f:set", 'v:"b"'), "b"),
        (("f:spec", "f:set", 'v:"c"'), ABSENT),
        (("f:spec", "f:flags", "v:1"), ABSENT),
        (("f:spec", "f:set", "f:a"), ABSENT),
        (("f:spec", "f:set", "i:0"), ABSENT),
        (("f:spec", "f:nothing"), None),
        (("f:spec", "f:nothing", "f:below"), ABSENT),
        (("f:absent",), ABSENT),
    ],
)
def test_value_at(path: tuple[str, ...], value: Any) -> None:
    body = {
        "spec": {"ports": [{"port": 80, "name": "web"}], "set": ["a", "b"], "flags": [True], "nothing": None}
    }
    assert value_at(body, path) is value or value_at(body, path) == value
