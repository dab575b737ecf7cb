# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns which field, on the real API server: adoption, drift and its culprits, other appliers, removed fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import DriftPolicy
from ansible_collections.plumb.gitops.plugins.module_utils.model.change import Cause
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.manifests.text import (
    config_map,
    deployment,
    manifest,
    secret,
)


def managers(live: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(entry["manager"], entry["operation"]) for entry in live["metadata"]["managedFields"]}


def settled(engine: Engine) -> bool:
    """Whether a run now neither plans nor writes anything."""
    again = engine.apply()
    return not again.verbs() and not again.result.apps[0].changed and again.writes == 0


def test_what_kubectl_apply_made_is_adopted_and_a_field_removed_from_git_is_gone(
    engine: Engine, kubectl: Kubectl
) -> None:
    kubectl.apply(config_map("c", {"a": "1", "b": "2"}, namespace=engine.namespace))
    engine.write("app/c.yaml", config_map("c", {"a": "1", "b": "2"}))
    assert engine.apply().action("ConfigMap", "c").verb is Verb.REFUSED
    adopting = engine.spec(adopt=True)
    checked = engine.check(adopting)
    assert checked.verbs() == {f"ConfigMap {engine.namespace}/c": Verb.ADOPT}
    assert engine.apply(adopting).verbs() == {f"ConfigMap {engine.namespace}/c": Verb.ADOPT}
    live = kubectl.live("configmap", "c", engine.namespace)
    assert managers(live) == {("plumb", "Apply")}
    assert "kubectl.kubernetes.io/last-applied-configuration" not in live["metadata"]["annotations"]
    assert settled(engine)
    engine.write("app/c.yaml", config_map("c", {"a": "1"}))
    assert engine.apply().app.changed
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "1"}
    assert settled(engine)


def test_adoption_takes_away_at_once_what_its_predecessor_said_and_git_does_not(
    engine: Engine, kubectl: Kubectl
) -> None:
    kubectl.apply(config_map("c", {"a": "1", "old": "2"}, namespace=engine.namespace))
    engine.write("app/c.yaml", config_map("c", {"a": "1"}))
    adopting = engine.spec(adopt=True)
    paths = {change.path for change in engine.check(adopting).action("ConfigMap", "c").changes}
    assert "data.old" in paths
    engine.apply(adopting)
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "1"}


def test_adoption_keeps_what_the_cluster_needs(engine: Engine, kubectl: Kubectl) -> None:
    service = {"selector": {"app": "s"}, "ports": [{"port": 80}]}
    kubectl.apply(manifest("v1", "Service", "s", metadata={"namespace": engine.namespace}, spec=service))
    kubectl.apply(
        deployment("d").replace('"name": "d"', f'"name": "d", "namespace": "{engine.namespace}"', 1)
    )
    kubectl("scale", "deployment/d", "--replicas=2", "-n", engine.namespace)
    address = kubectl.live("service", "s", engine.namespace)["spec"]["clusterIP"]
    engine.write("app/all.yaml", manifest("v1", "Service", "s", spec=service) + deployment("d"))
    done = engine.apply(engine.spec(adopt=True))
    assert set(done.verbs().values()) == {Verb.ADOPT}
    assert not done.app.failed
    assert kubectl.live("service", "s", engine.namespace)["spec"]["clusterIP"] == address
    assert kubectl.live("deployment", "d", engine.namespace)["spec"]["replicas"] == 2
    assert settled(engine)


def test_adoption_of_server_side_kubectl_needs_force(engine: Engine, kubectl: Kubectl) -> None:
    kubectl.apply(config_map("c", {"a": "theirs"}, namespace=engine.namespace), "--server-side")
    engine.write("app/c.yaml", config_map("c", {"a": "ours"}))
    action = engine.apply(engine.spec(adopt=True)).action("ConfigMap", "c")
    assert action.verb is Verb.REFUSED
    assert "kubectl claims data.a" in action.reason
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "theirs"}
    assert engine.apply(engine.spec(adopt=True, force_conflicts=True)).app.changed
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "ours"}


def test_wiped_managed_fields_are_mended_and_a_field_removed_from_git_is_gone(
    engine: Engine, kubectl: Kubectl
) -> None:
    engine.write("app/c.yaml", config_map("c", {"a": "1", "b": "2"}))
    engine.apply()
    wipe = json.dumps([{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}])
    kubectl("patch", "configmap", "c", "-n", engine.namespace, "--type=json", "-p", wipe)
    assert engine.check().verbs() == {f"ConfigMap {engine.namespace}/c": Verb.UPDATE}
    engine.apply()
    assert managers(kubectl.live("configmap", "c", engine.namespace)) == {("plumb", "Apply")}
    assert settled(engine)
    engine.write("app/c.yaml", config_map("c", {"a": "1"}))
    engine.apply()
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "1"}


def test_wiped_managed_fields_of_a_deployment_are_mended(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/d.yaml", deployment("d", minReadySeconds=1))
    engine.apply(engine.spec(wait=True))
    wipe = json.dumps([{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}])
    kubectl("patch", "deployment", "d", "-n", engine.namespace, "--type=json", "-p", wipe)
    assert not engine.apply().app.failed
    assert settled(engine)
    engine.write("app/d.yaml", deployment("d"))
    engine.apply()
    assert "minReadySeconds" not in kubectl.live("deployment", "d", engine.namespace)["spec"]


def test_a_field_that_git_and_an_editor_came_to_share_is_gone_when_git_drops_it(
    engine: Engine, kubectl: Kubectl
) -> None:
    engine.write("app/c.yaml", config_map("c", {"a": "1", "b": "2"}))
    engine.apply()
    patch = json.dumps({"data": {"b": "3"}})
    kubectl("patch", "configmap", "c", "-n", engine.namespace, "-p", patch, "--field-manager=kubectl-edit")
    engine.write("app/c.yaml", config_map("c", {"a": "1", "b": "3"}))
    engine.apply()
    assert ("kubectl-edit", "Update") in managers(kubectl.live("configmap", "c", engine.namespace))
    engine.write("app/c.yaml", config_map("c", {"a": "1"}))
    checked = engine.check().action("ConfigMap", "c")
    assert {change.path for change in checked.changes} == {"data.b"}
    engine.apply()
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "1"}
    assert settled(engine)


def test_a_controller_of_any_name_does_not_hold_a_field_that_git_drops(
    engine: Engine, kubectl: Kubectl
) -> None:
    engine.write("app/c.yaml", config_map("c", {"a": "1", "b": "2"}))
    engine.apply()
    patch = json.dumps({"data": {"b": "3"}})
    kubectl("patch", "configmap", "c", "-n", engine.namespace, "-p", patch, "--field-manager=robot")
    engine.write("app/c.yaml", config_map("c", {"a": "1", "b": "3"}))
    engine.apply()
    engine.write("app/c.yaml", config_map("c", {"a": "1"}))
    engine.apply()
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "1"}


def test_what_another_applier_shares_stays_its_own(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/c.yaml", config_map("c", {"a": "1", "b": "2"}))
    engine.apply()
    other = config_map("c", {"b": "2"}, namespace=engine.namespace)
    kubectl.apply(other, "--server-side", "--field-manager=other")
    assert settled(engine)
    engine.write("app/c.yaml", config_map("c", {"a": "1"}))
    engine.apply()
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "1", "b": "2"}
    assert settled(engine)


def test_drift_names_field_and_culprit_and_is_reverted(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/d.yaml", deployment("d", replicas=1))
    engine.apply()
    kubectl("scale", "deployment/d", "--replicas=3", "-n", engine.namespace)
    kubectl("set", "image", "deployment/d", "main=example.com/app:hacked", "-n", engine.namespace)
    checked = engine.check()
    assert checked.app.drifted
    changes = {change.path: change for change in checked.action("Deployment", "d").changes}
    assert set(changes) == {"spec.replicas", "spec.template.spec.containers[main].image"}
    scaled = changes["spec.replicas"]
    assert (scaled.live, scaled.desired, scaled.cause) == (3, 1, Cause.DRIFT)
    assert scaled.culprit is not None
    assert (scaled.culprit.manager, scaled.culprit.subresource) == ("kubectl", "scale")
    image = changes["spec.template.spec.containers[main].image"]
    assert (image.live, image.desired, image.cause) == (
        "example.com/app:hacked",
        "example.com/app:1",
        Cause.DRIFT,
    )
    assert image.culprit is not None
    assert image.culprit.manager == "kubectl-set"
    assert image.culprit.time
    assert checked.writes == 0
    assert engine.apply().app.drifted
    spec = kubectl.live("deployment", "d", engine.namespace)["spec"]
    assert (spec["replicas"], spec["template"]["spec"]["containers"][0]["image"]) == (1, "example.com/app:1")
    assert settled(engine)


def test_drift_that_is_only_reported_stays_until_git_changes(engine: Engine, kubectl: Kubectl) -> None:
    reporting = engine.spec(drift=DriftPolicy.REPORT)
    engine.write("app/all.yaml", config_map("c", {"a": "1", "b": "2"}) + config_map("gone"))
    engine.apply(reporting)
    kubectl("patch", "configmap", "c", "-n", engine.namespace, "-p", '{"data": {"a": "theirs"}}')
    kubectl("delete", "configmap", "gone", "-n", engine.namespace)
    done = engine.apply(reporting)
    assert done.app.drifted
    assert not done.app.changed
    assert done.writes == 0
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "theirs", "b": "2"}
    assert kubectl.get("configmap", "gone", engine.namespace) is None
    engine.write("app/all.yaml", config_map("c", {"a": "1", "b": "3"}) + config_map("gone"))
    assert engine.apply(reporting).app.changed
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "1", "b": "3"}
    assert kubectl.get("configmap", "gone", engine.namespace) is None, "its own manifest says what it said"
    engine.write("app/all.yaml", config_map("c", {"a": "1", "b": "3"}) + config_map("gone", {"a": "2"}))
    assert engine.apply(reporting).app.changed
    assert kubectl.get("configmap", "gone", engine.namespace) is not None


def test_what_someone_deleted_is_drift_and_comes_back(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/c.yaml", config_map("c"))
    engine.apply()
    kubectl("delete", "configmap", "c", "-n", engine.namespace)
    assert engine.check().action("ConfigMap", "c").deleted_by_someone
    assert engine.apply().app.drifted
    assert kubectl.get("configmap", "c", engine.namespace) is not None


def test_a_changed_member_label_comes_back(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/c.yaml", config_map("c"))
    engine.apply()
    kubectl(
        "label", "configmap", "c", "-n", engine.namespace, "--overwrite", "applyset.kubernetes.io/part-of=x"
    )
    done = engine.apply()
    assert not done.app.failed
    assert done.app.drifted
    assert settled(engine)


def test_a_removed_member_label_comes_back(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/c.yaml", config_map("c"))
    engine.apply()
    kubectl("label", "configmap", "c", "-n", engine.namespace, "applyset.kubernetes.io/part-of-")
    done = engine.apply()
    assert done.app.drifted
    assert (
        "applyset.kubernetes.io/part-of"
        in kubectl.live("configmap", "c", engine.namespace)["metadata"]["labels"]
    )
    assert settled(engine)


def test_a_key_removed_from_a_secret_is_gone_and_no_value_is_told(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/s.yaml", secret("s", {"a": "one-value", "b": "two-value"}))
    engine.apply()
    assert settled(engine)
    engine.write("app/s.yaml", secret("s", {"a": "other-value"}))
    checked = engine.check().action("Secret", "s")
    assert {change.path for change in checked.changes} == {"data.a", "data.b"}
    assert "value" not in str([(change.live, change.desired) for change in checked.changes])
    engine.apply()
    assert set(kubectl.live("secret", "s", engine.namespace)["data"]) == {"a"}


def test_an_hpa_keeps_the_replicas_that_it_chose(engine: Engine, kubectl: Kubectl) -> None:
    hpa = manifest(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "d",
        spec={
            "minReplicas": 1,
            "maxReplicas": 5,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
        },
    )
    engine.write("app/all.yaml", deployment("d", replicas=2) + hpa)
    engine.apply()
    warned = engine.check().action("Deployment", "d")
    assert warned.verb is Verb.UNCHANGED
    assert "HorizontalPodAutoscaler" in warned.warning
    kubectl("scale", "deployment/d", "--replicas=4", "-n", engine.namespace)
    done = engine.apply()
    assert not done.app.changed
    assert not done.app.drifted
    engine.write("app/all.yaml", deployment("d", replicas=2, image="example.com/app:2") + hpa)
    assert engine.apply().app.changed
    assert kubectl.live("deployment", "d", engine.namespace)["spec"]["replicas"] == 4
    engine.write("app/all.yaml", deployment("d", image="example.com/app:3") + hpa)
    engine.apply()
    assert kubectl.live("deployment", "d", engine.namespace)["spec"]["replicas"] == 4
    assert settled(engine)


def test_replicas_that_are_handed_to_an_hpa_in_git_stay_as_they_are(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/all.yaml", deployment("d", replicas=3))
    engine.apply()
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    hpa = manifest(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "d",
        spec={"minReplicas": 3, "maxReplicas": 5, "scaleTargetRef": target},
    )
    engine.write("app/all.yaml", deployment("d") + hpa)
    engine.apply()
    assert kubectl.live("deployment", "d", engine.namespace)["spec"]["replicas"] == 3
    assert settled(engine)


def test_a_finished_job_that_its_ttl_removed_is_not_run_again(engine: Engine, kubectl: Kubectl) -> None:
    def job(image: str) -> str:
        pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]}
        return manifest(
            "batch/v1", "Job", "j", spec={"ttlSecondsAfterFinished": 3600, "template": {"spec": pod}}
        )

    recreating = engine.spec(recreate=True)
    engine.write("app/j.yaml", job("example.com/job:1"))
    engine.apply(recreating)
    kubectl("delete", "job", "j", "-n", engine.namespace)  # as its TTL would
    done = engine.apply(recreating)
    assert not done.app.changed
    assert "TTL" in done.action("Job", "j").reason
    assert kubectl.get("job", "j", engine.namespace) is None
    waiting = engine.apply(engine.spec(wait=True)).app
    assert not waiting.failed, "what is missing on purpose is not waited for"
    engine.write("app/j.yaml", job("example.com/job:2"))
    assert engine.apply(recreating).app.changed
    assert kubectl.get("job", "j", engine.namespace) is not None


def test_a_suspended_app_is_not_touched(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.apply()
    kubectl("patch", "configmap", "c", "-n", engine.namespace, "-p", '{"data": {"a": "theirs"}}')
    engine.write("app/all.yaml", config_map("c"))
    done = engine.apply(engine.spec(suspend=True))
    assert done.app.plan.suspended
    assert not done.app.failed
    assert done.writes == 0
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "theirs"}
    assert kubectl.get("configmap", "left", engine.namespace) is not None


def test_what_others_add_beside_our_fields_stays(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/c.yaml", config_map("c"))
    engine.apply()
    kubectl("annotate", "configmap", "c", "-n", engine.namespace, "theirs=yes")
    assert settled(engine)
    engine.write("app/c.yaml", config_map("c", {"a": "2"}))
    engine.apply()
    assert kubectl.live("configmap", "c", engine.namespace)["metadata"]["annotations"]["theirs"] == "yes"
