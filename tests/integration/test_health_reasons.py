# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an object is not healthy, on the real API server with its scheduler and controllers.

Statuses that a kubelet writes are the tests': their Pods name a scheduler that does not exist, so no simulated kubelet
takes them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.model.health import Health
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Unhealthy
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.health.reasons import explain
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, deployment, manifest

T = TypeVar("T")
NOBODY: dict[str, Any] = {"schedulerName": "nobody"}
MAIN: dict[str, Any] = {"name": "main", "image": "example.com/app:1"}


def workload(name: str, container: Mapping[str, Any] = {}, **pod: Any) -> str:
    labels = {"app": name, "part": "shop"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{**MAIN, **container}], **pod}}
    return deployment(name, app=name, template=template, replicas=2)


def pods(kubectl: Kubectl, namespace: str, number: int, selector: str = "") -> list[dict[str, Any]]:
    """Return the Pods of the namespace once there are so many."""
    words = ["-l", selector] if selector else []
    return until(
        lambda: json.loads(kubectl("get", "pods", "-n", namespace, "-o", "json", *words))["items"],
        lambda items: len(items) == number,
    )


def until(read: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """Return what is read once that holds of it, within a minute."""
    deadline = time.monotonic() + 60
    while not holds(value := read()):
        assert time.monotonic() < deadline, value
        time.sleep(0.2)
    return value


def set_status(kubectl: Kubectl, pod: Mapping[str, Any], phase: str, **container: Any) -> None:
    status = {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": "False"}, {"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [{**MAIN, "imageID": "", "ready": False, "restartCount": 0, **container}],
    }
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    kubectl(
        "patch", "pod", name, "-n", namespace, "--subresource=status", "--type=merge", "-p",
        json.dumps({"status": status}),
    )  # fmt: skip


def reasons(engine: Engine, seconds: float = 1.0) -> dict[str, tuple[str, ...]]:
    """Apply, wait so long for health, and return why what is not healthy is not, by kind and name."""
    result = engine.apply(engine.spec(wait=True, timeout=seconds)).app
    assert result.waited, result
    return {f"{entry.ref.kind} {entry.ref.name}": entry.reasons for entry in result.unhealthy}


def test_pods_with_the_same_reason_are_summed_up_and_others_are_told_apart(
    engine: Engine, kubectl: Kubectl
) -> None:
    engine.write("app/web.yaml", workload("web", **NOBODY))
    engine.write("app/mail.yaml", workload("mail", **NOBODY))
    engine.apply()
    pods(kubectl, engine.namespace, 4)
    for restarts, pod in enumerate(pods(kubectl, engine.namespace, 2, "app=web"), start=4):
        set_status(
            kubectl, pod, "Running", restartCount=restarts,
            state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": "hunter2"}},
        )  # fmt: skip
    (first, second) = pods(kubectl, engine.namespace, 2, "app=mail")
    message = 'Back-off pulling image "example.com/app:1": ErrImagePull: rpc error: code = NotFound desc = not found'
    set_status(
        kubectl, first, "Pending", state={"waiting": {"reason": "ImagePullBackOff", "message": message}}
    )
    set_status(kubectl, second, "Running", state={"terminated": {"exitCode": 1, "reason": "Error"}})
    assert reasons(engine) == {
        "Deployment web": (
            "2 Pods: container main: CrashLoopBackOff, last exit code 137 (OOMKilled), 5 restarts",
        ),
        "Deployment mail": (
            f"Pod {first['metadata']['name']}: container main: ImagePullBackOff: image example.com/app:1: not found",
            f"Pod {second['metadata']['name']}: container main: exit code 1 (Error)",
        ),
    }


def test_a_quota_is_named_by_the_replica_set_and_by_the_events_of_a_stateful_set(
    engine: Engine, kubectl: Kubectl
) -> None:
    quota = manifest("v1", "ResourceQuota", "small", spec={"hard": {"pods": "0"}})
    kubectl("apply", "-n", engine.namespace, "-f", "-", stdin=quota)
    until(
        lambda: kubectl.live("resourcequota", "small", engine.namespace)["status"],
        lambda status: bool(status.get("hard")),
    )
    labels = {"app": "db"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [MAIN]}}
    engine.write("app/web.yaml", workload("web"))
    engine.write(
        "app/db.yaml",
        manifest("apps/v1", "StatefulSet", "db", spec={"selector": {"matchLabels": labels}, "serviceName": "db",
                                                        "template": template}),
    )  # fmt: skip
    engine.apply()
    exceeded = "exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0"
    until(lambda: kubectl("get", "events", "-n", engine.namespace), lambda text: text.count(exceeded) >= 2)
    of = reasons(engine)
    (replica_set,) = json.loads(kubectl("get", "rs", "-n", engine.namespace, "-o", "json"))["items"]
    assert of["Deployment web"] == (f"ReplicaSet {replica_set['metadata']['name']}: {exceeded}",)
    assert of["StatefulSet db"] == (f"StatefulSet db: {exceeded}",)


def test_the_scheduler_and_the_claim_that_keeps_it_from_a_node(engine: Engine, kubectl: Kubectl) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    engine.write(
        "app/all.yaml",
        workload("big", {"resources": {"requests": {"cpu": "1000000"}}})
        + workload("stuck", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}])
        + workload("lost", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "nowhere"}}])
        + manifest("v1", "PersistentVolumeClaim", "data", spec={**claim, "storageClassName": "fast"}),
    )
    engine.apply()
    until(
        lambda: pods(kubectl, engine.namespace, 6),
        lambda items: all(item["status"].get("conditions") for item in items),
    )
    of = reasons(engine)
    (line,) = of["Deployment big"]
    assert line.startswith("2 Pods: unschedulable: 0/2 nodes are available: 2 Insufficient cpu")
    assert "preemption" not in line
    assert of["Deployment stuck"] == (
        "2 Pods: volume data: PersistentVolumeClaim data is Pending: no StorageClass fast",
    )
    assert of["Deployment lost"] == ("2 Pods: volume data: PersistentVolumeClaim nowhere does not exist",)
    assert of["PersistentVolumeClaim data"] == (
        "PersistentVolumeClaim data is Pending: no StorageClass fast",
    )


def test_a_claim_whose_class_gives_no_volume_is_named_with_its_event(
    engine: Engine, kubectl: Kubectl
) -> None:
    namespace = engine.namespace
    name = f"slow-{namespace}"
    kubectl(
        "apply",
        "-f",
        "-",
        stdin=manifest("storage.k8s.io/v1", "StorageClass", name, provisioner="none.example/x"),
    )
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": name,
    }
    engine.write(
        "app/all.yaml",
        workload("stuck", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}])
        + manifest("v1", "PersistentVolumeClaim", "data", spec=claim),
    )
    engine.apply()
    live = kubectl.live("persistentvolumeclaim", "data", namespace)["metadata"]
    event = manifest(
        "v1", "Event", "full", type="Warning", reason="ProvisioningFailed", message="no space left",
        involvedObject={"kind": "PersistentVolumeClaim", "name": "data", "namespace": namespace, "uid": live["uid"]},
        lastTimestamp="2026-01-01T00:00:00Z",
    )  # fmt: skip
    kubectl("create", "-n", namespace, "-f", "-", stdin=event)
    until(
        lambda: pods(kubectl, namespace, 2),
        lambda items: all(item["status"].get("conditions") for item in items),
    )
    why = "PersistentVolumeClaim data is Pending: ProvisioningFailed: no space left"
    try:
        assert reasons(engine) == {
            "Deployment stuck": (f"2 Pods: volume data: {why}",),
            "PersistentVolumeClaim data": (why,),
        }
    finally:
        kubectl("delete", "storageclass", name)


def test_a_probe_is_named_by_the_events_of_its_pod(engine: Engine, kubectl: Kubectl) -> None:
    probe = {"httpGet": {"path": "/healthz", "port": 80}}
    engine.write("app/web.yaml", workload("web", {"readinessProbe": probe}, **NOBODY))
    engine.apply()
    for pod in pods(kubectl, engine.namespace, 2):
        set_status(kubectl, pod, "Running", state={"running": {"startedAt": "2026-01-01T00:00:00Z"}})
        about = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
        event = manifest(
            "v1", "Event", f"e-{about['name']}", type="Warning", reason="Unhealthy",
            message="Readiness probe failed: HTTP probe failed with statuscode: 503",
            involvedObject={"kind": "Pod", "apiVersion": "v1", "fieldPath": "spec.containers{main}", **about},
            lastTimestamp="2026-01-01T00:00:00Z", source={"component": "kubelet"},
        )  # fmt: skip
        kubectl("create", "-n", engine.namespace, "-f", "-", stdin=event)
    assert reasons(engine) == {
        "Deployment web": ("2 Pods: container main: readiness probe failed: HTTP 503",)
    }


def test_a_job_is_explained_by_the_pod_that_failed(engine: Engine, kubectl: Kubectl) -> None:
    template = {"spec": {"containers": [MAIN], "restartPolicy": "Never", **NOBODY}}
    engine.write(
        "app/job.yaml",
        manifest("batch/v1", "Job", "migrate", spec={"backoffLimit": 0, "template": template}),
    )
    engine.apply()
    (pod,) = pods(kubectl, engine.namespace, 1)
    set_status(kubectl, pod, "Failed", state={"terminated": {"exitCode": 3, "reason": "Error"}})
    of = reasons(engine, 20.0)  # it ends at once, when the Job has failed
    assert of == {"Job migrate": (f"Pod {pod['metadata']['name']}: container main: exit code 3 (Error)",)}


def test_nothing_is_read_of_what_is_healthy(engine: Engine) -> None:
    engine.write("app/c.yaml", config_map("c"))
    engine.write("app/web.yaml", workload("web"))
    assert reasons(engine, 60.0) == {}
    with_wait, without = engine.apply(engine.spec(wait=True)), engine.apply()
    assert with_wait.app.waited
    assert with_wait.reads == without.reads


def test_a_right_that_is_missing_is_one_line(engine: Engine, kubectl: Kubectl, tmp_path: Path) -> None:
    engine.write("app/web.yaml", workload("web", **NOBODY))
    engine.apply()
    pods(kubectl, engine.namespace, 2)
    namespace = engine.namespace
    kubectl("create", "serviceaccount", "reader", "-n", namespace)
    kubectl("create", "role", "reader", "-n", namespace, "--verb=get,list", "--resource=deployments.apps")
    kubectl(
        "create",
        "rolebinding",
        "reader",
        "-n",
        namespace,
        "--role=reader",
        f"--serviceaccount={namespace}:reader",
    )
    config = yaml.safe_load(engine.sandbox.kubeconfig.read_text(encoding="utf-8"))
    token = kubectl("create", "token", "reader", "-n", namespace).strip()
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    file = tmp_path / "reader.kubeconfig"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    unhealthy = Unhealthy(
        ObjectRef("apps", "Deployment", namespace, "web"), Health.in_progress("Available: 0/2")
    )
    connection = ConnectionSpec(kubeconfig=file, in_cluster=False, request_timeout=30.0)
    with connect(connection) as cluster:
        (explained,) = explain(cluster, [unhealthy])
    (line,) = explained.reasons
    assert line.startswith(f"Pods in {namespace} could not be read: this account may not read them; grant it")
    assert explained.health == unhealthy.health
