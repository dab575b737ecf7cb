# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as one cause, and what a cause says of the clusters and apps that have it."""

from __future__ import annotations

import dataclasses
import itertools
import random

import pytest

from ansible_collections.plumb.gitops.controller.core.causes import (
    MOST_APPS,
    MOST_CAUSES,
    MOST_CLUSTERS,
    Problem,
    cause_documents,
    group_by_cause,
    merge_causes,
)

BASE = Problem(
    cluster="prod-eu",
    app="shop",
    object="ConfigMap eu/flags",
    state="refused",
    reason="ConfigMap eu/flags belongs to nobody; set adopt: true",
    source="fleet",
    commit="4f2a9c1",
    subject="Turn the beta off",
)


def like(**changes: str) -> Problem:
    return dataclasses.replace(BASE, **changes)


SAME = {
    "the same app of another cluster": like(cluster="prod-us"),
    "an object of another name": like(
        object="ConfigMap us/banner", reason=BASE.reason.replace("eu/flags", "us/banner")
    ),
    "another app": like(app="cart", reason=BASE.reason),
}
OTHER = {
    "another reason": like(reason="ConfigMap eu/flags is immutable"),
    "another state": like(state="failed"),
    "another commit": like(commit="0000000"),
    "another source": like(source="platform"),
}
REASONS = [  # two reasons, and whether they have one cause
    ("no answer within 30s", "no answer within 1m0.5s", True),
    ("no answer from https://10.0.0.1:6443/api", "no answer from https://api.prod-us:6443/api", True),
    ("connect to 10.0.0.1:6443: refused", "connect to 10.1.2.3:6443: refused", True),
    ("Pod web-6d4b9c7f5d-x2x4z: exit code 1", "Pod web-7c9d8b6f4d-k8s2p: exit code 1", True),
    ("Pod web-6d4b9c7f5d-x2x4z: exit code 1", "Pod web-6d4b9c7f5d-x2x4z: exit code 137", False),
    ("1 of 3 replicas are available", "0 of 5 replicas are available", True),
    ("since 2026-11-24T05:37:51Z", "since 2026-12-01T00:00:00.123Z", True),
    ("uid 3f1c2a4e-1111-2222-3333-444455556666", "uid 00000000-1111-2222-3333-444455556666", True),
    ("HTTP 403", "HTTP 503", False),
    ("image web:1.4.2 is not there", "image web:1.4.3 is not there", False),
    ("two\n  lines", "two lines", True),
]


@pytest.mark.parametrize("other", SAME.values(), ids=SAME)
def test_names_make_no_other_cause(other: Problem) -> None:
    (cause,) = group_by_cause([BASE, other])
    assert cause.objects == 2
    assert (cause.subject, cause.commit) == ("Turn the beta off", "4f2a9c1")


@pytest.mark.parametrize("other", OTHER.values(), ids=OTHER)
def test_another_state_reason_or_commit_is_another_cause(other: Problem) -> None:
    assert len(group_by_cause([BASE, other])) == 2


@pytest.mark.parametrize(("first", "second", "same"), REASONS)
def test_what_varies_in_reasons_of_one_cause(first: str, second: str, same: bool) -> None:
    assert (len(group_by_cause([like(reason=first), like(reason=second)])) == 1) is same


def test_drift_has_no_commit() -> None:
    drifted = like(state="drifted", reason="spec.replicas")
    (cause,) = group_by_cause([drifted, dataclasses.replace(drifted, commit="0000000", source="other")])
    assert (cause.source, cause.commit, cause.subject) == ("", "", "")


def test_a_cause_says_how_many_clusters_and_apps_have_it_and_the_first_names() -> None:
    problems = [
        like(cluster=f"c{cluster:03}", app=f"a{app:03}") for cluster in range(100) for app in range(200)
    ]
    (document,) = cause_documents(group_by_cause(problems))
    assert (document["cluster_count"], document["app_count"], document["object_count"]) == (
        100,
        20_000,
        20_000,
    )
    assert len(document["clusters"]) == MOST_CLUSTERS
    assert document["clusters"][0] == {
        "name": "c000",
        "apps": 200,
        "first": [f"a{app:03}" for app in range(MOST_APPS)],
    }


def test_a_problem_of_a_cluster_counts_no_app() -> None:
    (document,) = cause_documents(group_by_cause([like(app="", object="", reason="no answer")]))
    assert (document["cluster_count"], document["app_count"], document["object_count"]) == (1, 0, 0)
    assert document["clusters"] == [{"name": "prod-eu", "apps": 0, "first": []}]


def test_the_most_widespread_cause_comes_first_and_there_is_a_bound() -> None:
    rare = [like(reason=f"reason {number:x}x") for number in range(MOST_CAUSES + 5)]
    common = [like(reason="common", cluster=f"c{number}") for number in range(3)]
    causes = group_by_cause([*rare, *common])
    assert causes[0].reason == "common"
    assert len(causes) == MOST_CAUSES + 6
    assert len(cause_documents(causes)) == MOST_CAUSES


@pytest.mark.parametrize("seed", range(20))
def test_groups_of_parts_merge_to_the_group_of_all(seed: int) -> None:
    """The agent groups each cluster once, and merges: that must be the same as to group everything."""
    draw = random.Random(seed)  # noqa: S311 - draws tests
    problems = [
        like(
            cluster=draw.choice("abc"),
            app=draw.choice(("", "shop", "cart")),
            reason=draw.choice(("one", "two 3s", "two 4s")),
            commit=draw.choice("12"),
            state=draw.choice(("failed", "drifted")),
        )
        for _number in range(30)
    ]
    of_clusters = itertools.groupby(sorted(problems, key=lambda p: p.cluster), lambda p: p.cluster)
    parts = [group_by_cause(group) for _cluster, group in of_clusters]
    merged = merge_causes(itertools.chain.from_iterable(parts))
    assert cause_documents(merged) == cause_documents(group_by_cause(problems))
