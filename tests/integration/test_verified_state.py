# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metadata proof on a real API server: what it saves, and that it never passes what a dry-run would not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.plan.verified_cache import VerifiedState
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl

MANIFESTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {tier: front}}
data: {one: "1", two: "2"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {team: shop}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: main
          image: web:1
          env:
            - {name: A, value: a}
            - {name: B, value: b}
            - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {}, policyTypes: [Egress], egress: []}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: NAMESPACE-urgent}
value: 10
description: first things first
"""

WEB = ("deployment", "web")
REORDERED = '[{"op":"replace","path":"/spec/template/spec/containers/0/env","value":ENV}]'
ENV = (
    '[{"name":"B","value":"b"},{"name":"A","value":"a"},'
    '{"name":"POD","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.name"}}}]'
)


@pytest.fixture
def settled(engine: Engine) -> Engine:
    """An engine whose app is applied, and at rest: a Deployment's controller moves its generation once at first."""
    engine.write("app/all.yaml", MANIFESTS.replace("NAMESPACE", engine.namespace))
    assert not engine.apply(engine.spec(wait=True)).app.failed
    return engine


def own_name(kubectl: Kubectl, namespace: str) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {one: '1', two: '2', three: '3'}\n"
    kubectl.apply(manifest, "--server-side", "--field-manager=plumb", "--force-conflicts", "-n", namespace)


def reordered(kubectl: Kubectl, namespace: str) -> None:
    kubectl("patch", *WEB, "-n", namespace, "--type=json", "-p", REORDERED.replace("ENV", ENV))


def allow_all(kubectl: Kubectl, namespace: str) -> None:
    kubectl(
        "patch", "networkpolicy", "deny", "-n", namespace, "--type=merge", "-p", '{"spec":{"egress":[{}]}}'
    )


def class_without_generation(kubectl: Kubectl, namespace: str) -> None:
    kubectl("patch", "priorityclass", f"{namespace}-urgent", "--type=merge", "-p", '{"description":"mine"}')


def label_removed(kubectl: Kubectl, namespace: str) -> None:
    kubectl("label", "configmap", "settings", "-n", namespace, "tier-")


def annotation_changed(kubectl: Kubectl, namespace: str) -> None:
    kubectl("annotate", *WEB, "-n", namespace, "team=other", "--overwrite")


def value_changed(kubectl: Kubectl, namespace: str) -> None:
    kubectl("patch", "configmap", "settings", "-n", namespace, "--type=merge", "-p", '{"data":{"one":"one"}}')


def recreated(kubectl: Kubectl, namespace: str) -> None:
    kubectl("delete", "configmap", "settings", "-n", namespace)
    kubectl.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n", "-n", namespace)


def wiped(kubectl: Kubectl, namespace: str) -> None:
    patch = '[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]'
    kubectl("patch", *WEB, "-n", namespace, "--type=json", "-p", patch)


def test_what_was_proven_is_settled_by_metadata_alone(settled: Engine) -> None:
    proven = settled.check()
    assert proven.dry_runs > 0  # a fieldRef's default is in doubt for ever
    assert proven.verbs() == {}
    again = settled.check(verified=proven.result.verified)
    assert again.verbs() == {}
    assert (again.dry_runs, again.writes) == (0, 0)
    assert again.reads == proven.reads  # metadata in place of the whole, and nothing twice
    assert again.result.verified == proven.result.verified


def test_what_the_server_answered_to_an_apply_is_proven_by_its_content(engine: Engine) -> None:
    """So a second run reads no whole object of those; what only a dry-run can prove has no look yet."""
    engine.write("app/all.yaml", MANIFESTS.replace("NAMESPACE", engine.namespace))
    made = engine.apply()
    (looks,) = made.result.verified.values()
    assert {ref.kind for ref in looks} == {"ConfigMap", "PriorityClass"}
    read = engine.check().result.verified
    (whole,) = read.values()
    assert all(whole[ref] == look for ref, look in looks.items())
    engine.write("app/all.yaml", MANIFESTS.replace("NAMESPACE", engine.namespace).replace('"1"', '"9"'))
    (changed,) = engine.apply(verified=read).result.verified.values()
    (again,) = engine.check().result.verified.values()

    def known(looks: Mapping[ObjectRef, VerifiedState]) -> dict[ObjectRef, tuple[object, ...]]:
        """What is known of what was applied; its status may have moved since."""
        return {ref: (look.digest, look.generation, look.entry_digest) for ref, look in looks.items()}

    assert known(changed) == known(again), "an update is looked at as well"


def test_a_waiting_run_is_settled_too(settled: Engine) -> None:
    app = settled.spec(wait=True)
    first = settled.apply(app)
    assert not first.app.failed
    again = settled.apply(app, verified=first.result.verified)
    assert (again.dry_runs, again.writes) == (0, 0)
    assert again.app.waited
    assert not again.app.unhealthy


@pytest.mark.parametrize(
    "mischief",
    [
        own_name,
        reordered,
        allow_all,
        class_without_generation,
        label_removed,
        annotation_changed,
        value_changed,
        recreated,
        wiped,
    ],
)
def test_no_look_settles_what_a_dry_run_would_change(
    settled: Engine, kubectl: Kubectl, mischief: Callable[[Kubectl, str], None]
) -> None:
    looks = settled.check().result.verified
    mischief(kubectl, settled.namespace)
    truth = settled.check(deep=True)
    done = settled.check(verified=looks)
    assert done.verbs() == truth.verbs() != {}
    assert not any(action.warning for action in done.app.plan.actions)
    settled.apply(verified=looks)
    if mischief is not recreated:  # what is not ours any more is refused
        assert settled.check(deep=True).verbs() == {}


def test_what_moved_without_its_generation_needs_no_dry_run(settled: Engine, kubectl: Kubectl) -> None:
    looks = settled.check().result.verified
    kubectl("label", *WEB, "-n", settled.namespace, "somebody=else")
    first = settled.check(verified=looks)
    assert [change.path for action in first.app.plan.actions for change in action.changes] == [
        "metadata.labels.somebody"
    ]
    done = settled.check(verified=first.result.verified)
    assert done.dry_runs == 0
    assert (
        done.app.plan.actions == first.app.plan.actions
    )  # what others have added is told again, from the look


def test_a_changed_manifest_is_planned_whatever_was_proven(settled: Engine) -> None:
    looks = settled.check().result.verified
    settled.write("app/all.yaml", MANIFESTS.replace("NAMESPACE", settled.namespace).replace('"2"', '"3"'))
    assert set(settled.check(verified=looks).verbs()) == {f"ConfigMap {settled.namespace}/settings"}


def test_what_left_git_is_pruned_by_its_metadata(settled: Engine, kubectl: Kubectl) -> None:
    looks = settled.check().result.verified
    documents = MANIFESTS.replace("NAMESPACE", settled.namespace).split("---")
    settled.write("app/all.yaml", "---".join(documents[1:]))
    settled.apply(verified=looks)
    assert kubectl.get("configmap", "settings", settled.namespace) is None


def test_looks_of_other_apps_stay(settled: Engine) -> None:
    settled.write("other/c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n")
    both = (settled.spec(), settled.spec("other"))
    settled.apply(*both)
    looks = settled.check(*both).result.verified
    assert len(looks) == 2
    assert settled.check(*both, only=["other"], verified=looks).result.verified == looks
    assert set(settled.check(settled.spec("other"), verified=looks).result.verified) < set(looks)
