# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WATCH, and what follows a kind with it: streams end, break, lie and fall silent, and nothing is missed."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster import errors, watch
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.reflector import Reflector, Selected
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.retry import Clock
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.watch import Stop, WatchChange

NEVER = Clock(sleep=lambda _seconds: None, uniform=lambda _low, _high: 0.0)  # no pauses between tries


def item(name, version, **metadata):
    return {"metadata": {"name": name, "namespace": "n", "resourceVersion": str(version), **metadata}}


def event(kind, name, version):
    return {"type": kind, "object": item(name, version)}


def lines(*events):
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def listing(version, *items, more=""):
    metadata = {"resourceVersion": str(version)} | ({"continue": more} if more else {})
    return {"kind": "PartialObjectMetadataList", "metadata": metadata, "items": list(items)}


GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}


def watched(cluster, kind, stop=None):
    return cluster.watch(kind, label_selector="a=b", resource_version="7", seconds=300, stop=stop or Stop())


def test_a_stream_asks_for_metadata_and_bookmarks_from_where_the_list_ended(
    cluster, server, says, config_map
):
    server.says(says(body=lines(event("ADDED", "a", 8), event("BOOKMARK", "", 9), event("DELETED", "a", 10))))
    events = list(watched(cluster, config_map))
    assert [(event.change, event.resource_version) for event in events] == [
        (WatchChange.ADDED, "8"), (WatchChange.BOOKMARK, "9"), (WatchChange.DELETED, "10"),
    ]  # fmt: skip
    assert events[0].item["kind"] == "ConfigMap"
    (seen,) = server.seen
    assert seen.path == "/api/v1/configmaps"
    assert seen.query == {
        "watch": "true", "allowWatchBookmarks": "true", "resourceVersion": "7", "timeoutSeconds": "300",
        "labelSelector": "a=b",
    }  # fmt: skip
    assert seen.headers["Accept"] == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"status": 410, "body": {"kind": "Status", "code": 410, "reason": "Expired"}}, errors.Expired),
        ({"body": lines(GONE)}, errors.Expired),
        ({"body": lines({"type": "ERROR", "object": {"kind": "Status", "code": 500}})}, errors.ServerFailure),
        ({"body": lines({"type": "ERROR", "object": "odd"})}, errors.ServerFailure),
        ({"status": 403, "body": {"kind": "Status", "code": 403, "reason": "Forbidden"}}, errors.Forbidden),
        ({"status": 404, "body": b"404 page not found"}, errors.UnknownApi),
        ({"body": b"<html>a proxy's page</html>\n"}, errors.Unreachable),
        ({"body": lines({"type": "SURPRISE", "object": {}})}, errors.Unreachable),
        ({"body": lines({"type": "ADDED", "object": 3})}, errors.Unreachable),
        ({"body": lines(event("ADDED", "a", 8))[:-4]}, errors.Unreachable),  # a line without an end
        ({"body": lines(event("ADDED", "a", 8)), "cut": 20}, errors.Unreachable),
        ({"drop": True}, errors.Unreachable),
        ({"body": b"x" * 3000 + b"\n"}, errors.TooLarge),
    ],
)
def test_what_goes_wrong_is_said_in_our_words(cluster, server, says, config_map, monkeypatch, message, error):
    monkeypatch.setattr(watch, "LONGEST_LINE", 1000)
    server.says(says(**message))
    with pytest.raises(error) as caught:
        list(watched(cluster, config_map))
    assert "ConfigMap" in str(caught.value)
    assert caught.value.account


def test_silence_ends_a_stream(cluster, server, says, config_map, monkeypatch):
    monkeypatch.setattr(watch, "QUIET", 0.2)
    server.says(says(hold=True))
    with pytest.raises(errors.DeadlineExceeded):
        list(watched(cluster, config_map))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_stop_cuts_a_stream_that_says_nothing(request, says, config_map, certificate, scheme):
    fake = request.getfixturevalue("tls_server" if scheme == "https" else "server")
    spec = watch_spec(fake, certificate)
    # Headers and an event come, and then nothing for longer than any test waits.
    first = lines(event("ADDED", "a", 8))
    fake.says(says(body=first, headers={"Content-Length": "1000000"}, stays=True))
    stop, seen = Stop(), []
    with spec as cluster:

        def follow():
            seen.extend(watched(cluster, config_map, stop))

        thread = threading.Thread(target=follow)
        thread.start()
        for _try in range(1000):
            if fake.seen:
                break
            threading.Event().wait(0.01)
        stop.now()
        thread.join(20)
        assert not thread.is_alive()
    assert len(seen) <= 1


def watch_spec(fake, certificate):
    from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import (  # noqa: PLC0415
        ConnectionSpec,
        connect,
    )

    return connect(ConnectionSpec(host=fake.url, ca_cert=certificate.ca if fake.scheme == "https" else None))


@dataclass
class Notes:
    """A listener that keeps versions, writes down what it is told, and stops when it has seen enough."""

    stop: Stop
    until: int = 1_000_000
    calls: list = field(default_factory=list)

    def _note(self, *what):
        self.calls.append(what)
        if len(self.calls) >= self.until:
            self.stop.now()

    def extract(self, item):
        return item["metadata"]["resourceVersion"]

    def listed(self, objects):
        self._note("listed", dict(objects))

    def changed(self, key, before, after):
        self._note(key[1], before, after)

    def working(self):
        return

    def expired(self):
        self._note("expired")

    def failed(self, error):
        self._note(type(error).__name__)


def follow(cluster, kind, until):
    stop = Stop()
    notes = Notes(stop, until)
    follower = Reflector(lambda: cluster, Selected(kind=kind, selector="a=b"), notes, stop, clock=NEVER)
    follower.run()
    return notes.calls, follower.objects


def test_what_changes_is_told_with_what_it_was(cluster, server, says, config_map):
    server.says(
        says(body=listing(5, item("a", 1), item("b", 2))),
        says(body=lines(event("MODIFIED", "a", 6), event("ADDED", "c", 7), event("DELETED", "b", 8))),
    )
    calls, objects = follow(cluster, config_map, 4)
    assert calls == [
        ("listed", {("n", "a"): "1", ("n", "b"): "2"}),
        ("a", "1", "6"), ("c", None, "7"), ("b", "2", None),
    ]  # fmt: skip
    assert objects == {("n", "a"): "6", ("n", "c"): "7"}
    assert server.seen[1].query["resourceVersion"] == "5"


def test_a_list_comes_in_pages_of_which_one_at_a_time_is_in_memory(cluster, server, says, config_map):
    server.says(
        says(body=listing(5, item("a", 1), more="next")),
        says(body=listing(5, item("b", 2))),
        says(body=lines(event("DELETED", "a", 6))),
    )
    calls, _objects = follow(cluster, config_map, 2)
    assert calls[0] == ("listed", {("n", "a"): "1", ("n", "b"): "2"})
    assert server.seen[1].query["continue"] == "next"
    assert "resourceVersion" not in server.seen[0].query  # a quorum read


def test_a_stream_that_ends_or_breaks_goes_on_from_its_last_event(cluster, server, says, config_map):
    server.says(
        says(body=listing(5)),
        says(body=lines(event("ADDED", "a", 6), event("BOOKMARK", "", 20))),
        says(body=lines(event("MODIFIED", "a", 21), event("MODIFIED", "a", 22)), cut=20),
        says(body=lines(event("MODIFIED", "a", 23))),
    )
    calls, _objects = follow(cluster, config_map, 4)
    assert calls == [("listed", {}), ("a", None, "6"), ("Unreachable",), ("a", "6", "23")]
    assert [seen.query.get("resourceVersion") for seen in server.seen] == [None, "5", "20", "20"]


@pytest.mark.parametrize("by_event", [True, False])
def test_after_410_it_is_listed_anew_and_only_what_differs_is_told(
    cluster, server, says, config_map, by_event
):
    gone = says(body=lines(GONE)) if by_event else says(status=410, body=GONE["object"])
    server.says(
        says(body=listing(5, item("a", 1), item("b", 2), item("c", 3))),
        gone,
        says(body=listing(90, item("a", 1), item("b", 80), item("d", 81))),
        says(body=lines(event("MODIFIED", "a", 91))),
    )
    calls, _objects = follow(cluster, config_map, 6)
    assert calls[1:] == [
        ("expired",),
        ("b", "2", "80"),
        ("c", "3", None),
        ("d", None, "81"),
        ("a", "1", "91"),
    ]
    assert server.seen[3].query["resourceVersion"] == "90"


def test_after_failures_in_a_row_the_version_is_not_relied_upon(cluster, server, says, refuses, config_map):
    """A store that was restored from a backup does not know versions that it gave out before."""
    server.says(
        says(body=listing(500, item("a", 400))),
        *[refuses(504, "Timeout", "Too large resource version")] * 3,
        says(body=listing(90, item("a", 80))),
        says(body=lines(event("MODIFIED", "a", 91))),
    )
    calls, _objects = follow(cluster, config_map, 6)
    assert calls[1:] == [("ServerFailure",)] * 3 + [("a", "400", "80"), ("a", "80", "91")]


def test_a_kind_that_is_not_served_any_more_ends_it(cluster, server, says, config_map):
    server.says(says(body=listing(5)), says(status=404, body=b"404 page not found"))
    calls, _objects = follow(cluster, config_map, 99)
    assert calls == [("listed", {}), ("UnknownApi",)]


def test_after_a_stop_nothing_is_asked_and_nothing_told(cluster, server, says, config_map):
    server.says(says(body=listing(5)), says(body=lines(event("ADDED", "a", 6), event("ADDED", "b", 7))))
    calls, _objects = follow(cluster, config_map, 2)
    assert calls == [("listed", {}), ("a", None, "6")]
    assert len(server.seen) == 2
