# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a Pod is not ready, by its own status. Values only.

What a program of the Pod wrote is never shown, because it may hold secrets: neither termination messages nor the output
of commands. What the scheduler, the kubelet and the container runtime wrote is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...model.errors import printable
from ..fields.object_view import LiveView

LONGEST = 300  # characters of one reason

_IMAGE_PROBLEMS = frozenset(
    {
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_BEING_MADE = frozenset({"ContainerCreating", "PodInitializing"})
_HOLDS_OUTPUT = frozenset(
    {"PostStartHookError", "PreStopHookError"}
)  # their messages quote a command's output
# Why a container ended where its program never ran: the message is the runtime's.
_NEVER_RAN = frozenset({"ContainerCannotRun", "StartError"})

# What wraps the message of a container runtime; the words after it say what is wrong.
_WRAPPING = re.compile(
    r"(?:Back-off pulling image \"[^\"]*\"|ErrImagePull|rpc error: code = \w+ desc =|Error response from daemon"
    r"|failed to pull and unpack image \"[^\"]*\"|failed to resolve (?:reference|image) \"[^\"]*\""
    r"|failed to (?:create|start) containerd task|failed to create (?:shim|task)(?: task)?|OCI runtime create failed"
    r"|runc create failed|unable to start container process|error during container init)(?::\s*|\s+|$)"
)


@dataclass(frozen=True, slots=True, order=True)
class PodReason:
    """One reason why a Pod is not ready. Reasons of a lower rank say more; Pods of the same text are summed up.

    `needs_event`: the text only says in which state the Pod is, and an Event may say why.
    """

    rank: int
    text: str
    restarts: int = 0
    needs_event: bool = False

    @property
    def with_restarts(self) -> str:
        """The text, with how often the container was started again."""
        if not self.restarts:
            return self.text
        return f"{self.text}, {self.restarts} {'restart' if self.restarts == 1 else 'restarts'}"


def pod_reasons(pod: LiveView) -> tuple[PodReason, ...]:
    """Return why a Pod is neither ready nor succeeded, the strongest reasons first; nothing where it is."""
    if pod.text("metadata", "deletionTimestamp"):
        return _deletion(pod)
    phase = pod.text("status", "phase")
    if phase == "Succeeded" or (phase != "Failed" and pod.condition_is("Ready", "True") is not None):
        return ()
    reasons = [*_failure(pod), *_unscheduled(pod), *_containers(pod)]
    reasons = reasons or [*_gates(pod)] or [_unexplained(pod)]
    strong = [reason for reason in reasons if not reason.needs_event]
    return tuple(sorted(strong or reasons))


def without_wrapping(text: str) -> str:
    """Return a message of a container runtime without the words that say only which of its parts failed."""
    message = printable(text)
    while (match := _WRAPPING.match(message)) is not None and match.end():
        message = message[match.end() :]
    return message


def scheduler_message(text: str) -> str:
    """Return why no node takes a Pod, without what the scheduler says of preemption."""
    message = printable(text).partition(" preemption:")[0].rstrip(". ")
    return f"unschedulable: {message}" if message else "unschedulable"


def _deletion(pod: LiveView) -> tuple[PodReason, ...]:
    finalizers = ", ".join(pod.texts("metadata", "finalizers"))
    waits = f", waits for the finalizers {finalizers}" if finalizers else ""
    return (_reason(8, f"is being deleted{waits}"),)


def _failure(pod: LiveView) -> Iterator[PodReason]:
    """Yield why the Pod was ended from outside: evicted, out of its deadline, refused by the node, disrupted."""
    if pod.text("status", "phase") == "Failed":
        parts = [pod.text("status", "reason"), pod.text("status", "message")]
        if any(parts):
            yield _reason(0, f"failed: {': '.join(filter(None, parts))}")
            return
    disruption = pod.condition_is("DisruptionTarget", "True")
    if disruption is not None and disruption.summary:
        yield _reason(1, f"disrupted: {disruption.summary}")


def _unscheduled(pod: LiveView) -> Iterator[PodReason]:
    condition = pod.condition_is("PodScheduled", "False")
    if condition is not None and condition.reason == "SchedulingGated":
        gates = ", ".join(gate.text("name") for gate in pod.items("spec", "schedulingGates"))
        yield _reason(
            1, f"not scheduled while it has the scheduling gates {gates}" if gates else "scheduling gated"
        )
    elif condition is not None:
        yield _reason(1, scheduler_message(condition.message))
    elif not pod.text("spec", "nodeName") and pod.condition("PodScheduled") is None:
        name = pod.text("spec", "schedulerName", default="default-scheduler")
        yield _reason(6, f"the scheduler {name} has not looked at it yet", needs_event=True)


def _containers(pod: LiveView) -> Iterator[PodReason]:
    for field, kind in (("initContainerStatuses", "init container"), ("containerStatuses", "container")):
        for container in pod.items("status", field):
            label = f"{kind} {container.text('name', default='?')}"
            reason = (
                _waiting(container, label)
                or _ended(container, label, kind)
                or _running(container, label, kind)
            )
            if reason is not None:
                yield reason


def _waiting(container: LiveView, label: str) -> PodReason | None:
    why = container.text("state", "waiting", "reason")
    if not why and container.at("state", "waiting") is None:
        return None
    message = container.text("state", "waiting", "message")
    if not why or why in _BEING_MADE:
        # The first container that is being made says more than those that wait for it.
        return _reason(7 if why == "PodInitializing" else 5, f"{label}: {why or 'waiting'}", needs_event=True)
    if why in _IMAGE_PROBLEMS:
        image = container.text("image", default="?")
        cause = without_wrapping(message).removeprefix(f"{image}: ")
        text = f"{label}: {why}: image {image}"
        return _reason(0, f"{text}: {cause}" if cause else text, needs_event=not cause)
    if why == "CrashLoopBackOff":
        last = _exit(LiveView(container.at("lastState", "terminated") or {}))
        text = f"{label}: CrashLoopBackOff{', last ' + last if last else ''}"
        return _reason(0, text, container.number("restartCount"))
    shown = "" if why in _HOLDS_OUTPUT else without_wrapping(message)
    return _reason(0, f"{label}: {why}{': ' + shown if shown else ''}", container.number("restartCount"))


def _ended(container: LiveView, label: str, kind: str) -> PodReason | None:
    state = container.at("state", "terminated")
    if not isinstance(state, dict):
        return None
    code = LiveView(state).number("exitCode")
    if code == 0 and not LiveView(state).number("signal"):
        return None if kind == "init container" else _reason(4, f"{label}: has ended, with exit code 0")
    return _reason(0, f"{label}: {_exit(LiveView(state))}", container.number("restartCount"))


def _running(container: LiveView, label: str, kind: str) -> PodReason | None:
    if container.at("state", "running") is None or container.flag("ready"):
        return None
    last = _exit(LiveView(container.at("lastState", "terminated") or {}))
    state = "running, not ready" if kind == "container" else "running, not finished"
    text = f"{label}: {state}{', last ' + last if last else ''}"
    return _reason(3, text, container.number("restartCount"), needs_event=True)


def _exit(terminated: LiveView) -> str:
    """Return how a container ended: `exit code 137 (OOMKilled)`; empty where it is not known."""
    if not terminated.body:
        return ""
    why = terminated.text("reason")
    cause = without_wrapping(terminated.text("message")) if why in _NEVER_RAN else ""
    brackets = ": ".join(filter(None, (why, cause)))
    return f"exit code {terminated.number('exitCode')}{f' ({brackets})' if brackets else ''}"


def _gates(pod: LiveView) -> Iterator[PodReason]:
    for gate in pod.items("spec", "readinessGates"):
        kind = gate.text("conditionType")
        condition = pod.condition(kind)
        if condition is None or condition.status != "True":
            why = (
                condition.summary if condition is not None and condition.summary else "nothing has set it yet"
            )
            yield _reason(1, f"readiness gate {kind}: {why}")


def _unexplained(pod: LiveView) -> PodReason:
    ready = pod.condition_is("Ready", "False")
    phase = pod.text("status", "phase", default="not known")
    text = f"not ready: {ready.summary}" if ready is not None and ready.summary else f"its phase is {phase}"
    return _reason(7, text, needs_event=True)


def _reason(rank: int, text: str, restarts: int = 0, *, needs_event: bool = False) -> PodReason:
    return PodReason(rank, printable(text, LONGEST), restarts, needs_event)
