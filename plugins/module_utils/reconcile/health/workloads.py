# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health rules of the kinds that run Pods; the table of all rules is in `rules`.

Source: kstatus (cli-utils, pkg/kstatus/status/core.go), unless a docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...model.errors import printable
from ...model.health import Health, HealthStatus
from ..fields.object_view import LiveView

_NO_DEADLINE = (
    2**31 - 1
)  # the Deployment controller reads this value as "no deadline" and sets no Progressing
_STUCK_WAITING = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)


def unobserved(view: LiveView) -> Health | None:
    """Return `InProgress` while the kind's controller has never written its status.

    kstatus does this for DaemonSets only; all built-in controllers of these kinds record what they observed, and
    without this rule an object of no replicas, or a budget, would be current before its controller has seen it.
    """
    if view.number("status", "observedGeneration", default=-1) >= 0:
        return None
    return Health.in_progress("Its controller has not seen it yet")


def _shortfall(counts: Iterable[tuple[str, int, int]], why: str = "") -> Health | None:
    """Return `InProgress` for the first of (label, have, want) with have < want: `Available: 1/3`."""
    for label, have, want in counts:
        if have < want:
            return Health.in_progress(f"{label}: {have}/{want}{why}")
    return None


def _surplus(have: int, want: int) -> Health | None:
    return Health.in_progress(f"Pending termination: {have - want}") if have > want else None


def _creation_failure(view: LiveView) -> str:
    """Return why Pods cannot be created (a quota, an admission policy), in the controller's words; else empty."""
    failure = view.condition_is("ReplicaFailure", "True")
    return f" ({failure.summary})" if failure is not None and failure.summary else ""


def deployment(view: LiveView) -> Health:
    """Judge a Deployment: all replicas updated, none left over, all available and ready, and the conditions agree.

    A paused rollout is current with a remark (kstatus knows no pause and would wait for it without end).
    """
    progressing = view.condition("Progressing")
    if progressing is not None and progressing.reason == "ProgressDeadlineExceeded":
        return Health.failed(f"Progress deadline exceeded: {progressing.summary}{_creation_failure(view)}")
    if view.flag("spec", "paused"):
        return Health.current("The rollout is paused")
    want = view.number("spec", "replicas", default=1)
    have, updated = view.number("status", "replicas"), view.number("status", "updatedReplicas")
    why = _creation_failure(view)
    return (
        unobserved(view)
        or _shortfall([("Replicas", have, want), ("Updated", updated, want)], why)
        or _surplus(have, want)
        or _shortfall(
            [
                ("Available", view.number("status", "availableReplicas"), updated),
                ("Ready", view.number("status", "readyReplicas"), want),
            ],
            why,
        )
        or _deployment_conditions(view)
    )


def _deployment_conditions(view: LiveView) -> Health:
    deadline = view.number("spec", "progressDeadlineSeconds", default=_NO_DEADLINE)
    progressing = view.condition_is("Progressing", "True")
    rolled_out = progressing is not None and progressing.reason == "NewReplicaSetAvailable"
    if deadline != _NO_DEADLINE and not rolled_out:
        return Health.in_progress("Its newest ReplicaSet is not available yet")
    if view.condition_is("Available", "True") is None:
        return Health.in_progress("Not available yet")
    return Health.current()


def stateful_set(view: LiveView) -> Health:
    """Judge a StatefulSet: all replicas there and ready, none left over, and the revision rolled out as far as asked.

    With `OnDelete` the rollout is people's work, so it is current; a partition holds back the replicas below it.
    """
    if view.text("spec", "updateStrategy", "type") == "OnDelete":
        return Health.current("Its Pods are updated when someone deletes them (OnDelete)")
    want = view.number("spec", "replicas", default=1)
    have = view.number("status", "replicas")
    return (
        unobserved(view)
        or _shortfall([("Replicas", have, want), ("Ready", view.number("status", "readyReplicas"), want)])
        or _surplus(have, want)
        or _stateful_set_revision(view, want)
    )


def _stateful_set_revision(view: LiveView, want: int) -> Health:
    partition = view.number("spec", "updateStrategy", "rollingUpdate", "partition", default=-1)
    if partition >= 0:
        short = _shortfall([("Updated", view.number("status", "updatedReplicas"), want - partition)])
        held = f"A partition holds back the replicas below {partition}" if partition else ""
        return short or Health.current(held)
    short = _shortfall([("On the current revision", view.number("status", "currentReplicas"), want)])
    if short is not None:
        return short
    if view.text("status", "currentRevision") != view.text("status", "updateRevision"):
        return Health.in_progress("The updated revision is not the current one yet")
    return Health.current()


def daemon_set(view: LiveView) -> Health:
    """Judge a DaemonSet: updated, available and ready on every node it is meant for; `OnDelete` waits for people."""
    want = view.number("status", "desiredNumberScheduled", default=-1)
    early = unobserved(view)
    if early is not None or want < 0:
        return early or Health.in_progress("The number of nodes it is meant for is not known yet")
    on_delete = view.text("spec", "updateStrategy", "type") == "OnDelete"
    updated = [] if on_delete else [("Updated", view.number("status", "updatedNumberScheduled"), want)]
    short = _shortfall(
        [
            ("Scheduled", view.number("status", "currentNumberScheduled"), want),
            *updated,
            ("Available", view.number("status", "numberAvailable"), want),
            ("Ready", view.number("status", "numberReady"), want),
        ]
    )
    return short or Health.current(
        "Its Pods are updated when someone deletes them (OnDelete)" if on_delete else ""
    )


def replica_set(view: LiveView) -> Health:
    """Judge a ReplicaSet or ReplicationController: all replicas labelled, available and ready, none left over."""
    want = view.number("spec", "replicas", default=1)
    short = _shortfall(
        [
            ("Labelled", view.number("status", "fullyLabeledReplicas"), want),
            ("Available", view.number("status", "availableReplicas"), want),
            ("Ready", view.number("status", "readyReplicas"), want),
        ],
        _creation_failure(view),
    )
    return unobserved(view) or short or _surplus(view.number("status", "replicas"), want) or Health.current()


def job(view: LiveView) -> Health:
    """Judge a Job: current when complete or suspended, failed when failed, in progress until then.

    kstatus calls a Job current as soon as it has started; whoever waits for a migration wants it finished.
    """
    if view.condition_is("Complete", "True") is not None:
        return Health.current()
    failure = view.condition_is("Failed", "True") or view.condition_is("FailureTarget", "True")
    if failure is not None:
        return Health.failed(
            f"The Job has failed: {failure.summary}" if failure.summary else "The Job has failed"
        )
    if view.flag("spec", "suspend") or view.condition_is("Suspended", "True") is not None:
        return Health.current("Suspended")
    if not view.text("status", "startTime"):
        return Health.in_progress("Not started")
    want = view.number("spec", "completions", default=view.number("spec", "parallelism", default=1))
    done, active, failed = (view.number("status", key) for key in ("succeeded", "active", "failed"))
    return Health.in_progress(f"Succeeded: {done}/{want}, active: {active}, failed: {failed}")


def _stuck_containers(view: LiveView) -> dict[str, str]:
    """Return reason to a list of containers for those that wait for a reason that rarely mends itself."""
    stuck: dict[str, list[str]] = {}
    for field in ("initContainerStatuses", "containerStatuses"):
        for container in view.items("status", field):
            reason = container.text("state", "waiting", "reason")
            if reason in _STUCK_WAITING:
                stuck.setdefault(reason, []).append(container.text("name", default="?"))
    return {reason: ", ".join(names) for reason, names in sorted(stuck.items())}


def pod(view: LiveView) -> Health:
    """Judge a Pod: current when ready or succeeded; a crash loop fails it, an image that cannot be pulled is named.

    Other than in kstatus a Pod of phase Failed is failed, and one that no node takes is in progress for as long as the
    caller waits: kstatus fails it after 15 seconds, before a cluster autoscaler has a chance.
    """
    phase = view.text("status", "phase")
    if phase == "Succeeded" or (phase == "Running" and view.condition_is("Ready", "True") is not None):
        return Health.current()
    if phase == "Failed":
        why = view.text("status", "message") or view.text("status", "reason")
        return Health.failed(f"The Pod has failed: {why}" if why else "The Pod has failed")
    if phase not in ("", "Pending", "Running"):
        return Health(HealthStatus.UNKNOWN, printable(f"The Pod's phase is {phase}", 200))
    stuck = _stuck_containers(view)
    if stuck:
        message = "; ".join(f"{reason} in {names}" for reason, names in stuck.items())
        return Health.failed(message) if "CrashLoopBackOff" in stuck else Health.in_progress(message)
    unscheduled = view.condition_is("PodScheduled", "False")
    if unscheduled is not None:
        return Health.in_progress(f"Not scheduled: {unscheduled.summary}")
    return Health.in_progress("Running, not ready yet" if phase == "Running" else "Not running yet")
