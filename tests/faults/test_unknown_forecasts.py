# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check must not pretend to know, and what waits without being a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.change import ALLOCATED
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.forecasts import forecast, happened
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.faults.denying_admission import (
    dead_webhook,
    denied_by_policy,
)
from ansible_collections.plumb.gitops.tests.support.manifests.bodies import service, write
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, custom_kind, manifest
from ansible_collections.plumb.gitops.tests.support.tampering.edits import edit, live_of, replaced

PLAIN: dict[str, Any] = {"selector": {"app": "s"}, "ports": [{"port": 80, "name": "http"}]}
TWO_PORTS = [*PLAIN["ports"], {"port": 443, "name": "https"}]

# the Service before, the Service then, and by path what is forecast of what the server draws
DRAWN: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a node port": (
        PLAIN, {**PLAIN, "type": "NodePort"}, {"spec.ports[80/TCP].nodePort": ALLOCATED}),
    "a node port that Git says": (
        PLAIN, {**PLAIN, "type": "NodePort", "ports": [{"port": 80, "name": "http", "nodePort": 31987}]},
        {"spec.ports[80/TCP].nodePort": 31987}),
    "one port more": (
        {**PLAIN, "type": "NodePort"}, {**PLAIN, "type": "NodePort", "ports": TWO_PORTS},
        {"spec.ports[443/TCP]": {
            "name": "https", "port": 443, "protocol": "TCP", "targetPort": 443, "nodePort": ALLOCATED}}),
    "addresses": (
        {"type": "ExternalName", "externalName": "example.com"}, PLAIN,
        {"spec.clusterIP": ALLOCATED, "spec.clusterIPs": ALLOCATED}),
    "a port for health checks": (
        PLAIN, {**PLAIN, "type": "LoadBalancer", "externalTrafficPolicy": "Local"},
        {"spec.healthCheckNodePort": ALLOCATED, "spec.ports[80/TCP].nodePort": ALLOCATED}),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_row_105_what_the_server_draws_is_not_forecast_as_if_known(engine: Engine, name: str) -> None:
    before, then, forecast_changes = DRAWN[name]
    engine.write("app/s.yaml", manifest("v1", "Service", "s", spec=before))
    engine.apply()
    engine.write("app/s.yaml", manifest("v1", "Service", "s", spec=then))
    forecast = {c.path: c.desired for c in engine.check().action("Service", "s").changes}
    assert forecast.items() >= forecast_changes.items()
    assert ALLOCATED in str(forecast_changes) or ALLOCATED not in str(forecast)
    assert not engine.apply().app.failed
    assert not engine.check(deep=True).verbs()


def test_row_105_what_the_server_counts_is_forecast_with_the_change_that_it_counts(
    engine: Engine, kubectl: Kubectl
) -> None:
    labels = {"app": "d"}
    containers = [{"name": "main", "image": "example.com/app:1"}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    body: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    write(engine, [body])
    assert not engine.apply().app.failed
    counter = "metadata.annotations[deprecated.daemonset.template.generation]"
    image = "spec.template.spec.containers[main].image"
    kubectl("set", "image", "daemonset/d", "main=example.com/app:2", "-n", engine.namespace)
    for number in ("1", "3"):  # what was changed by hand is reverted; then Git says something new
        containers[0]["image"] = f"example.com/app:{number}"
        write(engine, [body])
        expected, before = forecast(engine.check().action("DaemonSet", "d")), live_of(engine, body)
        assert not engine.apply().app.failed
        assert expected == happened(before, live_of(engine, body))
        assert {path for path, _before, _after in expected} == {counter, image}


def test_row_104_a_port_of_another_number_keeps_its_node_port(engine: Engine) -> None:
    body = service("s", {"name": "a", "port": 80}, {"name": "b", "port": 81})
    body["spec"]["type"] = "NodePort"
    write(engine, [body])
    assert not engine.apply().app.failed
    edit(engine, body, replaced("/spec/ports/0/port", 8888))
    expected, before = forecast(engine.check().action("Service", "s")), live_of(engine, body)
    assert not engine.apply().app.failed
    assert expected == happened(before, live_of(engine, body))
    assert len({port["nodePort"] for port in live_of(engine, body)["spec"]["ports"]}) == 2


POD = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example.com/app:1"}]}
TEMPLATE: dict[str, Any] = {"metadata": {"labels": {"app": "x", "tier": "y"}}, "spec": POD}
COPYING = {
    "Job": manifest("batch/v1", "Job", "x", spec={"template": TEMPLATE}),
    "ReplicationController": manifest(
        "v1", "ReplicationController", "x",
        spec={"replicas": 0, "selector": {"app": "x"}, "template": {
            **TEMPLATE, "spec": {"containers": POD["containers"]}}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", COPYING)
def test_row_105_labels_of_a_template_are_on_the_object_as_the_server_would_copy_them(
    engine: Engine, kubectl: Kubectl, kind: str
) -> None:
    engine.write("app/x.yaml", COPYING[kind])
    assert not engine.apply().app.failed
    labels = kubectl.live(kind, "x", engine.namespace)["metadata"]["labels"]
    assert labels.items() >= TEMPLATE["metadata"]["labels"].items()
    assert engine.apply().writes == 0
    assert not engine.check(deep=True).verbs()
    kubectl("label", kind, "x", "tier-", "app-", "-n", engine.namespace)
    drifted = engine.check().action(kind, "x")
    assert {change.path for change in drifted.changes} == {"metadata.labels.app", "metadata.labels.tier"}
    assert drifted.drifted


def test_row_105_labels_that_the_object_has_itself_are_all_it_gets(engine: Engine, kubectl: Kubectl) -> None:
    own = json.loads(COPYING["Job"].removeprefix("---\n"))
    own["metadata"]["labels"] = {"own": "1"}
    engine.write("app/x.yaml", json.dumps(own))
    engine.apply()
    assert "app" not in kubectl.live("Job", "x", engine.namespace)["metadata"]["labels"]


def test_row_105_what_leaves_git_and_waits_for_consent_is_no_failure(
    engine: Engine, kubectl: Kubectl
) -> None:
    group = f"{engine.namespace}.example.com"
    engine.write("app/kind.yaml", custom_kind("things", "Thing", group))
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    engine.write("app/claim.yaml", manifest("v1", "PersistentVolumeClaim", "data", spec=claim))
    engine.write("app/c.yaml", config_map("c"))
    assert not engine.apply().app.failed
    engine.remove("app/kind.yaml")
    engine.remove("app/claim.yaml")
    for done in (engine.check(), engine.apply(), engine.apply()):
        assert not done.app.failed, done.app
        for kind, name in (
            ("CustomResourceDefinition", f"things.{group}"),
            ("PersistentVolumeClaim", "data"),
        ):
            action = done.action(kind, name)
            assert action.verb is Verb.UNCHANGED
            assert "waits for consent" in action.reason
    kubectl("annotate", "crd", f"things.{group}", "plumb.gitops/prune=enabled")
    assert engine.apply().action("CustomResourceDefinition", f"things.{group}").verb is Verb.PRUNE


@pytest.mark.parametrize("denying", [denied_by_policy, dead_webhook])
def test_row_102_a_deep_check_that_admission_denies_is_said_as_that(
    engine: Engine, kubectl: Kubectl, denying: Any
) -> None:
    """For an object that its content proves, and for one that only an earlier dry-run proved."""
    rule = {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}
    engine.write("app/c.yaml", config_map("c"))
    engine.write("app/n.yaml", manifest("networking.k8s.io/v1", "NetworkPolicy", "n", spec=rule))
    engine.apply()
    looks = engine.apply().result.verified
    with denying(kubectl, engine.namespace):
        for done in (engine.check(deep=True, verified=looks), engine.apply(deep=True, verified=looks)):
            assert not done.app.failed, done.app
            assert not done.verbs()
            for kind, name in (("ConfigMap", "c"), ("NetworkPolicy", "n")):
                warning = done.action(kind, name).warning
                assert "deep check was not possible" in warning
                assert "denied" in warning or "failed calling webhook" in warning
                assert "defect" not in warning


def test_row_105_what_an_earlier_version_applied_without_these_labels_is_left_as_it_is(
    engine: Engine, kubectl: Kubectl
) -> None:
    engine.write("app/x.yaml", COPYING["Job"])
    engine.apply()
    live = kubectl.live("Job", "x", engine.namespace)["metadata"]
    body = json.loads(COPYING["Job"].removeprefix("---\n"))
    label, digest = "applyset.kubernetes.io/part-of", "plumb.gitops/manifest"
    body["metadata"] |= {
        "namespace": engine.namespace,
        "labels": {label: live["labels"][label]},
        "annotations": {digest: live["annotations"][digest]},
    }
    kubectl.apply(json.dumps(body), "--server-side", "--field-manager=plumb")
    assert "app" not in kubectl.live("Job", "x", engine.namespace)["metadata"]["labels"]
    done = engine.apply()
    assert (done.writes, done.verbs(), done.app.drifted) == (0, {}, False)
    engine.write(
        "app/x.yaml", COPYING["Job"].replace('"name": "x"', '"name": "x", "annotations": {"new": "1"}', 1)
    )
    assert not engine.apply().app.failed
    assert kubectl.live("Job", "x", engine.namespace)["metadata"]["labels"]["app"] == "x"
