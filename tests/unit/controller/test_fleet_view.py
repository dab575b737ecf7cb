# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page gets of many clusters: counts and causes first, in a size that many apps do not make large."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.plumb.gitops.controller.http import fleet_view
from ansible_collections.plumb.gitops.controller.http.cluster_view import view_of
from ansible_collections.plumb.gitops.controller.http.fleet_view import MOST_FOUND, AppSearch
from ansible_collections.plumb.gitops.controller.http.page import parse_query
from ansible_collections.plumb.gitops.tests.support.agent.many_clusters import (
    COMMIT,
    SUBJECT,
    UNHEALTHY,
    Finding,
    ManyClusters,
    names,
    refused,
)

NOON = 1_800_000_000.0
CLUSTERS, APPS = names("cluster", 100), names("app", 200)
KILOBYTE = 1024


def fleet(clusters: Sequence[str], apps: Sequence[str], findings: Sequence[Finding] = ()) -> ManyClusters:
    """Clusters of which each app came to these findings."""
    made = ManyClusters(NOON)
    for cluster in clusters:
        made.run(cluster, dict.fromkeys(apps, findings))
    return made


def overview(made: ManyClusters) -> dict[str, Any]:
    return made.fleet.overview({"leader": True}, version=made.broker.version, now=made.now)


def size(document: dict[str, Any]) -> int:
    return len(json.dumps(document, separators=(",", ":")))


@pytest.mark.parametrize(
    ("findings", "most"),
    [
        ([], 80 * KILOBYTE),
        ([refused("eu")], 200 * KILOBYTE),
        ([{**refused("eu"), "reason": "r" * 5000}], 300 * KILOBYTE),
    ],
    ids=["in sync", "all refused", "long reasons"],
)
def test_an_overview_of_100_clusters_of_200_apps_is_small(findings: list[Finding], most: int) -> None:
    document = overview(fleet(CLUSTERS, APPS, findings))
    assert size(document) < most
    assert document["counts"]["apps"] == {"refused" if findings else "in sync": 20_000}
    assert "app-150" not in json.dumps(document)


def test_a_bad_commit_is_one_cause_with_the_clusters_that_it_fails_on() -> None:
    made = ManyClusters(NOON)
    for number, cluster in enumerate(names("cluster", 12)):
        bad = {app: [refused(f"ns-{number}")] for app in APPS[:40]}
        made.run(cluster, {**dict.fromkeys(APPS, ()), **(bad if number % 2 else {})})
    document = overview(made)
    (cause,) = document["causes"]
    assert (cause["commit"], cause["subject"], cause["state"]) == (COMMIT, SUBJECT, "refused")
    assert (cause["cluster_count"], cause["app_count"]) == (6, 240)
    assert [each["name"] for each in cause["clusters"]] == [f"cluster-{n:03}" for n in range(1, 12, 2)]
    assert document["counts"] == {
        "clusters": {"refused": 6, "in sync": 6},
        "apps": {"refused": 240, "in sync": 12 * 200 - 240},
    }


def test_a_cluster_is_derived_once_for_each_of_its_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    made = fleet(CLUSTERS[:3], APPS[:2])
    derived: list[str] = []

    def counting(snapshot: Any) -> Any:
        derived.append(snapshot.status["name"])
        return view_of(snapshot)

    monkeypatch.setattr(fleet_view, "view_of", counting)
    for _reader in range(5):
        overview(made)
        made.fleet.search(AppSearch(), now=NOON)
    assert sorted(derived) == CLUSTERS[:3]
    made.broker.changed(CLUSTERS[2])  # as by the progress of a run, of which the view has nothing
    overview(made)
    assert sorted(derived) == CLUSTERS[:3]
    made.run(CLUSTERS[1], {APPS[0]: [refused("eu")]})
    assert overview(made)["counts"]["apps"] == {"refused": 1, "in sync": 4}
    assert derived[3:] == [CLUSTERS[1]]
    del made.clusters[CLUSTERS[0]]
    assert [head["name"] for head in overview(made)["clusters"]] == CLUSTERS[1:3]


SEARCHES = [  # the parameters, and the apps of two clusters that match
    ({}, 8),
    ({"q": "shop"}, 2),
    ({"q": "SHOP eu"}, 1),
    ({"q": "apps/cart"}, 2),
    ({"q": "belongs"}, 1),
    ({"q": "nothing like it"}, 0),
    ({"state": "refused"}, 1),
    ({"state": "refused,unhealthy"}, 2),
    ({"state": "in sync", "cluster": "us"}, 4),
    ({"cluster": "eu"}, 4),
    ({"cluster": "asia"}, 0),
    ({"q": "shop", "offset": "2"}, 0),
]


@pytest.mark.parametrize(("parameters", "number"), SEARCHES)
def test_apps_are_looked_for(parameters: dict[str, str], number: int) -> None:
    made = ManyClusters(NOON)
    unhealthy = {"what": "unhealthy", "object": "Deployment eu/web", "status": "Failed", "message": UNHEALTHY}
    quiet: dict[str, Sequence[Finding]] = dict.fromkeys(("shop", "cart", "web", "db"), ())
    made.run("eu", {**quiet, "db": [refused("eu")], "web": [unhealthy]})
    made.run("us", quiet)
    document = made.fleet.search(parse_query(parameters), now=NOON)
    assert len(document["apps"]) == number
    assert len({(app["cluster"], app["name"]) for app in document["apps"]}) == number


def test_the_worst_app_comes_first_with_its_reasons_and_answers_are_bounded() -> None:
    made = ManyClusters(NOON)
    made.run("eu", {**dict.fromkeys(APPS, ()), APPS[150]: [refused("eu")] * 5}, reverted=7)
    document = made.fleet.search(AppSearch(), now=NOON)
    assert (document["total"], len(document["apps"])) == (200, MOST_FOUND)
    assert document["counts"] == {"refused": 1, "in sync": 199}
    first, second, *_others = document["apps"]
    assert (first["name"], len(first["reasons"]), first["more_reasons"]) == (APPS[150], 3, 2)
    assert (second["name"], second["reverts"]) == (APPS[0], {"hour": 7, "day": 7, "week": 7})
    last = made.fleet.search(AppSearch(offset=190), now=NOON)
    assert [app["name"] for app in last["apps"]] == APPS[190:]


@pytest.mark.parametrize("wrong", [{"state": "sick"}, {"offset": "-1"}, {"offset": "1" * 7}, {"offset": "²"}])
def test_a_query_that_means_nothing_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"state|offset"):
        parse_query(wrong)


def test_reverts_of_an_overview_are_those_of_all_clusters_over_time() -> None:
    made = ManyClusters(NOON - 7200)
    made.run("eu", {"shop": ()}, reverted=3)
    made.now = NOON
    made.run("us", {"shop": ()}, reverted=2)
    document = overview(made)
    assert document["reverts"] == {"hour": 2, "day": 5, "week": 5}
    assert {head["name"]: head["reverts"]["hour"] for head in document["clusters"]} == {"eu": 0, "us": 2}


def test_an_app_that_has_left_the_inventory_has_no_state_in_the_metrics() -> None:
    made = fleet(["eu"], ["shop", "gone"])
    snapshot = made.clusters["eu"]
    made.clusters["eu"] = dataclasses.replace(snapshot, apps=snapshot.apps[:1])
    made.broker.changed("eu")
    assert dict(made.fleet.app_states()) == {"eu": {"shop": "in sync"}}
