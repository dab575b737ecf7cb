# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why objects are not healthy: from their Pods, ReplicaSets, claims and Events, read once waiting has ended.

explain                        one look for each namespace that has something to explain
  RelatedObjects               the workloads, their ReplicaSets and Pods, by one LIST of a kind
  pod_reasons                  what the status of each Pod says
  claims                       only where the scheduler or a claim itself asks for it
  ObjectEvents                 only where no status says enough
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...cluster.client import Cluster
from ...model.errors import ClusterError, printable
from ...model.health import HealthStatus
from ...model.objects import GroupKind, ObjectRef
from ...model.plan import Unhealthy
from ..fields.object_view import LiveView
from .event_reasons import ObjectEvents, creation_failure
from .pod_reasons import LONGEST, PodReason, pod_reasons
from .related_objects import CLAIM, EVENT, POD, REPLICA_SET, RelatedObjects, union_selectors

MOST_REASONS = 3  # of one object
_SECONDS = 10.0  # for all reads together

_DEPLOYMENT, _JOB = GroupKind("apps", "Deployment"), GroupKind("batch", "Job")
# Kinds that have Pods. What a CronJob starts is not part of its health.
_OWNERS = frozenset(
    {
        _DEPLOYMENT,
        _JOB,
        REPLICA_SET,
        GroupKind("", "ReplicationController"),
        GroupKind("apps", "DaemonSet"),
        GroupKind("apps", "StatefulSet"),
    }
)
_EXPLAINED = _OWNERS | {POD, CLAIM, GroupKind("", "Service")}
_STATES = frozenset({HealthStatus.IN_PROGRESS, HealthStatus.FAILED})
_UNSCHEDULED_CLAIM = "persistentvolumeclaim"  # in the scheduler's words, lower case
_REVISION = "deployment.kubernetes.io/revision"


@dataclass(slots=True)
class _Subject:
    """An unhealthy object and what belongs to it, as far as it could be read."""

    ref: ObjectRef
    live: LiveView
    replica_sets: list[LiveView] = field(default_factory=list)
    pods: list[LiveView] = field(default_factory=list)

    @property
    def events_of(self) -> tuple[LiveView, ...]:
        """The objects other than Pods whose Events are about this one."""
        return (self.live, *self.replica_sets)


def explain(cluster: Cluster, unhealthy: Sequence[Unhealthy]) -> tuple[Unhealthy, ...]:
    """Return the unhealthy objects with the reasons why they are, at most three lines each.

    Nothing is read for objects of kinds whose own status says all that there is to know. Nothing is raised: what cannot
    be read within 10 s, or with these rights, is one line where nothing else explains the object.
    """
    by_namespace: dict[str, list[ObjectRef]] = defaultdict(list)
    for entry in unhealthy:
        if entry.ref.group_kind in _EXPLAINED and entry.health.status in _STATES:
            by_namespace[entry.ref.namespace].append(entry.ref)
    if not by_namespace:
        return tuple(unhealthy)
    try:
        with cluster.deadline(_SECONDS):
            explained = cluster.map(lambda item: _explain(cluster, *item), sorted(by_namespace.items()))
    except ClusterError:  # the server fails for everything: the wait has its result all the same
        return tuple(unhealthy)
    reasons = {ref: lines for of_namespace in explained for ref, lines in of_namespace.items()}
    return tuple(replace(entry, reasons=reasons.get(entry.ref, ())) for entry in unhealthy)


def _explain(cluster: Cluster, namespace: str, refs: Sequence[ObjectRef]) -> dict[ObjectRef, tuple[str, ...]]:
    """Return the reasons of objects of one namespace."""
    related = RelatedObjects(cluster, namespace)
    subjects = _read_subjects(related, refs)
    by_status = {subject.ref: list(_reasons_of_status(subject, related)) for subject in subjects}
    unclear = [subject for subject in subjects if _needs_events(by_status[subject.ref])]
    events = ObjectEvents.of(())
    if unclear:
        warnings = related.selected(EVENT, [""], fields="type=Warning")
        events = ObjectEvents.of(view.body for view in warnings)
    unreadable = related.remark(related.unread)
    nothing: tuple[str, ...] = (unreadable,) if unreadable else ()
    reasons = dict.fromkeys(refs, nothing)
    for subject in subjects:
        lines = _summed(_with_events(subject, by_status[subject.ref], events))
        remark = related.remark((POD, REPLICA_SET, CLAIM, EVENT)) if subject in unclear else ""
        reasons[subject.ref] = (*lines, *([remark] if remark else []))[:MOST_REASONS]
    return reasons


def _read_subjects(related: RelatedObjects, refs: Sequence[ObjectRef]) -> list[_Subject]:
    names: dict[GroupKind, list[str]] = defaultdict(list)
    for ref in refs:
        names[ref.group_kind].append(ref.name)
    live = {kind: related.named(kind, of_kind) for kind, of_kind in sorted(names.items())}
    subjects = [
        _Subject(ref, live[ref.group_kind][ref.name]) for ref in refs if ref.name in live[ref.group_kind]
    ]
    _add_replica_sets(related, [subject for subject in subjects if subject.ref.group_kind == _DEPLOYMENT])
    _add_pods(related, [subject for subject in subjects if subject.ref.group_kind in _OWNERS])
    for subject in subjects:
        if subject.ref.group_kind == POD:
            subject.pods = [subject.live]
    return subjects


def _add_replica_sets(related: RelatedObjects, deployments: Sequence[_Subject]) -> None:
    """Add to each Deployment its ReplicaSets, the newest first."""
    if not deployments:
        return
    owned = _by_owner(related.selected(REPLICA_SET, _selectors(deployments)))
    for subject in deployments:
        mine = owned.get(subject.live.text("metadata", "uid"), [])
        subject.replica_sets = sorted(mine, key=_revision, reverse=True)


def _add_pods(related: RelatedObjects, owners: Sequence[_Subject]) -> None:
    """Add to each workload its Pods. Those of a Deployment's older ReplicaSets count only where the newest has none."""
    if not owners:
        return
    pods = related.selected(POD, _selectors(owners))
    owned = _by_owner(pods)
    for subject in owners:
        if subject.ref.group_kind != _DEPLOYMENT:
            subject.pods = owned.get(subject.live.text("metadata", "uid"), [])
        elif REPLICA_SET in related.unread:
            subject.pods = [
                pod for pod in pods if _owner(pod).text("name").startswith(f"{subject.ref.name}-")
            ]
        else:
            groups = [owned.get(rs.text("metadata", "uid"), []) for rs in subject.replica_sets]
            subject.pods = next((group for group in groups if any(map(pod_reasons, group))), [])


def _selectors(subjects: Iterable[_Subject]) -> list[str]:
    return union_selectors([LiveView(subject.live.at("spec", "selector") or {}) for subject in subjects])


def _by_owner(objects: Iterable[LiveView]) -> dict[str, list[LiveView]]:
    owned: dict[str, list[LiveView]] = defaultdict(list)
    for view in objects:
        owned[_owner(view).text("uid")].append(view)
    return owned


def _owner(view: LiveView) -> LiveView:
    """Return the reference to the controller of an object; an empty one where it has none."""
    owners = view.items("metadata", "ownerReferences")
    return next((owner for owner in owners if owner.flag("controller")), LiveView({}))


def _revision(replica_set: LiveView) -> int:
    annotations = replica_set.at("metadata", "annotations")
    number = annotations.get(_REVISION) if isinstance(annotations, dict) else None
    return int(number) if isinstance(number, str) and number.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class _Reason:
    """A reason with the object that it is about, and the claim that it names, whose Events say more."""

    about: LiveView
    reason: PodReason
    claim: LiveView | None = None


def _reasons_of_status(subject: _Subject, related: RelatedObjects) -> Iterator[_Reason]:
    """Yield what the statuses of a subject's objects say."""
    for view in subject.replica_sets[:1] or [subject.live]:
        failure = view.condition_is("ReplicaFailure", "True")
        if failure is not None:
            yield _Reason(view, PodReason(-1, creation_failure(failure.message or failure.reason)))
    reasons = [_Reason(pod, reason) for pod in subject.pods for reason in pod_reasons(pod)]
    claims = _claims(reasons, related)
    yield from (_of_claim(entry, claims, related) for entry in reasons)
    if subject.ref.group_kind == CLAIM:
        yield _Reason(subject.live, _claim_reason(subject.live, related), subject.live)
    failed = subject.live.condition_is("Failed", "True") if subject.ref.group_kind == _JOB else None
    if failed is not None and failed.summary and not reasons:
        yield _Reason(subject.live, PodReason(0, failed.summary))


def _claims(reasons: Iterable[_Reason], related: RelatedObjects) -> Mapping[str, LiveView]:
    """Return the claims of Pods that no node takes because of a claim; nothing is read where there is none."""
    pods = [entry.about for entry in reasons if _UNSCHEDULED_CLAIM in entry.reason.text.lower()]
    return related.named(CLAIM, {name for pod in pods for _volume, name in _claim_names(pod)})


def _claim_names(pod: LiveView) -> list[tuple[str, str]]:
    """Return the volumes of a Pod that are claims, each as its name and that of the claim."""
    volumes = [(volume.text("name"), volume) for volume in pod.items("spec", "volumes")]
    names = [(name, volume.text("persistentVolumeClaim", "claimName")) for name, volume in volumes]
    ephemeral = [
        (name, f"{pod.text('metadata', 'name')}-{name}")
        for name, volume in volumes
        if volume.at("ephemeral") is not None
    ]
    return [*((name, claim) for name, claim in names if claim), *ephemeral]


def _of_claim(entry: _Reason, claims: Mapping[str, LiveView], related: RelatedObjects) -> _Reason:
    """Return the reason, or in place of the scheduler's words about claims what is wrong with the claim."""
    if _UNSCHEDULED_CLAIM not in entry.reason.text.lower() or CLAIM in related.unread:
        return entry
    for volume, name in _claim_names(entry.about):
        label = f"volume {volume}: PersistentVolumeClaim {name}"
        if name not in claims:
            return replace(entry, reason=PodReason(1, printable(f"{label} does not exist", LONGEST)))
        if claims[name].text("status", "phase") != "Bound":
            why = _claim_reason(claims[name], related)
            reason = replace(why, text=printable(f"{label} {why.text}", LONGEST))
            return replace(entry, reason=reason, claim=claims[name])
    return entry


def _claim_reason(claim: LiveView, related: RelatedObjects) -> PodReason:
    phase = claim.text("status", "phase", default="Pending")
    name = claim.text("spec", "storageClassName")
    if name and not related.has_class(name):
        return PodReason(1, printable(f"is {phase}: no StorageClass {name}", LONGEST))
    if not name and claim.at("spec", "storageClassName") is None:
        return PodReason(2, f"is {phase}: it names no StorageClass, and there is no default one")
    return PodReason(5, f"is {phase}", needs_event=True)


def _needs_events(reasons: Sequence[_Reason]) -> bool:
    return all(entry.reason.needs_event for entry in reasons)


def _with_events(subject: _Subject, reasons: Sequence[_Reason], events: ObjectEvents) -> list[_Reason]:
    """Return the reasons, those that say little in the words of an Event; without any, Events of the object."""
    result = [_with_event(entry, events) for entry in reasons]
    if _needs_events(reasons):
        asked = [entry.claim or entry.about for entry in reasons]
        views = [view for view in subject.events_of if view not in asked]
        of_object = [(view, text) for view in views if (text := events.text(view))]
        result += [_Reason(view, PodReason(0, text)) for view, text in of_object]
    return result


def _with_event(entry: _Reason, events: ObjectEvents) -> _Reason:
    text = events.text(entry.claim or entry.about) if entry.reason.needs_event else ""
    if not text:
        return entry
    if entry.claim is not None:
        text = printable(f"{entry.reason.text}: {text}", LONGEST)
    return replace(entry, reason=replace(entry.reason, rank=1, text=text))


def _summed(reasons: Iterable[_Reason]) -> tuple[str, ...]:
    """Return at most three lines, the strongest first: the same reason of many Pods is one."""
    groups: dict[tuple[str, str], list[_Reason]] = defaultdict(list)
    for entry in reasons:
        kind = entry.about.text("kind")
        name = "" if kind == "Pod" else entry.about.text("metadata", "name")
        groups[f"{kind} {name}", entry.reason.text].append(entry)
    ordered = sorted(
        groups.values(), key=lambda group: (min(e.reason for e in group).rank, -len(group), group[0].reason)
    )
    lines = [_line(group) for group in ordered]
    more = len(lines) - MOST_REASONS
    if more > 0:
        lines[MOST_REASONS - 1] += f" (and {more} more {'reason' if more == 1 else 'reasons'})"
    return tuple(lines[:MOST_REASONS])


def _line(group: Sequence[_Reason]) -> str:
    most = max((entry.reason for entry in group), key=lambda reason: reason.restarts)
    about = group[0].about
    pods = {entry.about.text("metadata", "name") for entry in group}
    head = f"{about.text('kind')} {about.text('metadata', 'name')}" if len(pods) == 1 else f"{len(pods)} Pods"
    text = most.with_restarts
    joint = " " if text.startswith("is ") else ": "
    return printable(f"{head}{joint}{text}", LONGEST + 100)
