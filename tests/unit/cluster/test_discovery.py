# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kinds a server says it knows."""

from __future__ import annotations

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster import errors
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind

ALL = ["create", "delete", "get", "list", "patch"]


def aggregated(plural, kind, *, verbs=ALL, scope="Namespaced", **more):
    return {"resource": plural, "responseKind": {"kind": kind}, "scope": scope, "verbs": verbs, **more}


CORE = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {},
            "versions": [
                {
                    "version": "v1",
                    "freshness": "Current",
                    "resources": [
                        aggregated("configmaps", "ConfigMap"),
                        aggregated("namespaces", "Namespace", scope="Cluster"),
                        aggregated("bindings", "Binding", verbs=["create"]),
                        aggregated("pods", "Pod", subresources=[{"subresource": "status", "verbs": ["get"]}]),
                    ],
                }
            ],
        }
    ],
}
NAMED = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {"name": "autoscaling"},
            "versions": [
                {"version": version, "freshness": "Current", "resources": [aggregated("hpas", "HPA")]}
                for version in ("v2", "v1")
            ],
        },
        {"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "freshness": "Stale"}]},
    ],
}
SINGLE = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": "autoscaling",
                "versions": [{"version": "v1"}, {"version": "v2"}],
                "preferredVersion": {"version": "v2"},
            },
            {
                "name": "metrics.k8s.io",
                "versions": [{"version": "v1beta1"}],
                "preferredVersion": {"version": "v1beta1"},
            },
        ],
    },
    "/api/v1": {
        "kind": "APIResourceList",
        "resources": [
            {"name": "configmaps", "kind": "ConfigMap", "namespaced": True, "verbs": ALL},
            {"name": "namespaces", "kind": "Namespace", "namespaced": False, "verbs": ALL},
            {"name": "bindings", "kind": "Binding", "namespaced": True, "verbs": ["create"]},
            {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ALL},
            {"name": "pods/status", "kind": "Pod", "namespaced": True, "verbs": ["get"]},
        ],
    },
}
HPAS = {"resources": [{"name": "hpas", "kind": "HPA", "namespaced": True, "verbs": ALL}]}


@pytest.fixture(params=["aggregated", "one by one"])
def discovery(request, cluster, server, says):
    def answer(seen):
        if request.param == "aggregated":
            return says(body=CORE if seen.path == "/api" else NAMED)
        if seen.path.startswith("/apis/metrics"):
            return says(status=503, body=b"service unavailable")
        return says(body=SINGLE.get(seen.path, HPAS))

    server.answer = answer
    return cluster.discover()


def test_kinds_are_found_at_their_version_or_the_preferred_one(discovery):
    hpa = discovery.of(GroupKind("autoscaling", "HPA"))
    assert hpa.api_version == "autoscaling/v2"
    assert hpa.path("n", "a") == "/apis/autoscaling/v2/namespaces/n/hpas/a"
    assert discovery.find("autoscaling/v1", "HPA").version == "v1"
    assert discovery.find("v1", "ConfigMap").path("n") == "/api/v1/namespaces/n/configmaps"
    assert discovery.find("v1", "Namespace").path("", "n") == "/api/v1/namespaces/n"
    assert discovery.find("v2", "ConfigMap") is None
    assert discovery.of(GroupKind("", "HPA")) is None


def test_what_can_be_scanned_is_listed_once_and_without_subresources(discovery):
    assert [(kind.kind, kind.version) for kind in discovery.listable()] == [
        ("ConfigMap", "v1"),
        ("Namespace", "v1"),
        ("Pod", "v1"),
        ("HPA", "v2"),
    ]


def test_a_group_that_does_not_answer_is_named_and_breaks_nothing(discovery):
    assert discovery.incomplete_groups == {"metrics.k8s.io"}


def test_a_near_miss_is_suggested(discovery):
    assert discovery.nearest("v1", "Configmap") == ["v1 ConfigMap"]
    assert discovery.nearest("autoscaling/v2beta2", "HPA")[:2] == ["autoscaling/v2 HPA", "autoscaling/v1 HPA"]
    assert discovery.nearest("example.com/v1", "Bus") == []


def test_it_is_asked_in_two_requests_and_once(cluster, server, says):
    server.answer = lambda seen: says(body=CORE if seen.path == "/api" else NAMED)
    assert cluster.discover() is cluster.discover()
    assert sorted(seen.path for seen in server.seen) == ["/api", "/apis"]
    assert "g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" in server.seen[0].headers["Accept"]
    assert cluster.rediscover() is cluster.discover()
    assert len(server.seen) == 4


def test_refused_credentials_are_no_incomplete_group(cluster, server, refuses):
    server.answer = lambda _: refuses(401, "Unauthorized", "Unauthorized")
    with pytest.raises(errors.Unauthorized, match="Renew the credentials"):
        cluster.discover()
