# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a Pod is not ready, by statuses as kubelets and schedulers write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.object_view import LiveView
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.health.pod_reasons import (
    LONGEST,
    pod_reasons,
)

SECRET = "hunter2"
SCHEDULED = {"type": "PodScheduled", "status": "True"}
NOT_READY = {
    "type": "Ready",
    "status": "False",
    "reason": "ContainersNotReady",
    "message": "containers: [app]",
}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    return {"name": "app", "image": "registry/x:1", "ready": False, "state": state, "restartCount": 0, **more}


def ended(code: int, reason: str, **more: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": "2026-01-01T00:00:00Z", **more}}


def pod(*containers: dict[str, Any], phase: str = "Pending", spec: Any = None, **status: Any) -> LiveView:
    conditions = status.pop("conditions", [SCHEDULED, NOT_READY])
    return LiveView(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web-7d9f-x1", "namespace": "shop", "uid": "1"},
            "spec": {"nodeName": "node-1", "containers": [{"name": "app"}], **(spec or {})},
            "status": {
                "phase": phase,
                "conditions": conditions,
                "containerStatuses": list(containers),
                **status,
            },
        }
    )


PULL = (
    'Back-off pulling image "registry/x:1": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack'
    ' image "registry/x:1": failed to resolve reference "registry/x:1": registry/x:1: not found'
)
RUNTIME = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed:"
    ' unable to start container process: error during container init: exec: "/nope": stat /nope: no such file'
)
UNSCHEDULABLE = (
    "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: none is a victim."
)
CRASHED = waiting(
    "CrashLoopBackOff", "back-off 5m0s restarting failed container=app pod=web_shop(1)", restartCount=5,
    lastState=ended(137, "OOMKilled", message=SECRET),
)  # fmt: skip
RUNNING = {"name": "app", "ready": False, "state": {"running": {"startedAt": "x"}}, "restartCount": 0}

CASES: dict[str, tuple[LiveView, list[str]]] = {
    "ready": (pod(phase="Running", conditions=[{"type": "Ready", "status": "True"}]), []),
    "succeeded": (pod(phase="Succeeded"), []),
    "image": (pod(waiting("ImagePullBackOff", PULL)), [
        "container app: ImagePullBackOff: image registry/x:1: not found"]),
    "image without a cause": (pod(waiting("ImagePullBackOff", 'Back-off pulling image "registry/x:1"')), [
        "container app: ImagePullBackOff: image registry/x:1"]),
    "crash": (pod(CRASHED, phase="Running"), [
        "container app: CrashLoopBackOff, last exit code 137 (OOMKilled), 5 restarts"]),
    "never ran": (
        pod(waiting("CrashLoopBackOff", lastState=ended(128, "StartError", message=RUNTIME), restartCount=1)),
        [("container app: CrashLoopBackOff, last exit code 128"
         ' (StartError: exec: "/nope": stat /nope: no such file), 1 restart')]),
    "configuration": (pod(waiting("CreateContainerConfigError", 'secret "db" not found')), [
        'container app: CreateContainerConfigError: secret "db" not found']),
    "hook": (
        pod(waiting("PostStartHookError", f"command 'x' exited with 1: {SECRET}")),
        ["container app: PostStartHookError"]),
    "ended": (pod({**RUNNING, "state": ended(2, "Error", message=SECRET), "restartCount": 1}), [
        "container app: exit code 2 (Error), 1 restart"]),
    "ended well": (pod({**RUNNING, "state": ended(0, "Completed")}), ["container app: has ended, with exit code 0"]),
    "init": (
        pod(waiting("PodInitializing"), initContainerStatuses=[{**CRASHED, "name": "migrate"}]),
        ["init container migrate: CrashLoopBackOff, last exit code 137 (OOMKilled), 5 restarts"]),
    "init is done": (
        pod(RUNNING, phase="Running", initContainerStatuses=[{"name": "i", "state": ended(0, "Completed")}]),
        ["container app: running, not ready"]),
    "not ready": (pod({**RUNNING, "lastState": ended(1, "Error"), "restartCount": 2}, phase="Running"), [
        "container app: running, not ready, last exit code 1 (Error), 2 restarts"]),
    "being made": (pod(waiting("ContainerCreating")), ["container app: ContainerCreating"]),
    "unschedulable": (
        pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                         "message": UNSCHEDULABLE}], spec={"nodeName": None}),
        ["unschedulable: 0/3 nodes are available: 3 Insufficient cpu"]),
    "gated": (
        pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
            spec={"schedulingGates": [{"name": "example.com/quota"}]}),
        ["not scheduled while it has the scheduling gates example.com/quota"]),
    "no scheduler": (
        pod(conditions=[], spec={"nodeName": "", "schedulerName": "mine"}),
        ["the scheduler mine has not looked at it yet"]),
    "evicted": (
        pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
        ["failed: Evicted: The node was low on resource: memory."]),
    "readiness gate": (
        pod({**RUNNING, "ready": True}, phase="Running", spec={"readinessGates": [{"conditionType": "lb/ready"}]}),
        ["readiness gate lb/ready: nothing has set it yet"]),
    "being deleted": (
        LiveView({"kind": "Pod", "metadata": {"name": "x", "deletionTimestamp": "t", "finalizers": ["a/b"]}}),
        ["is being deleted, waits for the finalizers a/b"]),
    "nothing known": (LiveView({"kind": "Pod", "metadata": {"name": "x"}, "spec": {"nodeName": "n"}}), [
        "its phase is not known"]),
    "the strongest only": (
        pod({**RUNNING, "name": "side"}, CRASHED, phase="Running"),
        ["container app: CrashLoopBackOff, last exit code 137 (OOMKilled), 5 restarts"]),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(CASES))
def test_the_reasons_of_a_pod(case: str) -> None:
    view, expected = CASES[case]
    assert [reason.with_restarts for reason in pod_reasons(view)] == expected


@pytest.mark.parametrize(
    ("case", "needs"),
    [
        ("image without a cause", True),
        ("not ready", True),
        ("being made", True),
        ("image", False),
        ("crash", False),
    ],
)
def test_only_a_state_without_a_cause_needs_an_event(case: str, needs: bool) -> None:
    assert [reason.needs_event for reason in pod_reasons(CASES[case][0])] == [needs]


def test_what_a_program_wrote_is_never_shown() -> None:
    texts = [reason.with_restarts for view, _texts in CASES.values() for reason in pod_reasons(view)]
    assert not any(SECRET in text for text in texts)


_scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("x\n\x1b[2J" * 200)
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
_state = st.dictionaries(st.sampled_from(["waiting", "running", "terminated"]), _json | st.fixed_dictionaries(
    {}, optional={"reason": st.sampled_from(["ImagePullBackOff", "CrashLoopBackOff", "StartError"]) | _json,
                  "message": _json, "exitCode": _json}), max_size=2)  # fmt: skip
_container = st.fixed_dictionaries(
    {}, optional={"name": _json, "image": _json, "ready": _json, "restartCount": _json, "state": _state | _json,
                  "lastState": _state | _json})  # fmt: skip


@given(st.lists(_container | _json, max_size=3), _json, _json, _json)
def test_whatever_the_server_sends_a_reason_is_one_printable_line(
    containers: list[Any], phase: Any, conditions: Any, spec: Any
) -> None:
    body = {
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": spec,
        "status": {"phase": phase, "conditions": conditions, "containerStatuses": containers},
    }
    for reason in pod_reasons(LiveView(body)):
        assert reason.text
        assert reason.text.isprintable()
        assert len(reason.text) <= LONGEST
