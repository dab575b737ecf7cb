# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Events say about an object that is not healthy, where its status does not say it. Values only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ...model.errors import printable
from ...model.objects import Body
from ..fields.object_view import LiveView
from .pod_reasons import LONGEST, scheduler_message, without_wrapping

_PROBE = re.compile(r"(?P<probe>\w+) probe (?P<how>failed|errored|warning)[^:]*:\s*(?P<message>.*)")
_HTTP_STATUS = re.compile(r"HTTP probe failed with statuscode: (\d+)")
_CONTAINER = re.compile(r"spec\.(?:initContainers|containers)\{(.+)\}")
_VOLUME = re.compile(r"MountVolume\.\w+ failed for volume \"(?P<volume>[^\"]*)\"\s*:\s*(?P<message>.*)")
# What controllers write before the server's reason for not creating a Pod.
_CREATION = re.compile(
    r"(?:Error creating: |[cC]reate Pod \S+ in \w+ \S+ failed error: )?(?:pods \"[^\"]*\" is forbidden: )?"
)
_HOLDS_OUTPUT = frozenset(
    {"FailedPostStartHook", "FailedPreStopHook"}
)  # their messages quote a command's output
# They repeat what the status of the object says.
_REPEATING = frozenset({"BackOff", "BackoffLimitExceeded", "DeadlineExceeded", "PodFailurePolicy"})
_REPEATING_ERROR = "Error: "  # of the reason Failed: the reason for which the container waits


@dataclass(frozen=True, slots=True)
class ObjectEvents:
    """The newest telling Event of each object, by its uid."""

    newest: Mapping[str, LiveView]

    @classmethod
    def of(cls, events: Iterable[Body]) -> ObjectEvents:
        """Return the Events by object; those that only repeat a status, and those of unknown objects, left out."""
        telling = [view for view in map(LiveView, events) if not _repeats(view)]
        by_age = sorted(telling, key=_time)
        return cls({view.text("involvedObject", "uid"): view for view in by_age})

    def text(self, subject: LiveView) -> str:
        """Return what the newest Event of an object says, in one line; empty without one."""
        event = self.newest.get(subject.text("metadata", "uid", default="-"))
        if event is None or (event.text("reason") == "FailedScheduling" and subject.text("spec", "nodeName")):
            return ""
        text = event_text(event, subject)
        for value, name in _own_words(subject):
            text = text.replace(value, name)
        return printable(text, LONGEST)


def _own_words(subject: LiveView) -> Iterator[tuple[str, str]]:
    """Yield what differs from Pod to Pod in the same Event, and what stands for it, so that Pods can be summed up."""
    if subject.text("kind") != "Pod":
        return
    addresses = [address.text("ip") for address in subject.items("status", "podIPs")]
    for address in filter(None, (*addresses, subject.text("status", "podIP"))):
        yield address, "<Pod IP>"
    for key in ("uid", "name"):
        if value := subject.text("metadata", key):
            yield value, f"<Pod {key}>"


def event_text(event: LiveView, subject: LiveView) -> str:
    """Return one Event in words. The output of a probe's command is left out: a program of the Pod wrote it."""
    reason, message = event.text("reason"), printable(event.text("message"))
    match = _CONTAINER.fullmatch(event.text("involvedObject", "fieldPath"))
    container = match[1] if match is not None else ""
    label = f"container {container}: " if container else ""
    if reason == "FailedScheduling":
        return scheduler_message(message)
    if reason in {"Unhealthy", "ProbeError"}:
        return label + _probe(message, _runs_a_command(subject, container, message))
    if reason in _HOLDS_OUTPUT:
        return f"{label}{reason}"
    if reason == "FailedCreate":
        return creation_failure(message)
    volume = _VOLUME.match(message)
    if volume is not None:
        return f"volume {volume['volume']}: {without_wrapping(volume['message'])}"
    return f"{label}{reason}: {without_wrapping(message)}"


def creation_failure(message: str) -> str:
    """Return why a Pod cannot be created, in the server's words without the name of the Pod that never was."""
    text = printable(message)
    match = _CREATION.match(text)
    return text[match.end() :] if match is not None else text


def _probe(message: str, runs_a_command: bool) -> str:
    match = _PROBE.match(message)
    if match is None:
        return "a probe failed" if runs_a_command else message
    failed = f"{match['probe'].lower()} probe {match['how']}"
    if runs_a_command:
        return f"{failed} (the output of its command is not shown)"
    status = _HTTP_STATUS.match(match["message"])
    return f"{failed}: {'HTTP ' + status[1] if status is not None else match['message']}"


def _runs_a_command(pod: LiveView, container: str, message: str) -> bool:
    """Whether the probe of the message is a command, or may be one."""
    probe = f"{message.partition(' ')[0].lower()}Probe"
    for field in ("containers", "initContainers"):
        for spec in pod.items("spec", field):
            if spec.text("name") == container:
                declared = spec.at(probe)
                return not isinstance(declared, dict) or "exec" in declared
    return True


def _repeats(event: LiveView) -> bool:
    reason = event.text("reason")
    return reason in _REPEATING or (reason == "Failed" and event.text("message").startswith(_REPEATING_ERROR))


def _time(event: LiveView) -> str:
    """Return when the Event was last seen, as RFC 3339 in UTC, which sorts as text."""
    return max(
        event.text("series", "lastObservedTime"),
        event.text("lastTimestamp"),
        event.text("eventTime"),
        event.text("metadata", "creationTimestamp"),
    )
