# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check says of objects that others made, beside what the run then does; and the quiet afterwards."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest
import yaml
from hypothesis import assume, given, note
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.api import Api, api_of
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.forecasts import forecast, happened
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.manifests.drawn import Body, manifests
from ansible_collections.plumb.gitops.tests.support.manifests.web_application import OBJECTS
from ansible_collections.plumb.gitops.tests.support.tampering.drawn_patches import without_drawn_value
from ansible_collections.plumb.gitops.tests.support.tampering.draws import DRAWS, examples
from ansible_collections.plumb.gitops.tests.support.tampering.property_cluster import (
    PropertyCluster,
    prepared,
)

FORMER_OWNERS = ("kubectl-client-side-apply", "helm", "kubectl-create", "kubectl")


@pytest.fixture(scope="module")
def cluster(sandbox: Sandbox) -> Iterator[PropertyCluster]:
    with connect(ConnectionSpec(kubeconfig=sandbox.kubeconfig, in_cluster=False)) as connected:
        yield from prepared(connected)


def make(cluster: PropertyCluster, api: Api, body: Body, manager: str) -> None:
    """Make an object before Plumb comes: by server-side apply as `kubectl`, by a plain create as anybody else."""
    if manager == "kubectl":
        cluster.apply(body, manager)
        return
    annotations = {**(body["metadata"].get("annotations") or {})}
    if manager == "kubectl-client-side-apply":
        annotations["kubectl.kubernetes.io/last-applied-configuration"] = json.dumps(body)
    if manager == "helm":
        annotations["meta.helm.sh/release-name"] = "x"
    resource = cluster.cluster.discover().find(body["apiVersion"], body["kind"])
    assert resource is not None
    made = {**body, "metadata": {**body["metadata"], "annotations": annotations}}
    path = resource.path(body["metadata"]["namespace"])
    status, answer = api.request("POST", f"{path}?fieldManager={manager}", made)
    assume(status == 201)  # an apply may leave out what a create may not
    note(f"{answer['metadata'].get('managedFields')}")


def test_row_99_a_check_forecasts_each_field_that_an_adoption_changes(
    cluster: PropertyCluster, sandbox: Sandbox
) -> None:
    api = api_of(sandbox.kubeconfig)
    seen: Counter[str] = Counter()

    @examples(60, shrink=False)
    @given(st.data())
    def explore(data: st.DataObject) -> None:
        body = cluster.named(data.draw(manifests))
        manager = data.draw(st.sampled_from(FORMER_OWNERS))
        # What another tool's apply claims, and Git does not say, stays and is told as an addition.
        less = manager != "kubectl" and data.draw(st.booleans())
        in_git = without_drawn_value(data.draw(DRAWS), body) if less else body
        note(f"{manager}: {body} -> {in_git}")
        make(cluster, api, body, manager)
        app, before = body["metadata"]["name"], cluster.get(body)
        checked, _writes = cluster.run(app, [in_git], check=True)
        done, _writes = cluster.run(app, [in_git])
        (planned,), (applied,) = checked.plan.actions, done.plan.actions
        assert (planned.verb, planned.changes) == (applied.verb, applied.changes)
        assume(planned.verb is Verb.ADOPT)  # immutable
        assert not done.failed
        assert forecast(planned) == happened(before, cluster.get(body))
        again, writes = cluster.run(app, [in_git])
        assert writes == 0
        assert not again.drifted, again
        seen[manager] += 1

    explore()
    assert set(seen) == set(FORMER_OWNERS), seen


def _by_kubectl(kubectl: Kubectl, _engine: Engine, text: str) -> None:
    kubectl.apply(text)


def _by_kubectl_on_the_server(kubectl: Kubectl, _engine: Engine, text: str) -> None:
    kubectl.apply(text, "--server-side")


def _by_helm(kubectl: Kubectl, _engine: Engine, text: str) -> None:
    kubectl("create", "--field-manager=helm", "-f", "-", stdin=text)


BY = {
    "kubectl apply": _by_kubectl,
    "kubectl apply --server-side": _by_kubectl_on_the_server,
    "helm": _by_helm,
}


@pytest.mark.parametrize("by", BY)
def test_row_99_and_100_a_whole_workload_is_adopted_as_forecast_and_is_quiet_ever_after(
    engine: Engine, kubectl: Kubectl, by: str
) -> None:
    text = OBJECTS.replace("NAMESPACE", engine.namespace)
    wanted = [body for body in yaml.safe_load_all(text) if body]
    BY[by](kubectl, engine, text)
    kubectl("scale", "deployment/web", "--replicas=2", "-n", engine.namespace)
    engine.write("app/all.yaml", text)
    adopting = engine.spec(adopt=True)
    before = _live(kubectl, wanted)
    checked = engine.check(adopting)
    assert not checked.app.failed, checked.app
    assert {action.verb for action in checked.app.plan.actions} == {Verb.ADOPT}
    assert not engine.apply(adopting).app.failed
    after = _live(kubectl, wanted)
    for action in checked.app.plan.actions:
        key = (action.ref.kind, action.ref.name)
        assert forecast(action) == happened(before[key], after[key]), key
    assert after["Deployment", "web"]["spec"]["replicas"] == 2
    _own_by_a_controller(kubectl, engine.namespace)
    for _run in range(10):
        done = engine.apply(adopting)
        drifts = [(action.ref, action.changes) for action in done.app.plan.actions if action.drifted]
        assert (done.writes, drifts, done.verbs()) == (0, [], {})
    deep = engine.check(adopting, deep=True)
    assert not deep.verbs()
    assert not deep.app.drifted
    kubectl("delete", "clusterrole", f"{engine.namespace}-reader", "--wait=false")
    kubectl("delete", "namespace", f"{engine.namespace}-own", "--wait=false")


def _live(kubectl: Kubectl, wanted: list[Body]) -> dict[tuple[str, str], Body]:
    return {
        (body["kind"], body["metadata"]["name"]): kubectl.live(
            body["kind"], body["metadata"]["name"], body["metadata"].get("namespace", "")
        )
        for body in wanted
    }


def _own_by_a_controller(kubectl: Kubectl, namespace: str) -> None:
    """What an operator does to objects that it works with: an owner reference, under its own name."""
    owner = kubectl.live("configmap", "settings", namespace)["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "settings", "uid": owner["uid"]}
    patch = json.dumps({"metadata": {"ownerReferences": [{**reference, "controller": True}]}})
    for what in ("service/web", "serviceaccount/web"):
        kubectl("patch", what, "-n", namespace, "--type=merge", "-p", patch, "--field-manager=web-operator")
