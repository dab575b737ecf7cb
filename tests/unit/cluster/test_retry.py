# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is tried again and what is not: seen from the server's side, with pauses that are noted and not slept."""

from __future__ import annotations

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster import errors
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.retry import Clock, pause

BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}}
GUARD = {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}


def apply(cluster, config_map):
    return cluster.apply(config_map, BODY, field_manager="plumb", force=False)


def delete(cluster, config_map):
    return cluster.delete(config_map, namespace="n", name="a", uid="u", resource_version="7")


def patch(cluster, config_map, *operations):
    return cluster.json_patch(
        config_map, namespace="n", name="a", operations=operations, field_manager="plumb"
    )


def test_a_throttled_apply_waits_as_long_as_the_server_asks(
    cluster, server, says, refuses, pauses, config_map
):
    busy = refuses(429, "TooManyRequests", "slow down")
    server.says(says(status=429, body=busy.body, headers={"Retry-After": "3"}), says(body=BODY))
    assert apply(cluster, config_map) == BODY
    assert pauses == [3.5]
    assert (cluster.requests.writes, cluster.requests.retries) == (1, 1)


def test_throttling_is_borne_a_bounded_number_of_times(cluster, server, says, pauses, config_map):
    server.answer = lambda _: says(status=429, headers={"Retry-After": "900"})
    with pytest.raises(errors.Throttled) as caught:
        apply(cluster, config_map)
    assert not caught.value.outcome_unknown
    assert all(seconds <= 30.5 for seconds in pauses)
    assert sum(pauses) <= 60.5


def test_a_burst_of_5xx_is_borne_with_growing_pauses(cluster, server, says, pauses, config_map):
    server.says(says(status=503), says(status=502), says(status=500), says(body={"items": []}))
    # A 500 ends the patience sooner than the others, so here it is the last word.
    with pytest.raises(errors.ServerFailure):
        cluster.list(config_map)
    assert pauses == [0.5, 1.0]


@pytest.mark.parametrize(("status", "tries"), [(500, 3), (502, 5), (503, 5), (504, 3)])
def test_each_5xx_has_its_number_of_tries(cluster, server, says, config_map, status, tries):
    server.answer = lambda _: says(status=status)
    with pytest.raises(errors.ServerFailure) as caught:
        apply(cluster, config_map)
    assert len(server.seen) == tries
    assert caught.value.outcome_unknown is (status in {502, 504})


@pytest.mark.parametrize(
    "message",
    [
        "failed to create typed patch object (n/a; apps/v1, Kind=Deployment): .spec.x: field not declared in schema",
        'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0',
    ],
)
def test_a_permanent_500_is_tried_once(cluster, server, refuses, config_map, message):
    server.says(refuses(500, "InternalError", message))
    with pytest.raises(errors.ServerFailure) as caught:
        apply(cluster, config_map)
    assert caught.value.permanent
    assert "Correct the manifest" in caught.value.next_step


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 415, 422])
def test_no_other_4xx_is_tried_again(cluster, server, says, config_map, status):
    server.says(says(status=status))
    with pytest.raises(errors.RequestError):
        apply(cluster, config_map)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "broken", [{"drop": True}, {"body": {"long": "x" * 99}, "cut": 9}, {"body": b"<html>"}]
)
def test_a_lost_answer_is_asked_for_again(cluster, server, says, config_map, broken):
    server.says(says(**broken), says(body={"items": [], "metadata": {"resourceVersion": "8"}}))
    assert cluster.list(config_map).resource_version == "8"
    server.says(says(**broken), says(body=BODY))
    assert apply(cluster, config_map) == BODY


def test_an_apply_whose_answers_are_all_lost_has_an_unknown_outcome(cluster, server, says, config_map):
    server.answer = lambda _: says(drop=True)
    with pytest.raises(errors.Unreachable) as caught:
        apply(cluster, config_map)
    assert caught.value.outcome_unknown
    with pytest.raises(errors.Unreachable) as caught:
        cluster.apply(config_map, BODY, field_manager="plumb", force=False, dry_run=True)
    assert not caught.value.outcome_unknown


def test_a_stale_version_after_a_lost_answer_says_so(cluster, server, says, refuses, config_map):
    server.says(says(drop=True), refuses(409, "Conflict", "the object has been modified"))
    with pytest.raises(errors.StaleVersion) as caught:
        apply(cluster, config_map)
    assert caught.value.outcome_unknown


def test_a_delete_whose_answer_was_lost_is_a_success(cluster, server, says, refuses, config_map):
    server.says(
        says(drop=True), refuses(404, "NotFound", 'configmaps "a" not found', name="a", kind="configmaps")
    )
    assert delete(cluster, config_map) is False
    assert [seen.method for seen in server.seen] == ["DELETE", "DELETE"]


@pytest.mark.parametrize(
    ("metadata", "going"),
    [
        ({"uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z"}, True),
        ({"uid": "other"}, True),
        ({"uid": "u"}, False),
    ],
)
def test_a_delete_that_moved_the_object_on_is_recognized(
    cluster, server, says, refuses, config_map, metadata, going
):
    """The first try sets deletionTimestamp (finalizers hold the object), so the second meets a newer version."""
    server.says(
        says(drop=True), refuses(409, "Conflict", "precondition failed"), says(body={"metadata": metadata})
    )
    if going:
        assert delete(cluster, config_map) is True
    else:
        with pytest.raises(errors.StaleVersion):
            delete(cluster, config_map)


def test_a_stale_delete_is_kept(cluster, server, refuses, config_map):
    server.says(
        refuses(409, "Conflict", "Precondition failed: UID in precondition: u, UID in object meta: v")
    )
    with pytest.raises(errors.StaleVersion) as caught:
        delete(cluster, config_map)
    assert len(server.seen) == 1
    assert not caught.value.outcome_unknown


def test_only_a_guarded_patch_is_repeated(cluster, server, says, config_map):
    server.says(says(drop=True))
    with pytest.raises(errors.Unreachable) as caught:
        patch(cluster, config_map, {"op": "add", "path": "/data/a", "value": "b"})
    assert caught.value.outcome_unknown
    server.says(says(drop=True), says(body=BODY))
    assert patch(cluster, config_map, GUARD, {"op": "add", "path": "/data/a", "value": "b"}) == BODY
    # What was refused before it was executed is repeated in any case.
    server.says(says(status=429), says(body=BODY))
    assert patch(cluster, config_map, {"op": "add", "path": "/data/a", "value": "b"}) == BODY


@pytest.mark.parametrize("op", ["test", "replace"])
def test_a_guarded_patch_of_an_object_that_moved_on_is_stale(cluster, server, refuses, config_map, op):
    server.says(refuses(422, "Invalid", "the server rejected our request due to an error in our request"))
    with pytest.raises(errors.StaleVersion):
        patch(cluster, config_map, {**GUARD, "op": op})


def test_an_invalid_result_of_a_patch_is_invalid(cluster, server, refuses, config_map):
    server.says(refuses(422, "Invalid", "no", causes=[{"reason": "FieldValueInvalid", "field": "data"}]))
    with pytest.raises(errors.Invalid):
        patch(cluster, config_map, GUARD)


def test_pauses_double_up_to_a_limit_and_are_jittered():
    longest = Clock(uniform=lambda _low, high: high)
    assert [pause(tried, None, longest) for tried in range(1, 8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert all(0 <= pause(3, None, Clock()) <= 2.0 for _ in range(50))
