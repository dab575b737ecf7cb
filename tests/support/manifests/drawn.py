# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests as Hypothesis draws them: several kinds, with what server-side apply finds hard in each."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Body = dict[str, Any]

GROUP = "properties.plumb.test"
SAMPLE = "Sample"
VERSIONS = ("v1", "v2")

_words = st.sampled_from(["red", "green", "blue", "a", "b"])
_numbers = st.integers(0, 3)
_labels = st.dictionaries(st.sampled_from(["team", "tier", "example.com/x"]), _words, max_size=2)


def _schema() -> Body:
    """Return a CRD's schema with each way that apply knows to merge a list or a map."""
    text, whole = {"type": "string"}, {"type": "integer"}
    keyed = {"type": "object", "required": ["name"], "properties": {
        "name": text, "protocol": {"type": "string", "default": "TCP"}, "value": text, "options": {
            "type": "object", "additionalProperties": text}}}  # fmt: skip
    return {
        "type": "object",
        "properties": {
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "map": {"type": "object", "additionalProperties": text},
            "whole": {"type": "object", "additionalProperties": text, "x-kubernetes-map-type": "atomic"},
            "keyed": {"type": "array", "x-kubernetes-list-type": "map",
                      "x-kubernetes-list-map-keys": ["name", "protocol"], "items": keyed},
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": text},
            "list": {"type": "array", "items": {"type": "object", "properties": {
                "a": whole, "b": {"type": "integer", "default": 5}}}},
            "number": {"type": "number"},
            "either": {"x-kubernetes-int-or-string": True},
            "maybe": {"type": "string", "nullable": True},
            "filled": {"type": "string", "default": "by the server"},
            "deep": {"type": "object", "properties": {"x": whole, "y": {
                "type": "object", "properties": {"z": text}}}},
        },
    }  # fmt: skip


DEFINITION: Body = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"samples.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": SAMPLE, "plural": "samples", "singular": "sample"},
        "versions": [
            {"name": version, "served": True, "storage": version == VERSIONS[0], "schema": {
                "openAPIV3Schema": {"type": "object", "properties": {"spec": _schema()}}}}
            for version in VERSIONS
        ],
    },
}  # fmt: skip


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Body]:
    """Return an object with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


def _unique(items: st.SearchStrategy[Body], *keys: str, least: int = 0) -> st.SearchStrategy[list[Body]]:
    """Return a keyed list, seldom an empty one: that has no owner, so it is never proven without a dry-run."""
    some = st.lists(items, min_size=1, max_size=3, unique_by=lambda item: tuple(map(item.get, keys)))
    return some if least else st.one_of(some, some, some, st.just([]))


def _body(version: str, kind: str, content: st.SearchStrategy[Body]) -> st.SearchStrategy[Body]:
    metadata = _some(labels=_labels, annotations=_labels)
    return st.builds(
        lambda meta, rest: {"apiVersion": version, "kind": kind, "metadata": meta, **rest}, metadata, content
    )


_free = st.recursive(
    st.sampled_from([0, 1, True, False, 1.5, "", "a"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_words, inner, max_size=2),
    max_leaves=4,
)
_sample_spec = _some(
    free=st.dictionaries(_words, _free, max_size=3),
    map=st.dictionaries(_words, _words, max_size=2),
    whole=st.dictionaries(_words, _words, max_size=2),
    keyed=_unique(
        st.builds(
            lambda name, rest: {"name": name, **rest},
            _words,
            _some(protocol=st.sampled_from(["TCP", "UDP"]), value=_words, options=_labels),
        ),
        "name",
    ),
    set=st.lists(_words, min_size=1, max_size=3, unique=True),
    list=st.lists(st.fixed_dictionaries({"a": _numbers, "b": _numbers}), max_size=2),
    number=st.sampled_from([0, 1, 1.5]),
    either=st.sampled_from([1, "1", "10%"]),
    maybe=_words,
    filled=_words,
    deep=_some(x=_numbers, y=_some(z=_words)),
)

_env = st.builds(
    lambda name, rest: {"name": f"ENV_{name.upper()}", **rest},
    _words,
    st.one_of(
        _some(value=_words),
        st.just({"valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}),
    ),
)
_port = st.builds(
    lambda number, rest: {"containerPort": number, **rest},
    st.integers(80, 82),
    _some(protocol=st.sampled_from(["TCP", "UDP"])),
)
_container = st.builds(
    lambda name, rest: {"name": name, "image": "example.com/app:1", **rest},
    _words,
    _some(
        args=st.lists(_words, max_size=2),
        env=_unique(_env, "name"),
        ports=_unique(_port, "containerPort"),
        resources=_some(limits=st.just({"cpu": "100m", "memory": "1Gi"}), requests=st.just({"cpu": "10m"})),
        securityContext=_some(runAsNonRoot=st.booleans(), capabilities=st.just({"drop": ["ALL"]})),
        volumeMounts=st.just([{"name": "scratch", "mountPath": "/tmp"}]),
    ),
)
_volume = st.sampled_from([{"name": "scratch", "emptyDir": {}}])


def _deployment(containers: list[Body], pod: Body, rest: Body) -> Body:
    template = {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": containers, "volumes": [{"name": "scratch", "emptyDir": {}}], **pod},
    }
    return {"spec": {"selector": {"matchLabels": {"app": "x"}}, "template": template, "replicas": 0, **rest}}


_rule = st.fixed_dictionaries(
    {
        "apiGroups": st.lists(st.sampled_from(["", "apps"]), min_size=1, max_size=2, unique=True),
        "resources": st.just(["pods"]),
        "verbs": st.lists(st.sampled_from(["get", "list"]), min_size=1, max_size=2, unique=True),
    }
)
_peer = st.fixed_dictionaries(
    {"ports": st.just([{"port": 80, "protocol": "TCP"}]), "from": st.just([{"podSelector": {}}])}
)
_backend = {"service": {"name": "x", "port": {"number": 80}}}
_metric = st.sampled_from(
    [
        {"type": "Resource", "resource": {"name": name, "target": {
            "type": "Utilization", "averageUtilization": 70}}}
        for name in ("cpu", "memory")
    ]
)  # fmt: skip

KINDS: dict[str, st.SearchStrategy[Body]] = {
    "ConfigMap": _body("v1", "ConfigMap", _some(data=st.dictionaries(_words, _words, max_size=3))),
    "Secret": _body(
        "v1", "Secret", _some(data=st.dictionaries(_words, st.just("c2VjcmV0"), max_size=3), type=st.just("Opaque"))
    ),
    "Deployment": _body(
        "apps/v1",
        "Deployment",
        st.builds(
            _deployment,
            _unique(_container, "name", least=1),
            _some(nodeSelector=_labels, securityContext=st.just({}), tolerations=st.just(
                [{"key": "a", "operator": "Exists", "effect": "NoSchedule"}])),
            _some(minReadySeconds=_numbers, paused=st.booleans(), strategy=st.just({"type": "Recreate"})),
        ),
    ),
    "Service": _body(
        "v1",
        "Service",
        st.builds(
            lambda ports, rest: {"spec": {"ports": ports, **rest}},
            _unique(
                st.builds(
                    lambda number, rest: {"name": f"p{number}", "port": number, **rest},
                    st.integers(80, 83),
                    _some(protocol=st.sampled_from(["TCP", "UDP"]), targetPort=st.sampled_from([80, "http"])),
                ),
                "port",
                least=1,
            ),
            _some(selector=_labels, publishNotReadyAddresses=st.booleans()),
        ),
    ),
    "NetworkPolicy": _body(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        st.builds(
            lambda rest: {"spec": {"podSelector": {}, "policyTypes": ["Ingress"], **rest}},
            _some(ingress=st.lists(_peer, min_size=1, max_size=2)),
        ),
    ),
    "Role": _body("rbac.authorization.k8s.io/v1", "Role", _some(rules=st.lists(_rule, min_size=1, max_size=2))),
    "Ingress": _body(
        "networking.k8s.io/v1",
        "Ingress",
        st.builds(
            lambda hosts, rest: {"spec": {"rules": [{"host": f"{h}.example.com", "http": {"paths": [
                {"path": "/", "pathType": "Prefix", "backend": _backend}]}} for h in hosts], **rest}},
            st.lists(_words, min_size=1, max_size=2, unique=True),
            _some(ingressClassName=_words, tls=st.just([{"hosts": ["a.example.com"]}])),
        ),
    ),
    "HorizontalPodAutoscaler": _body(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        st.builds(
            lambda metrics, most: {"spec": {"maxReplicas": most, "metrics": metrics, "scaleTargetRef": {
                "apiVersion": "apps/v1", "kind": "Deployment", "name": "absent"}}},
            st.lists(_metric, min_size=1, max_size=2, unique_by=lambda m: m["resource"]["name"]),
            st.integers(2, 4),
        ),
    ),
    SAMPLE: _body(f"{GROUP}/{VERSIONS[0]}", SAMPLE, _some(spec=_sample_spec)),
}  # fmt: skip


def _of_kind(kind: str) -> st.SearchStrategy[Body]:
    return KINDS[kind]


# Half of the draws are samples: only they have every kind of list and map.
manifests: st.SearchStrategy[Body] = st.one_of(
    KINDS[SAMPLE], st.sampled_from(sorted(KINDS)).flatmap(_of_kind)
)
