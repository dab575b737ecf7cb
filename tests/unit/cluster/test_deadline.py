# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every request ends: with an answer, or at its time."""

from __future__ import annotations

import time

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster import errors
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect

BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}}


def test_silence_ends_at_the_request_timeout(server, says, pauses, config_map):
    server.answer = lambda _: says(hold=True)
    with connect(ConnectionSpec(host=server.url, request_timeout=0.2), clock=pauses.clock()) as cluster:
        with pytest.raises(errors.DeadlineExceeded) as read:
            cluster.list(config_map)
        with pytest.raises(errors.DeadlineExceeded) as written:
            cluster.apply(config_map, BODY, field_manager="plumb", force=False)
    assert not read.value.outcome_unknown
    assert written.value.outcome_unknown
    assert len(server.seen) == 4  # silence is borne twice


def test_a_deadline_shortens_requests_and_ends_retries(cluster, server, says, config_map):
    server.answer = lambda _: says(hold=True)
    with cluster.deadline(0.2), pytest.raises(errors.DeadlineExceeded):
        cluster.list(config_map)
    assert len(server.seen) == 1


def test_nothing_is_sent_after_the_deadline(cluster, server, config_map):
    with cluster.deadline(0.0), pytest.raises(errors.DeadlineExceeded) as caught:
        cluster.apply(config_map, BODY, field_manager="plumb", force=False)
    assert not caught.value.outcome_unknown
    assert server.seen == []


def test_an_inner_deadline_cannot_outlast_the_outer(cluster, server, config_map):
    with cluster.deadline(0.0), cluster.deadline(60.0), pytest.raises(errors.DeadlineExceeded):
        cluster.list(config_map)


def test_a_deadline_holds_in_the_threads_of_map(cluster, server, config_map):
    def read(_):
        try:
            return cluster.list(config_map)
        except errors.DeadlineExceeded:
            return None

    with cluster.deadline(0.0):
        assert cluster.map(read, range(8)) == [None] * 8
    assert server.seen == []


def test_an_answer_that_drips_ends_at_its_time(server, says, pauses, config_map):
    """Each read comes in time, all of them together do not. The only connection is free for the next try."""
    server.answer = lambda _: says(body={"items": ["x" * 100]}, drip=0.05)
    spec = ConnectionSpec(host=server.url, request_timeout=0.3, concurrency=1)
    with (
        connect(spec, clock=pauses.clock()) as cluster,
        pytest.raises(errors.DeadlineExceeded, match="no whole answer"),
    ):
        cluster.list(config_map)


def test_map_keeps_order_and_may_be_nested(cluster):
    def inner(number):
        return cluster.map(lambda other: number * 10 + other, range(3))

    assert cluster.map(inner, range(20)) == [[n * 10, n * 10 + 1, n * 10 + 2] for n in range(20)]
    assert cluster.map(inner, []) == []


def test_map_raises_and_begins_nothing_more(cluster):
    begun = []

    def fail(number):
        begun.append(number)
        time.sleep(0.001)
        raise KeyError(number)

    with pytest.raises(KeyError):
        cluster.map(fail, range(1000))
    assert len(begun) < 50


def test_no_more_connections_than_allowed(cluster, server, says, config_map):
    server.answer = lambda _: says(body={"items": []})
    cluster.map(lambda _: cluster.map(lambda _: cluster.list(config_map), range(4)), range(10))
    assert len(server.seen) == 40
    assert len({seen.peer for seen in server.seen}) <= 4
