# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Admission webhooks that are down, deny, or change what they admit (row 38 of the list of faults)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Done, Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.faults.admission_webhook import (
    REVIEWED,
    Webhook,
    configured,
    deny,
    patch,
    webhook_server,
)
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, manifest


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[Webhook]:
    with webhook_server(tmp_path / "webhook") as running:
        yield running


def reviewed(name: str, data: Mapping[str, str] | None = None) -> str:
    return config_map(name, data, labels=REVIEWED)


def errors(done: Done) -> dict[str, str]:
    """What failed or was refused, and why, by name."""
    failed = {o.action.ref.name: o.error for o in done.app.outcomes if o.error}
    refused = {a.ref.name: a.reason for a in done.app.plan.actions if a.verb is Verb.REFUSED}
    return {**refused, **failed}


def test_row_38_what_a_webhook_denies_fails_alone_and_says_why(
    engine: Engine, kubectl: Kubectl, webhook: Webhook
) -> None:
    engine.write("app/all.yaml", reviewed("c") + config_map("free") + config_map("left"))
    assert not engine.apply().app.failed
    engine.write("app/all.yaml", reviewed("c", {"a": "2"}) + reviewed("new") + config_map("free", {"a": "2"}))
    webhook.review = deny("images of this kind are not for us")
    with configured(webhook, "Validating", kubectl, engine.namespace):
        done = engine.apply()
        assert errors(done).keys() == {"c", "new"}
        for message in errors(done).values():
            assert "images of this kind are not for us" in message
        assert kubectl.live("configmap", "free", engine.namespace)["data"] == {"a": "2"}
        assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "1"}
        assert kubectl.get("configmap", "new", engine.namespace) is None
        assert kubectl.live("configmap", "left", engine.namespace), "nothing is pruned after a failure"
        assert errors(engine.check()).keys() >= {"c"}
    assert not engine.apply().app.failed
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "2"}
    assert kubectl.get("configmap", "left", engine.namespace) is None
    assert engine.apply().writes == 0


def test_row_38_a_webhook_that_is_down_fails_its_objects_and_no_others(
    engine: Engine, kubectl: Kubectl, webhook: Webhook
) -> None:
    engine.write("app/all.yaml", reviewed("c") + reviewed("same") + config_map("free"))
    assert not engine.apply().app.failed
    engine.write(
        "app/all.yaml",
        reviewed("c", {"a": "2"}) + reviewed("same") + reviewed("new") + config_map("free", {"a": "2"}),
    )
    with configured(webhook, "Validating", kubectl, engine.namespace):
        webhook.down = True
        done = engine.apply()
        assert errors(done).keys() == {"c", "new"}, "an object that is as wanted needs nobody's consent"
        for message in errors(done).values():
            assert "review.plumb.example" in message
        assert kubectl.live("configmap", "free", engine.namespace)["data"] == {"a": "2"}
        assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "1"}
        assert webhook.asked.count("new") <= 6, "it is not asked without end"
        webhook.down = False
        assert not engine.apply().app.failed
        assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "2"}
        assert engine.apply().writes == 0


def _as_a_policy(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What policies do: add an annotation and a container, and decide a field that Git says otherwise."""
    annotations = {**body["metadata"].get("annotations", {}), "policy.example.com/seen": "yes"}
    operations: list[dict[str, Any]] = [
        {"op": "add", "path": "/metadata/annotations", "value": annotations},
    ]
    if body["kind"] == "ConfigMap":
        operations.append({"op": "replace", "path": "/data/level", "value": "decided by the policy"})
    else:
        pod = body["spec"]["template"]["spec"]
        if all(container["name"] != "sidecar" for container in pod["containers"]):
            sidecar = {"name": "sidecar", "image": "example.com/sidecar:1"}
            operations.append({"op": "add", "path": "/spec/template/spec/containers/-", "value": sidecar})
    return operations


def test_row_38_what_a_webhook_changes_is_no_drift_and_nothing_to_do(
    engine: Engine, kubectl: Kubectl, webhook: Webhook
) -> None:
    labels = {"app": "d"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": "example.com/app:1"}]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    engine.write(
        "app/all.yaml",
        reviewed("c", {"level": "as Git says", "a": "1"})
        + manifest("apps/v1", "Deployment", "d", metadata={"labels": REVIEWED}, spec=spec),
    )
    webhook.review = patch(_as_a_policy)
    with configured(webhook, "Mutating", kubectl, engine.namespace):
        made = engine.apply()
        assert not made.app.failed
        live = kubectl.live("configmap", "c", engine.namespace)
        assert live["data"]["level"] == "decided by the policy"
        containers = kubectl.live("deployment", "d", engine.namespace)["spec"]["template"]["spec"][
            "containers"
        ]
        assert [container["name"] for container in containers] == ["main", "sidecar"]

        looks = made.result.verified
        for again in (
            engine.apply(),
            engine.apply(verified=looks),
            engine.apply(verified=looks, deep=True),
            engine.check(verified=looks),
        ):
            assert again.writes == 0
            assert again.verbs() == {}
            assert not any(action.drifted for action in again.app.plan.actions)

        kubectl("patch", "configmap", "c", "-n", engine.namespace, "-p", '{"data":{"a":"9"}}')
        drifted = engine.apply(verified=looks).action("ConfigMap", "c")
        assert [change.path for change in drifted.changes] == ["data.a"]
        assert kubectl.live("configmap", "c", engine.namespace)["data"]["a"] == "1"
        assert engine.apply(verified=looks).writes == 0
