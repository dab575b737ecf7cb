# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is pruned, and each rule that holds a prune back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AppState, PruneLimit
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Body, ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.plan.prune import (
    CONSENT,
    Prune,
    plan_prune,
)
from ansible_collections.plumb.gitops.tests.unit.reconcile.samples import app

GROUPS = {"CustomResourceDefinition": "apiextensions.k8s.io", "Deployment": "apps"}


def member(kind: str = "ConfigMap", name: str = "old", **metadata: Any) -> tuple[ObjectRef, Body]:
    ref = ObjectRef(GROUPS.get(kind, ""), kind, "", name)
    return ref, {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **metadata}}


def planned(*members: tuple[ObjectRef, Body], keep: int = 0, **options: Any) -> Prune:
    """The prune of these members, beside `keep` others that Git still wants."""
    wanted_members = dict(member(name=f"kept{number}") for number in range(keep))
    rules: dict[str, Any] = {
        "blocked": "", "waits": "", "reason": "left Git in 4f2a9c1",
        "wanted_elsewhere": lambda _ref: "", "wanted_inside": lambda _ref, _live: "",
    }  # fmt: skip
    rules |= {key: options.pop(key) for key in list(options) if key in rules}
    return plan_prune(app(**options), {**wanted_members, **dict(members)}, frozenset(wanted_members), **rules)


def test_a_member_that_left_git_is_pruned_and_says_so() -> None:
    prune = planned(member(), keep=1)
    (planned_action,) = prune.planned_actions
    assert (planned_action.action.verb, planned_action.action.reason) == (Verb.PRUNE, "left Git in 4f2a9c1")
    assert planned_action.live == member()[1]
    assert not prune.blocked


def test_nothing_left() -> None:
    assert planned(keep=3) == Prune(())


@pytest.mark.parametrize(
    "kind", ["Namespace", "PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition"]
)
@pytest.mark.parametrize(
    ("consent", "verb", "waits"),
    [({}, Verb.UNCHANGED, True), ({CONSENT: "enabled"}, Verb.PRUNE, False),
     ({CONSENT: "disabled"}, Verb.UNCHANGED, False), ({CONSENT: "Enabled"}, Verb.UNCHANGED, True)],
)  # fmt: skip
def test_what_takes_data_with_it_needs_consent(
    kind: str, consent: dict[str, str], verb: Verb, *, waits: bool
) -> None:
    (planned_action,) = planned(member(kind, annotations=consent)).planned_actions
    assert planned_action.action.verb is verb
    assert (
        f"waits for consent: annotate this {kind} {CONSENT}=enabled" in planned_action.action.reason
    ) is waits


def test_consent_does_not_reach_what_git_still_wants() -> None:
    consenting = member("Namespace", annotations={CONSENT: "enabled"})
    (planned_action,) = planned(
        consenting, wanted_inside=lambda _ref, _live: "ConfigMap old/cart"
    ).planned_actions
    assert planned_action.action.verb is Verb.REFUSED
    assert "Git wants ConfigMap old/cart" in planned_action.action.reason
    (alone,) = planned(member(), wanted_inside=lambda _ref, _live: "ConfigMap old/cart").planned_actions
    assert alone.action.verb is Verb.PRUNE


@pytest.mark.parametrize("state", list(AppState))
def test_consent_is_asked_of_an_absent_app_too(state: AppState) -> None:
    (planned_action,) = planned(member("PersistentVolumeClaim"), state=state).planned_actions
    assert planned_action.action.verb is Verb.UNCHANGED
    assert "waits for consent" in planned_action.action.reason


@pytest.mark.parametrize(
    ("metadata", "options", "why"),
    [
        ({"annotations": {CONSENT: "disabled"}}, {}, "its annotation plumb.gitops/prune is disabled"),
        ({}, {"prune": False}, "the app has prune: false"),
        ({"deletionTimestamp": "2026-11-23T07:00:00Z"}, {}, "it is being deleted"),
    ],
)
def test_what_is_kept_says_why(metadata: dict[str, Any], options: dict[str, Any], why: str) -> None:
    (planned_action,) = planned(member(**metadata), **options).planned_actions
    assert planned_action.action.verb is Verb.UNCHANGED
    assert why in planned_action.action.reason


def test_an_absent_app_is_pruned_though_it_says_prune_false() -> None:
    (planned_action,) = planned(member(), prune=False, state=AppState.ABSENT).planned_actions
    assert planned_action.action.verb is Verb.PRUNE


def test_what_another_app_wants_now_is_left_to_it() -> None:
    prune = planned(
        member(), member(name="other"), wanted_elsewhere=lambda ref: "cart" if ref.name == "old" else ""
    )
    assert [planned_action.action.ref.name for planned_action in prune.planned_actions] == ["other"]


LIMITS: list[tuple[PruneLimit, int, int, bool]] = [
    # limit, left, kept, allowed
    (PruneLimit(50, percent=True), 6, 5, False),
    (PruneLimit(50, percent=True), 6, 6, True),
    (PruneLimit(50, percent=True), 9, 1, True),  # up to 10 objects a percentage says nothing
    (PruneLimit(0, percent=True), 1, 10, False),
    (PruneLimit(100, percent=True), 20, 1, True),
    (PruneLimit(2), 2, 1, True),
    (PruneLimit(2), 3, 100, False),
    (PruneLimit(0), 1, 1, False),
]


@pytest.mark.parametrize(("limit", "left", "remaining", "allowed"), LIMITS)
def test_prune_limit(limit: PruneLimit, left: int, remaining: int, *, allowed: bool) -> None:
    prune = planned(*(member(name=f"old{n}") for n in range(left)), keep=remaining, prune_limit=limit)
    assert {planned_action.action.verb for planned_action in prune.planned_actions} == {
        Verb.PRUNE if allowed else Verb.REFUSED
    }
    assert (f"{left} of {left + remaining} objects left Git" in prune.blocked) is not allowed


def test_what_is_kept_anyway_does_not_count() -> None:
    protected = member(annotations={CONSENT: "disabled"})
    assert not planned(protected, member(name="x"), keep=1, prune_limit=PruneLimit(1)).blocked


@pytest.mark.parametrize(
    "options", [{"state": AppState.ABSENT}, {"allow_empty": True}], ids=["absent", "empty"]
)
def test_all_of_an_app_may_go_where_that_is_said(options: dict[str, Any]) -> None:
    prune = planned(*(member(name=f"old{n}") for n in range(20)), prune_limit=PruneLimit(1), **options)
    assert {planned_action.action.verb for planned_action in prune.planned_actions} == {Verb.PRUNE}


def test_a_blocked_prune_prunes_nothing_and_says_why() -> None:
    protected = member(name="kept", annotations={CONSENT: "disabled"})
    prune = planned(member(), protected, blocked="ConfigMap could not be listed")
    assert prune.blocked == "ConfigMap could not be listed"
    verbs = {
        planned_action.action.ref.name: planned_action.action.verb for planned_action in prune.planned_actions
    }
    assert verbs == {"old": Verb.REFUSED, "kept": Verb.UNCHANGED}
    (held,) = (
        planned_action
        for planned_action in prune.planned_actions
        if planned_action.action.verb is Verb.REFUSED
    )
    assert held.action.reason == "left Git in 4f2a9c1; not pruned: ConfigMap could not be listed"


def test_a_prune_that_waits_is_no_failure() -> None:
    prune = planned(member(), waits="app b does not render")
    (held,) = prune.planned_actions
    assert (held.action.verb, prune.blocked) == (Verb.UNCHANGED, "app b does not render")
    assert held.action.reason == "left Git in 4f2a9c1; not pruned: app b does not render"


def test_deletes_come_in_the_reverse_order_of_applies() -> None:
    consent: dict[str, Any] = {"annotations": {CONSENT: "enabled"}}
    prune = planned(member("Namespace", **consent), member("Deployment"), member("ConfigMap"))
    assert [planned_action.action.ref.kind for planned_action in prune.planned_actions] == [
        "Deployment",
        "ConfigMap",
        "Namespace",
    ]
