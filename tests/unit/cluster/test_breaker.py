# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The circuit breaker: what trips it, what does not, how it probes, and how long it waits."""

from __future__ import annotations

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster import errors
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests import circuit_breaker as breaker
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.api_status import ApiResponse
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.circuit_breaker import (
    CircuitBreaker,
    Traffic,
)
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.retry import (
    Clock,
    RequestFailure,
    Trouble,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import ClusterError

RIGHTS = 'User "u" cannot patch resource "configmaps" in API group "" in the namespace "n"'
WEBHOOK = 'Internal error occurred: failed calling webhook "w.example.com": context deadline exceeded'
CONVERSION = "conversion webhook for example.com/v1, Kind=Thing failed: Post: connection refused"
DEFECT = "failed to create typed patch object (n/a; v1, Kind=Service): .spec.x: field not declared in schema"


def apply(cluster, config_map, name, *, dry_run=False):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "n"}}
    return cluster.apply(config_map, body, field_manager="plumb", force=False, dry_run=dry_run)


def outcomes(cluster, config_map, numbers, *, dry_run=False):
    """What each write comes to: an error, or its answer."""

    def apply_object(number):
        try:
            return apply(cluster, config_map, f"c{number}", dry_run=dry_run)
        except ClusterError as error:
            return error

    return cluster.map(apply_object, numbers)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "30"}, {"Retry-After": "900"}, {"Retry-After": "1"}])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_row_73_requests_and_pauses_are_bounded_for_any_number_of_objects(
    cluster, server, says, pauses, config_map, status, headers
):
    server.answer = lambda _: says(status=status, headers=headers)
    results = outcomes(cluster, config_map, range(200))
    assert all(isinstance(error, ClusterError) for error in results)
    assert (
        len(server.seen) <= 2 * 4 + 3 + breaker.PROBES
    )  # four requests at once, whose pauses take no time here
    assert sum(isinstance(error, errors.CircuitOpen) for error in results) >= 190
    assert cluster.stopped is not None
    assert str(status) in cluster.stopped.reason
    assert all(seconds <= 30.5 for seconds in pauses)
    sent = len(server.seen)
    with pytest.raises(errors.CircuitOpen):
        apply(cluster, config_map, "later")
    with pytest.raises(errors.CircuitOpen):  # a run that is stopped is over as a whole
        cluster.get(config_map, namespace="n", name="a")
    assert len(server.seen) == sent


class Outage:
    """A server that answers 429 to all, and a clock that goes on by what is slept and by each attempt."""

    def __init__(self, takes: float, retry_after: float | None) -> None:
        self.at = 0.0
        self.takes, self.retry_after = takes, retry_after

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def attempt(self) -> None:
        self.at += self.takes
        error = errors.Throttled("a", "applying", "busy", answer=ApiResponse(status=429))
        raise RequestFailure(error, Trouble.ANSWERED, retry_after=self.retry_after)

    def begin(self) -> CircuitBreaker:
        return CircuitBreaker(
            "server", Clock(now=lambda: self.at, sleep=self.sleep, uniform=lambda _low, high: high)
        )


@pytest.mark.parametrize("retry_after", [None, 0.0, 1.0, 7.0, 30.0, 900.0])
@pytest.mark.parametrize("takes", [0.0, 1.0, 5.0])
def test_row_73_a_stop_comes_within_a_minute(takes, retry_after):
    """Whatever the server asks for."""
    outage = Outage(takes, retry_after)
    circuit = outage.begin()
    for number in range(50):
        try:
            circuit.call(Traffic.WRITES, f"/p/{number}", outage.attempt, None)
        except errors.CircuitOpen:
            break
        except RequestFailure:
            continue
    assert circuit.stopped is not None
    assert outage.at <= 60.0


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (400, "BadRequest", "no"),
        (403, "Forbidden", 'admission webhook "w" denied the request: no'),
        (403, "Forbidden", "exceeded quota"),
        (404, "NotFound", 'namespaces "n" not found'),
        (409, "Conflict", "the object has been modified"),
        (413, "", "too large"),
        (422, "Invalid", "no"),
        (500, "InternalError", WEBHOOK),
        (500, "InternalError", CONVERSION),
        (500, "InternalError", DEFECT),
    ],
)
def test_row_73_what_is_said_of_single_objects_stops_nothing(
    cluster, server, refuses, config_map, status, reason, message
):
    server.answer = lambda _: refuses(status, reason, message)
    results = outcomes(cluster, config_map, range(30))
    assert all(isinstance(error, errors.RequestError) for error in results)
    assert cluster.stopped is None


@pytest.mark.parametrize("broken", [{"drop": True}, {"status": 401}, {"body": b"<html>"}, {"status": 408}])
def test_row_73_lost_connections_and_expired_credentials_stop_it_too(
    cluster, server, says, config_map, broken
):
    server.answer = lambda _: says(**broken)
    outcomes(cluster, config_map, range(200))
    assert cluster.stopped is not None
    assert len(server.seen) <= 2 * 4 + 3 + breaker.PROBES


@pytest.mark.parametrize("dry_run", [True, False])
def test_row_73_revoked_rights_stop_writes_and_leave_plans_of_readers_alone(
    cluster, server, refuses, config_map, dry_run
):
    server.answer = lambda _: refuses(403, "Forbidden", RIGHTS)
    outcomes(cluster, config_map, range(50), dry_run=dry_run)
    assert (cluster.stopped is None) is dry_run
    assert (len(server.seen) == 50) is dry_run


def test_row_73_one_object_is_tried_as_often_as_ever_and_stops_nothing(cluster, server, says, config_map):
    server.answer = lambda seen: says(status=503) if seen.path.endswith("/c7") else says(body={})
    results = outcomes(cluster, config_map, range(60))
    assert [isinstance(result, errors.ServerFailure) for result in results] == [n == 7 for n in range(60)]
    assert sum(seen.path.endswith("/c7") for seen in server.seen) == 5
    assert cluster.stopped is None


def test_row_73_a_probe_that_succeeds_closes_the_circuit(cluster, server, says, config_map):
    ill = iter([True] * 7)
    server.answer = lambda _: says(status=503) if next(ill, False) else says(body={})
    results = outcomes(cluster, config_map, range(60))
    assert results == [{}] * 60
    assert cluster.stopped is None


def test_row_73_reads_go_on_while_writes_wait(cluster, server, says, config_map):
    """Each sort of traffic has a circuit of its own; only the end is common."""
    server.answer = lambda seen: says(status=429) if seen.method == "PATCH" else says(body={"metadata": {}})
    with pytest.raises(errors.Throttled):
        apply(cluster, config_map, "c0")
    assert cluster.get(config_map, namespace="n", name="a") is not None
    assert cluster.stopped is None
    outcomes(cluster, config_map, range(1, 9))
    assert cluster.stopped is not None


def test_row_73_what_stays_connected_has_no_breaker(server, says, pauses, config_map):
    server.answer = lambda _: says(status=503)
    spec = ConnectionSpec(host=server.url, api_key="sesame", request_timeout=5, concurrency=4)
    with connect(spec, clock=pauses.clock(), circuit_breaker=False) as cluster:
        outcomes(cluster, config_map, range(10))
        assert cluster.stopped is None
        assert len(server.seen) == 50
