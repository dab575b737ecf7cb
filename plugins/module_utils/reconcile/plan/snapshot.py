# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The snapshot of the cluster that a plan is made on: few and large requests, and a list of what could not be read.

Members are selected by label, with one LIST per kind for all apps at once. Wanted objects without a label of ours (they
are new, somebody else's, or lost the label) are read by name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...cluster.bulk_reads import EVERYWHERE, FEW, ListResult, list_objects, read_objects
from ...cluster.client import Cluster
from ...cluster.discovery import ApiResource, Discovery
from ...cluster.errors import Forbidden
from ...model.app import AppSpec
from ...model.errors import ClusterError
from ...model.objects import Body, GroupKind, ObjectRef, api_group, ref_of
from ..applyset.inventory import ID_LABEL, Inventory, SetIdentity, is_member, part_of, selector_of
from ..desired.manifests import DesiredObject
from ..drift.ignore import Ignored, ignored_of
from ..fields.object_view import LiveView
from .verified_cache import VerifiedState

_HPA = GroupKind("autoscaling", "HorizontalPodAutoscaler")


@dataclass(frozen=True, slots=True)
class AppQuery:
    """What is to be read of the cluster for one app."""

    app: AppSpec
    inventories: tuple[Inventory, ...]  # its own, then those of its former names
    wanted: tuple[DesiredObject, ...]
    refs: frozenset[ObjectRef]  # all that Git has, usable or not
    verified: Mapping[ObjectRef, VerifiedState]  # by earlier runs; empty in a deep run
    health_matters: bool  # whether the run waits for it

    @property
    def inventory(self) -> Inventory:
        """The inventory under the app's present name."""
        return self.inventories[0]

    @property
    def group_kinds(self) -> frozenset[GroupKind]:
        """The kinds that its inventories know."""
        return frozenset(kind for inventory in self.inventories for kind in inventory.group_kinds)

    @property
    def namespaces(self) -> frozenset[str]:
        """The namespaces of wanted objects, members and inventories."""
        names = {wanted.ref.namespace for wanted in self.wanted}
        for inventory in self.inventories:
            names |= inventory.namespaces | {inventory.identity.namespace}
        return frozenset(names - {""})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The cluster as it was read."""

    objects: Mapping[tuple[str, ObjectRef], Body]  # by apiVersion and identity
    unread: Mapping[GroupKind, Mapping[str, str]]  # whose members could not be listed: by namespace, why
    unreadable: Mapping[ObjectRef, ClusterError]  # wanted objects that could not be read
    labelled: Mapping[str, Mapping[ObjectRef, Body]]  # by set: what carries its label, each in one version
    read_at: float  # when reading began, by time.monotonic()
    # of wanted objects, by apiVersion and identity: still valid, so only their metadata was read
    states: Mapping[tuple[str, ObjectRef], VerifiedState]
    failed: frozenset[GroupKind]  # those of `unread` that failed otherwise than by a missing right
    kinds: frozenset[GroupKind]  # that were listed
    # Wanted objects that exist in another version than the wanted one.
    other_versions: Mapping[ObjectRef, Body]

    def live(self, wanted: DesiredObject) -> Body | None:
        """Return the live object: in the wanted version, or in another where the server does not know that yet."""
        return self.objects.get((wanted.api_version, wanted.ref)) or self.other_versions.get(wanted.ref)

    def verified(self, wanted: DesiredObject) -> VerifiedState | None:
        """Return the state that is still valid for the object; None where there is none."""
        return self.states.get((wanted.api_version, wanted.ref))

    def unread_reason(self, kinds: Iterable[GroupKind], namespaces: Iterable[str]) -> str:
        """Return why members of these kinds in these namespaces are not all known; empty where they are."""
        where = sorted({EVERYWHERE, *namespaces})
        return next(
            (
                f"{kind} could not be listed: {self.unread[kind][namespace]}"
                for kind in sorted(kinds)
                for namespace in where
                if namespace in self.unread.get(kind, {})
            ),
            "",
        )

    def members(self, set_id: str) -> dict[ObjectRef, Body]:
        """Return the members of a set, each in one of the versions it was read in, by identity."""
        return {ref: body for ref, body in self.labelled.get(set_id, {}).items() if is_member(body, set_id)}

    def only_labelled(self, set_id: str) -> tuple[ObjectRef, ...]:
        """Return objects with the set's label although we never wrote it, without those that a controller owns."""
        return tuple(
            ref
            for ref, body in self.labelled.get(set_id, {}).items()
            if not is_member(body, set_id)
            and not any(owner.get("controller") for owner in body["metadata"].get("ownerReferences") or ())
        )


def read_snapshot(
    cluster: Cluster, discovery: Discovery, queries: Sequence[AppQuery], autoscalers: Autoscalers
) -> Snapshot:
    """Read all that a plan of these apps needs: only the metadata of objects whose verified state is still valid."""
    started = time.monotonic()
    namespaces = sorted(frozenset[str]().union(*(query.namespaces for query in queries)))
    selector = selector_of([i.identity.id for query in queries for i in query.inventories])
    unread: dict[GroupKind, Mapping[str, str]] = _unavailable_groups(discovery, queries)
    failed = set(unread)
    objects: dict[tuple[str, ObjectRef], Body] = {}
    states: dict[tuple[str, ObjectRef], VerifiedState] = {}
    resources = sorted(_resources(discovery, queries), key=lambda r: (r.group_kind, r.version))
    wanted_states = _by_kind(queries, autoscalers)

    def read(resource: ApiResource) -> tuple[ListResult, Mapping[ObjectRef, VerifiedState]]:
        return _read_kind(
            lambda metadata: list_objects(cluster, resource, selector, namespaces, metadata_only=metadata),
            wanted_states.get((resource.api_version, resource.kind), ()),
        )

    for resource, (listed, valid_states) in zip(resources, cluster.map(read, resources), strict=True):
        states |= {(resource.api_version, ref): verified for ref, verified in valid_states.items()}
        _record_unread(resource.group_kind, listed, unread, failed)
        objects.update({(resource.api_version, ref_of(item)): item for item in listed.items})
    lookups = [
        (resource_of_kind, wanted.ref)
        for query in queries
        for wanted in query.wanted
        if (wanted.api_version, wanted.ref) not in objects
        and (resource_of_kind := _readable_resource(discovery, wanted)) is not None
    ]
    looked_up, unreadable = read_objects(cluster, lookups)
    wanted_versions = {wanted.ref: wanted.api_version for query in queries for wanted in query.wanted}
    other_versions = {
        ref: body for (version, ref), body in looked_up.items() if version != wanted_versions[ref]
    }
    objects |= looked_up
    kinds = frozenset(resource.group_kind for resource in resources)
    return Snapshot(
        objects,
        unread,
        unreadable,
        _by_set(objects),
        started,
        states,
        frozenset(failed),
        kinds,
        other_versions,
    )


def read_members(
    cluster: Cluster, discovery: Discovery, snapshot: Snapshot, query: AppQuery, kinds: Iterable[GroupKind]
) -> Snapshot:
    """Return the snapshot with the members of one app of these kinds besides."""
    selector = selector_of([inventory.identity.id for inventory in query.inventories])
    resources = [r for kind in sorted(kinds) if (r := discovery.of(kind)) is not None]
    listings = cluster.map(
        lambda resource: list_objects(cluster, resource, selector, sorted(query.namespaces)), resources
    )
    objects, unread, failed = dict(snapshot.objects), dict(snapshot.unread), set(snapshot.failed)
    for resource, listed in zip(resources, listings, strict=True):
        _record_unread(resource.group_kind, listed, unread, failed)
        objects.update({(resource.api_version, ref_of(item)): item for item in listed.items})
    return replace(
        snapshot,
        objects=objects,
        unread=unread,
        failed=frozenset(failed),
        labelled=_by_set(objects),
        kinds=snapshot.kinds | {resource.group_kind for resource in resources},
    )


def _record_unread(
    kind: GroupKind, listed: ListResult, unread: dict[GroupKind, Mapping[str, str]], failed: set[GroupKind]
) -> None:
    if not listed.unread:
        return
    if not all(isinstance(error, Forbidden) for error in listed.unread.values()):
        failed.add(kind)
    errors = {namespace: str(error) for namespace, error in listed.unread.items()}
    unread[kind] = {**unread.get(kind, {}), **errors}


def _readable_resource(discovery: Discovery, wanted: DesiredObject) -> ApiResource | None:
    """Return the kind in the wanted version or, where the server does not know that yet, in the one it prefers.

    An object exists in all versions of its kind: a definition that brings a new one brings its objects along.
    """
    return discovery.find(wanted.api_version, wanted.ref.kind) or discovery.of(wanted.ref.group_kind)


@dataclass(frozen=True, slots=True)
class _WantedState:
    """One wanted object with its verified state, and what decides whether that is still valid."""

    wanted: DesiredObject
    ignored: Ignored
    verified: VerifiedState | None
    health_matters: bool
    autoscaled: bool

    def valid_state(self, metadata: Body) -> VerifiedState | None:
        verified = self.verified
        if verified is None:
            return None
        is_valid = verified.still_valid(
            self.wanted,
            metadata,
            self.ignored,
            autoscaled=self.autoscaled,
            health_matters=self.health_matters,
        )
        return verified if is_valid else None


def _by_kind(
    queries: Sequence[AppQuery], autoscalers: Autoscalers
) -> dict[tuple[str, str], list[_WantedState]]:
    by_kind: dict[tuple[str, str], list[_WantedState]] = {}
    for query in queries:
        for wanted in query.wanted:
            verified = query.verified.get(wanted.ref)
            wanted_state = _WantedState(
                wanted,
                ignored_of(query.app, wanted),
                verified,
                query.health_matters,
                autoscalers.may_decide(wanted.ref),
            )
            by_kind.setdefault((wanted.api_version, wanted.ref.kind), []).append(wanted_state)
    return by_kind


def _read_kind(
    read: Callable[[bool], ListResult], wanted_states: Sequence[_WantedState]
) -> tuple[ListResult, Mapping[ObjectRef, VerifiedState]]:
    """Return the members of a kind, and the states that are still valid.

    `read` lists the kind, metadata only or whole. Metadata comes first where most of the wanted objects have a state.
    The others are read whole: a few objects one by one, by leaving them out here, and more by listing again.
    """
    if sum(wanted_state.verified is None for wanted_state in wanted_states) * 2 > len(wanted_states):
        return read(False), {}
    listed = read(True)
    objects = {ref_of(item): item for item in listed.items}
    existing = [wanted_state for wanted_state in wanted_states if wanted_state.wanted.ref in objects]
    states = {
        wanted_state.wanted.ref: state
        for wanted_state in existing
        if (state := wanted_state.valid_state(objects[wanted_state.wanted.ref])) is not None
    }
    unknown = {wanted_state.wanted.ref for wanted_state in existing} - states.keys()
    if len(unknown) <= FEW:
        return ListResult(
            [item for ref, item in objects.items() if ref not in unknown], listed.unread
        ), states
    relisted = read(False)
    versions = {ref_of(item): item["metadata"]["resourceVersion"] for item in relisted.items}
    unchanged = {ref for ref in states if versions.get(ref) == objects[ref]["metadata"]["resourceVersion"]}
    return relisted, {ref: states[ref] for ref in unchanged}


def _by_set(objects: Mapping[tuple[str, ObjectRef], Body]) -> dict[str, dict[ObjectRef, Body]]:
    by_set: dict[str, dict[ObjectRef, Body]] = {}
    for (_version, ref), body in sorted(objects.items(), key=lambda item: item[0]):
        label = part_of(body)
        if label:
            by_set.setdefault(label, {})[ref] = body
    return by_set


def read_parents(
    cluster: Cluster, discovery: Discovery, identities: Iterable[SetIdentity]
) -> dict[ObjectRef, Body | ClusterError]:
    """Return the parents of all sets in the cluster, or of just these sets where reading all is denied.

    For one of these that may not be read either, the error.
    """
    resource = discovery.of(GroupKind("", "ConfigMap"))
    if resource is None:
        return {}
    identities = list(identities)
    try:
        parents = [*cluster.list(resource, label_selector=ID_LABEL).items]
    except Forbidden:
        parents = []
    parents_by_ref = {ref_of(body): body for body in parents}
    # A ConfigMap that bears a parent's name without its label must be seen too: it is refused, not overwritten.
    lookups = [(resource, identity.ref) for identity in identities if identity.ref not in parents_by_ref]
    looked_up, unreadable = read_objects(cluster, lookups)
    return {**parents_by_ref, **{ref: body for (_version, ref), body in looked_up.items()}, **unreadable}


@dataclass(frozen=True, slots=True)
class Autoscalers:
    """The objects whose replicas an HPA decides; `unread` says why not all of them are known."""

    targets: frozenset[ObjectRef]
    unread: str

    def may_decide(self, ref: ObjectRef) -> bool:
        """Whether an HPA decides the object's replicas, as far as is known."""
        return ref in self.targets or bool(self.unread)


def read_autoscalers(
    cluster: Cluster, discovery: Discovery, namespaces: Iterable[str], manifests: Iterable[Body]
) -> Autoscalers:
    """Return the targets of the live HPAs and of those among the manifests."""
    resource = discovery.of(_HPA)
    listed = (
        list_objects(cluster, resource, "", sorted(namespaces))
        if resource is not None
        else ListResult([], {})
    )
    targets = frozenset(
        _target(body) for body in [*listed.items, *manifests] if ref_of(body).group_kind == _HPA
    )
    return Autoscalers(targets, next((str(error) for error in listed.unread.values()), ""))


def _target(hpa: Body) -> ObjectRef:
    view, target = LiveView(hpa), ("spec", "scaleTargetRef")  # a manifest's shape is not checked yet
    group = api_group(view.text(*target, "apiVersion"))
    return ObjectRef(group, view.text(*target, "kind"), ref_of(hpa).namespace, view.text(*target, "name"))


def _resources(discovery: Discovery, queries: Sequence[AppQuery]) -> set[ApiResource]:
    """Return each wanted kind in its wanted version, and each kind that an inventory names besides."""
    wanted = {(w.api_version, w.ref.kind) for query in queries for w in query.wanted}
    resources = {r for version, kind in wanted if (r := discovery.find(version, kind)) is not None}
    covered = {resource.group_kind for resource in resources}
    hinted = {kind for query in queries for kind in query.group_kinds} - covered
    return resources | {r for kind in hinted if (r := discovery.of(kind)) is not None}


def _unavailable_groups(
    discovery: Discovery, queries: Sequence[AppQuery]
) -> dict[GroupKind, Mapping[str, str]]:
    """Return kinds of the inventories whose API group does not answer now: their members must not count as gone."""
    return {
        kind: {EVERYWHERE: f"the API group {kind.group} does not answer: its APIService is unavailable"}
        for query in queries
        for kind in query.group_kinds
        if discovery.of(kind) is None and kind.group in discovery.incomplete_groups
    }
