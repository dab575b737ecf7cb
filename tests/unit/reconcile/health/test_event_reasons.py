# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Events add where a status does not say enough."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.object_view import LiveView
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.health.event_reasons import ObjectEvents
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.health.related_objects import (
    union_selectors,
)

SECRET = "hunter2"
HTTP, EXEC = {"httpGet": {"path": "/", "port": 80}}, {"exec": {"command": ["check"]}}


def pod(**container: Any) -> LiveView:
    return LiveView(
        {
            "kind": "Pod",
            "metadata": {"name": "web-1", "uid": "u1"},
            "spec": {"nodeName": "n", "containers": [{"name": "app", **container}]},
            "status": {"podIP": "10.0.0.7"},
        }
    )


def event(reason: str, message: str, seen: str = "2026-01-01T00:00:00Z", field: str = "") -> dict[str, Any]:
    involved = {"kind": "Pod", "name": "web-1", "uid": "u1", "fieldPath": field}
    return {"reason": reason, "message": message, "lastTimestamp": seen, "involvedObject": involved}


IN_APP = "spec.containers{app}"
CASES = {
    "http": (
        pod(readinessProbe=HTTP),
        event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", field=IN_APP),
        "container app: readiness probe failed: HTTP 503",
    ),
    "refused": (
        pod(livenessProbe=HTTP),
        event(
            "Unhealthy", 'Liveness probe failed: Get "http://10.0.0.7:80/": connection refused', field=IN_APP
        ),
        'container app: liveness probe failed: Get "http://<Pod IP>:80/": connection refused',
    ),
    "command": (
        pod(startupProbe=EXEC),
        event("Unhealthy", f"Startup probe failed: {SECRET}", field=IN_APP),
        "container app: startup probe failed (the output of its command is not shown)",
    ),
    "a probe that is not known": (
        pod(),
        event("Unhealthy", f"Readiness probe failed: {SECRET}", field=IN_APP),
        "container app: readiness probe failed (the output of its command is not shown)",
    ),
    "several lines": (
        pod(),
        event("ProbeError", f"Oh:\n{SECRET}", field=IN_APP),
        "container app: a probe failed",
    ),
    "hook": (
        pod(),
        event("FailedPostStartHook", f"exited with 1: {SECRET}", field=IN_APP),
        "container app: FailedPostStartHook",
    ),
    "volume": (
        pod(),
        event("FailedMount", 'MountVolume.SetUp failed for volume "config" : configmap "x" not found'),
        'volume config: configmap "x" not found',
    ),
    "quota": (
        pod(),
        event("FailedCreate", 'Error creating: pods "web-1" is forbidden: exceeded quota: small'),
        "exceeded quota: small",
    ),
    "quota of a StatefulSet": (
        pod(),
        event(
            "FailedCreate",
            'create Pod web-0 in StatefulSet web failed error: pods "web-0" is forbidden: no more',
        ),
        "no more",
    ),
    "sandbox": (
        pod(),
        event("FailedCreatePodSandBox", "rpc error: code = Unknown desc = no network for web-1"),
        "FailedCreatePodSandBox: no network for <Pod name>",
    ),
    "an older look of the scheduler": (pod(), event("FailedScheduling", "0/1 nodes are available"), ""),
    "what the status says already": (pod(), event("BackOff", "Back-off restarting failed container"), ""),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_the_words_of_an_event(case: str) -> None:
    subject, body, expected = CASES[case]
    assert ObjectEvents.of([body]).text(subject) == expected


def test_the_newest_event_counts() -> None:
    events = [
        event("FailedMount", "first", "2026-01-01T00:00:00Z"),
        event("FailedMount", "last", "2026-01-03T00:00:00Z"),
        event("FailedMount", "second", "2026-01-02T00:00:00Z"),
        event("BackOff", "later, and says nothing", "2026-01-04T00:00:00Z"),
    ]
    assert ObjectEvents.of(events).text(pod()) == "FailedMount: last"


def labels(**of_selector: str) -> dict[str, Any]:
    return {"matchLabels": of_selector}


_NOT_IN = {"key": "tier", "operator": "NotIn", "values": ["b", "a"]}
EXPRESSION = {"matchExpressions": [_NOT_IN, {"key": "x", "operator": "Exists"}]}


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        ([], []),
        ([{}], []),
        ([labels(app="a", tier="b")], ["app=a,tier=b"]),
        ([labels(part="shop", app="a"), labels(part="shop", app="b")], ["app in (a,b)"]),
        ([labels(app="a"), labels(name="b")], ["app=a", "name=b"]),
        ([{"app": "rc"}], ["app=rc"]),
        ([EXPRESSION], ["tier notin (a,b),x"]),
        ([labels(app="a"), EXPRESSION], ["app=a", "tier notin (a,b),x"]),
    ],
)
def test_as_few_lists_as_possible(selectors: list[dict[str, Any]], expected: list[str]) -> None:
    assert union_selectors([LiveView(selector) for selector in selectors]) == expected


def test_many_workloads_are_read_in_parts() -> None:
    parts = union_selectors([LiveView(labels(app=f"a{number:03}")) for number in range(120)])
    assert len(parts) == 3
    assert all(len(part) < 500 for part in parts)
