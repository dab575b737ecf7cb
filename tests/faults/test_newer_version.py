# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A custom resource that moves to a newer version with a new field (row 85 of the list of faults)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.api import api_of
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.manifests.bodies import body, write
from ansible_collections.plumb.gitops.tests.support.tampering.edits import changes_of

TEXT = {"type": "string"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A custom kind of the test's own."""

    kubectl: Kubectl
    group: str

    def serve(self, *, beta: bool = True, newer: bool = False, **spec: Any) -> None:
        """Define it: in v1beta1, and then in v1 as well, which has one field more and is the stored one."""
        old, new = {"old": TEXT}, {"old": TEXT, "new": TEXT}
        versions = [_version("v1beta1", beta, not newer, old)]
        versions += [_version("v1", True, True, new)] if newer else []
        definition = body(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            f"things.{self.group}",
            {
                "group": self.group,
                "scope": "Namespaced",
                "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
                "versions": versions,
                **spec,
            },
        )
        self.kubectl.apply(json.dumps(definition), "--server-side")
        self.kubectl("wait", "--for=condition=Established", f"crd/things.{self.group}", "--timeout=60s")

    def thing(self, version: str, **spec: Any) -> dict[str, Any]:
        return body(f"{self.group}/{version}", "Thing", "t", spec)

    def live(self, engine: Engine, version: str = "v1") -> dict[str, Any]:
        path = f"/apis/{self.group}/{version}/namespaces/{engine.namespace}/things/t"
        status, answer = api_of(engine.sandbox.kubeconfig).request("GET", path)
        while status == 404:  # the server takes a moment to serve a new version
            status, answer = api_of(engine.sandbox.kubeconfig).request("GET", path)
        assert status == 200, answer
        return answer


def _version(name: str, served: bool, storage: bool, properties: dict[str, Any]) -> dict[str, Any]:
    spec = {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}
    return {"name": name, "served": served, "storage": storage, "schema": {"openAPIV3Schema": spec}}


@pytest.fixture
def kind(kubectl: Kubectl) -> Iterator[Kind]:
    made = Kind(kubectl, f"row85-{uuid.uuid4().hex[:8]}.plumb.test")
    made.serve()
    yield made
    kubectl("delete", "crd", f"things.{made.group}", "--wait=false")


@pytest.mark.parametrize("beta", [True, False], ids=["beta is served", "beta is not served any more"])
@pytest.mark.parametrize("others", ["none", "an editor", "an applier"])
def test_row_85_a_resource_moves_to_a_version_that_has_a_new_field(
    engine: Engine, kubectl: Kubectl, kind: Kind, beta: bool, others: str
) -> None:
    write(engine, [kind.thing("v1beta1", old="1")])
    assert not engine.apply().app.failed
    if others == "an editor":
        kubectl("annotate", f"things.{kind.group}", "t", "-n", engine.namespace, "note=x")
    if others == "an applier":
        note = {"name": "t", "namespace": engine.namespace, "annotations": {"note": "x"}}
        claim = {"apiVersion": f"{kind.group}/v1beta1", "kind": "Thing", "metadata": note}
        kubectl.apply(json.dumps(claim), "--server-side", "--field-manager=other")
    kind.serve(beta=beta, newer=True)
    kind.live(engine)
    write(engine, [kind.thing("v1", old="1", new="2")])
    forecast = engine.check()
    done = engine.apply()
    assert not done.app.failed, [o.action.reason or o.error for o in done.app.outcomes]
    assert changes_of(forecast) == changes_of(done)
    live = kind.live(engine)
    assert live["spec"] == {"old": "1", "new": "2"}
    assert (live["metadata"]["annotations"].get("note") == "x") is (others != "none")
    assert engine.apply().writes == 0
    write(engine, [kind.thing("v1", new="2")])
    engine.apply()
    assert kind.live(engine)["spec"] == {"new": "2"}
    assert engine.apply().writes == 0


def test_row_85_a_field_that_no_version_has_is_still_the_manifests_fault(engine: Engine, kind: Kind) -> None:
    write(engine, [kind.thing("v1beta1", old="1")])
    engine.apply()
    kind.serve(newer=True)
    kind.live(engine)
    write(engine, [kind.thing("v1", old="1", new="2", misspelt="3")])
    action = engine.apply().action("Thing", "t")
    assert action.verb is Verb.REFUSED
    assert "misspelt" in action.reason
    assert "Correct the manifest in Git" in action.reason
    assert kind.live(engine)["spec"] == {"old": "1"}


def test_row_85_a_conversion_webhook_that_is_down_is_not_the_manifests_fault(
    engine: Engine, kind: Kind
) -> None:
    write(engine, [kind.thing("v1beta1", old="1")])
    engine.apply()
    kind.serve(newer=True)
    kind.live(engine)
    nowhere = {"service": {"name": "nobody", "namespace": "row-85-nowhere"}}
    kind.serve(
        newer=True,
        conversion={
            "strategy": "Webhook",
            "webhook": {"clientConfig": nowhere, "conversionReviewVersions": ["v1"]},
        },
    )
    write(engine, [kind.thing("v1", old="1", new="2")])
    path = f"/apis/{kind.group}/v1/namespaces/{engine.namespace}/things/t"
    api = api_of(engine.sandbox.kubeconfig)
    while api.request("GET", path)[0] == 200:
        pass  # the server takes a moment to ask the webhook
    done = engine.apply()
    text = " ".join([done.app.plan.error, *(f"{o.action.reason} {o.error}" for o in done.app.outcomes)])
    assert done.app.failed or done.app.plan.error
    assert "conversion webhook" in text
    assert "Correct the manifest" not in text
    kind.serve(newer=True, conversion={"strategy": "None"})
