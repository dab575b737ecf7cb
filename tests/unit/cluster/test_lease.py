# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a write may leave, by the lease file; and the lease's own rules, on a server that says what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster import errors
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.client import Cluster
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.lease import Clocks, Lease, LeaseSpec
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.lease_file import (
    allow_writes,
    boot_time,
    forbid_writes,
    forbidden_reason,
)
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests import transport
from ansible_collections.plumb.gitops.plugins.module_utils.state.record_store import RecordStore

BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}}


@pytest.fixture
def lease_file(tmp_path: Path) -> Path:
    file = tmp_path / "run" / "lease"
    allow_writes(file, boot_time() + 60, 60)
    return file


@pytest.fixture
def leased(server, pauses, lease_file) -> Iterator[Cluster]:
    spec = ConnectionSpec(host=server.url, api_key="sesame", request_timeout=5, concurrency=4)
    with connect(spec, clock=pauses.clock(), lease_file=lease_file) as connected:
        yield connected


def applied(cluster: Cluster, kind: Any, **options: Any) -> dict[str, Any]:
    return cluster.apply(kind, BODY, field_manager="plumb", force=False, **options)


def test_writes_leave_while_the_lease_holds(leased, server, says, config_map, lease_file):
    server.says(says(body=BODY), says(body=BODY))
    applied(leased, config_map)
    forbid_writes(lease_file)
    with pytest.raises(errors.LeaseLost, match="ConfigMap n/a: applying: there is no lease in"):
        applied(leased, config_map)
    assert len(server.seen) == 1
    assert applied(leased, config_map, dry_run=True) == BODY  # it changes nothing


def test_a_write_with_a_lease_is_the_same_request(server, pauses, says, config_map, lease_file):
    spec = ConnectionSpec(
        host=server.url, api_key="sesame", impersonate_user="u", impersonate_groups=("g", "h")
    )
    server.says(says(body=BODY), says(body=BODY))
    for lease in (None, lease_file):
        with connect(spec, clock=pauses.clock(), lease_file=lease) as cluster:
            applied(cluster, config_map)
    without, with_lease = server.seen
    assert with_lease.groups == ["g", "h"]
    assert (with_lease.body, with_lease.headers) == (without.body, without.headers)


def test_every_sort_of_write_is_stopped_and_reads_go_on(leased, server, says, config_map, lease_file):
    forbid_writes(lease_file)
    server.says(says(body=BODY))
    place = {"namespace": "n", "name": "a"}
    operations = [{"op": "test", "path": "/metadata/resourceVersion", "value": "1"}]
    with pytest.raises(errors.LeaseLost):
        leased.json_patch(config_map, **place, operations=operations, field_manager="plumb")
    with pytest.raises(errors.LeaseLost):
        leased.delete(config_map, **place, uid="u", resource_version="1")
    assert server.seen == []
    assert leased.get(config_map, **place) is not None


def test_a_second_try_asks_again(leased, server, says, refuses, config_map, lease_file):
    def busy(_seen):
        forbid_writes(lease_file)
        return refuses(503, "ServiceUnavailable", "busy")

    server.answer = busy
    with pytest.raises(errors.LeaseLost) as caught:
        applied(leased, config_map)
    assert len(server.seen) == 1
    assert not caught.value.outcome_unknown


def test_a_write_that_may_have_happened_stays_unknown(leased, server, says, config_map, lease_file):
    def gone(_seen):
        forbid_writes(lease_file)
        return says(drop=True)

    server.answer = gone
    with pytest.raises(errors.LeaseLost) as caught:
        applied(leased, config_map)
    assert caught.value.outcome_unknown


def test_a_lease_that_is_lost_while_the_headers_leave_keeps_the_body(server, leased, config_map, monkeypatch):
    """As when the process is paused between the two: the server waits, and gets a request that is cut off."""
    looks = iter(["", "it is lost"])
    monkeypatch.setattr(transport, "forbidden_reason", lambda _file: next(looks))
    with pytest.raises(errors.LeaseLost):
        applied(leased, config_map)
    assert next(looks, None) is None
    assert all(seen.body is None for seen in server.seen)


def test_over_tls_too(tls_server, certificate, pauses, says, config_map, lease_file):
    tls_server.says(says(body=BODY))
    spec = ConnectionSpec(host=tls_server.url, ca_cert=certificate.ca, request_timeout=5)
    with connect(spec, clock=pauses.clock(), lease_file=lease_file) as cluster:
        applied(cluster, config_map)
        forbid_writes(lease_file)
        with pytest.raises(errors.LeaseLost):
            applied(cluster, config_map)
    assert len(tls_server.seen) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, ""),
        ({"until": -1.0}, "ran out 1"),
        ({"until": 61.0}, "runs for longer than a lease does"),
        ({"boot": "another"}, "is from before this machine started"),
        ({"until": "soon"}, "cannot be read"),
        ({"until": None}, "cannot be read"),
    ],
)
def test_what_the_file_says(lease_file: Path, change: dict[str, Any], message: str) -> None:
    content = json.loads(lease_file.read_text(encoding="utf-8").splitlines()[1])
    if isinstance(change.get("until"), float):
        change = {"until": boot_time() + change["until"]}
    store = RecordStore(kind="plumb.gitops/lease", version=1, encode=dict, decode=dict)
    store.save(lease_file, content | change)
    assert message in forbidden_reason(lease_file)
    assert bool(message) == bool(forbidden_reason(lease_file))


@pytest.mark.parametrize("spoil", [lambda file: file.write_bytes(file.read_bytes()[:-9]), Path.unlink])
def test_a_spoiled_file_is_no_lease(lease_file: Path, spoil: Callable[[Path], Any]) -> None:
    spoil(lease_file)
    assert "there is no lease in" in forbidden_reason(lease_file)


@dataclass
class Store:
    """A Lease as a server keeps it, between two that want it."""

    says: Any
    refuses: Any
    body: dict[str, Any] | None = None
    version: int = 0
    at: float = 0.0  # the moment, by everyone's monotonic and boot clock
    log: list[str] = field(default_factory=list)

    def __call__(self, seen: Any) -> Any:
        self.log.append(seen.method)
        if seen.method == "PATCH" and isinstance(seen.body, dict):
            return self.put({})
        if self.body is None:
            return self.refuses(404, "NotFound", "not found", name="agent", kind="leases")
        if seen.method == "GET":
            return self.says(body=self.body)
        test, change = seen.body
        if test["value"] != self.body["metadata"]["resourceVersion"]:
            return self.refuses(422, "Invalid", "the server rejected our request")
        return self.put(change["value"])

    def put(self, spec: dict[str, Any]) -> Any:
        self.version += 1
        self.body = {"metadata": {"resourceVersion": str(self.version)}, "spec": spec}
        return self.says(body=self.body)

    def lease(self, holder: str, *, ahead: float = 0.0, duration: int = 15) -> Lease:
        """`ahead`: how many seconds this one's clocks are before the others'."""
        clocks = Clocks(
            monotonic=lambda: self.at + ahead,
            boot=lambda: self.at + ahead,
            shown=lambda: f"{self.at + ahead}",
        )
        return Lease(LeaseSpec(namespace="n", name="agent", holder=holder, duration=duration), clocks)


@pytest.fixture
def store(server, says, refuses) -> Store:
    value = Store(says, refuses)
    server.answer = value
    return value


def test_one_holds_it_and_the_other_waits_until_nothing_has_changed_for_long_enough(store, cluster):
    a, b = store.lease("a"), store.lease("b", ahead=3600)
    assert a.acquire(cluster)
    assert a.until == 15
    assert not b.acquire(cluster)
    for store.at in (10, 20, 30):
        assert a.renew(cluster)
        assert not b.acquire(cluster)
    assert a.until == 45
    store.at = 44.9  # within what a may still write in
    assert not b.acquire(cluster)
    store.at = 45
    assert b.acquire(cluster)
    assert b.until == 3600 + 60
    assert not a.renew(cluster)
    assert (a.holder, a.until) == ("b", 0)
    assert store.body["spec"]["leaseTransitions"] == 2


def test_the_holders_duration_counts_and_not_the_waiters(store, cluster):
    a, b = store.lease("a", duration=40), store.lease("b", duration=5)
    assert a.acquire(cluster)
    assert not b.acquire(cluster)
    store.at = 39
    assert not b.acquire(cluster)
    store.at = 40
    assert b.acquire(cluster)


def test_what_is_released_is_free_at_once(store, cluster):
    a, b = store.lease("a"), store.lease("b")
    assert a.acquire(cluster)
    assert not b.acquire(cluster)
    assert a.release(cluster)
    assert a.until == 0
    assert b.acquire(cluster)
    assert not a.release(cluster)
    assert store.body["spec"]["holderIdentity"] == "b"


def test_the_time_of_a_slow_renewal_is_not_added(store, cluster, server):
    a = store.lease("a")
    assert a.acquire(cluster)

    def slow(seen):
        store.at += 9
        return store(seen)

    server.answer = slow
    store.at = 10
    assert a.renew(cluster)
    assert a.until == 25


def test_somebody_elses_label_loses_nothing(store, cluster):
    a = store.lease("a")
    assert a.acquire(cluster)
    store.put(dict(store.body["spec"]))
    assert a.renew(cluster)


def test_a_deleted_lease_is_lost_and_not_free_at_once_for_who_knew_its_holder(store, cluster):
    a, b = store.lease("a"), store.lease("b")
    assert a.acquire(cluster)
    assert not b.acquire(cluster)
    store.body = None
    assert not a.renew(cluster)
    assert not b.acquire(cluster)
    store.at = 15
    assert b.acquire(cluster)


def test_of_two_at_the_same_time_one_gets_it(store, cluster, server):
    a, b = store.lease("a"), store.lease("b")
    turns: list[bool] = []

    def between(seen):
        if seen.method == "PATCH" and isinstance(seen.body, list) and not turns:
            turns.append(True)  # b comes between a's look and a's write
            turns.append(b.acquire(cluster))
        return store(seen)

    server.take = between
    assert not a.acquire(cluster)
    assert turns == [True, True]
