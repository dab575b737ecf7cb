# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the cluster for a plan: few and large requests, and a record of what could not be read.

Members are found by label, one LIST per kind for all apps at once. Wanted objects that carry no label of ours (they
are new, somebody else's, or lost the label) are looked up by name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...cluster.bulk_reads import EVERYWHERE, FEW, Listed, list_objects, look_up
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
    """What one app wants to know of the cluster."""

    app: AppSpec
    inventories: tuple[Inventory, ...]  # its own, then those of its former names
    wanted: tuple[DesiredObject, ...]
    refs: frozenset[ObjectRef]  # all that Git has, usable or not
    verified: Mapping[ObjectRef, VerifiedState]  # what of it was proven before
    health_matters: bool  # whether the run waits for it

    @property
    def inventory(self) -> Inventory:
        return self.inventories[0]

    @property
    def group_kinds(self) -> frozenset[GroupKind]:
        """The kinds that its inventories know."""
        return frozenset(kind for inventory in self.inventories for kind in inventory.group_kinds)

    @property
    def namespaces(self) -> frozenset[str]:
        named = {wanted.ref.namespace for wanted in self.wanted}
        for inventory in self.inventories:
            named |= inventory.namespaces | {inventory.identity.namespace}
        return frozenset(named - {""})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The cluster as it was read."""

    objects: Mapping[tuple[str, ObjectRef], Body]  # by apiVersion and identity
    unread: Mapping[GroupKind, Mapping[str, str]]  # whose members could not be listed, by namespace, and why
    unreadable: Mapping[ObjectRef, ClusterError]  # wanted objects whose look-up failed
    labelled: Mapping[str, Mapping[ObjectRef, Body]]  # by set: what carries its label, each in one version
    read_at: float  # when reading began, by time.monotonic()
    # wanted objects that a look proves; only their metadata was read
    settled: Mapping[tuple[str, ObjectRef], VerifiedState]
    failed: frozenset[GroupKind]  # those of `unread` where more went wrong than that the account may not
    kinds: frozenset[GroupKind]  # that were asked for
    other_versions: Mapping[
        ObjectRef, Body
    ]  # wanted objects that exist in another version than the wanted one

    def live(self, wanted: DesiredObject) -> Body | None:
        """The live object: in the version that is wanted, or in another where the server does not know that yet."""
        return self.objects.get((wanted.api_version, wanted.ref)) or self.other_versions.get(wanted.ref)

    def verified(self, wanted: DesiredObject) -> VerifiedState | None:
        """The look that proves the object to be as wanted."""
        return self.settled.get((wanted.api_version, wanted.ref))

    def why_unread(self, kinds: Iterable[GroupKind], namespaces: Iterable[str]) -> str:
        """Why members of these kinds in these namespaces are not all known; empty where they are."""
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
        """The members of a set, each in one of the versions it was read in, by identity."""
        return {ref: body for ref, body in self.labelled.get(set_id, {}).items() if is_member(body, set_id)}

    def claimed_only_by_label(self, set_id: str) -> tuple[ObjectRef, ...]:
        """Objects that carry the set's label although we never wrote it; what their controllers own is left out."""
        return tuple(
            ref
            for ref, body in self.labelled.get(set_id, {}).items()
            if not is_member(body, set_id)
            and not any(owner.get("controller") for owner in body["metadata"].get("ownerReferences") or ())
        )


def read_snapshot(
    cluster: Cluster, discovery: Discovery, queries: Sequence[AppQuery], autoscalers: Autoscalers
) -> Snapshot:
    """Read all that a plan of these apps needs: the metadata of what looks settle, the whole of the rest."""
    began = time.monotonic()
    namespaces = sorted(frozenset[str]().union(*(query.namespaces for query in queries)))
    selector = selector_of([i.identity.id for query in queries for i in query.inventories])
    unread: dict[GroupKind, Mapping[str, str]] = _lost_groups(discovery, queries)
    failed = set(unread)
    objects: dict[tuple[str, ObjectRef], Body] = {}
    settled: dict[tuple[str, ObjectRef], VerifiedState] = {}
    resources = sorted(_resources(discovery, queries), key=lambda r: (r.group_kind, r.version))
    asked = _by_kind(queries, autoscalers)

    def read(resource: ApiResource) -> tuple[Listed, Mapping[ObjectRef, VerifiedState]]:
        return _read_kind(
            lambda metadata: list_objects(cluster, resource, selector, namespaces, metadata_only=metadata),
            asked.get((resource.api_version, resource.kind), ()),
        )

    for resource, (listed, proven) in zip(resources, cluster.map(read, resources), strict=True):
        settled |= {(resource.api_version, ref): verified for ref, verified in proven.items()}
        _note_unread(resource.group_kind, listed, unread, failed)
        objects.update({(resource.api_version, ref_of(item)): item for item in listed.items})
    missing = [
        (its_kind, wanted.ref)
        for query in queries
        for wanted in query.wanted
        if (wanted.api_version, wanted.ref) not in objects
        and (its_kind := _served(discovery, wanted)) is not None
    ]
    found, unreadable = look_up(cluster, missing)
    wanted_in = {wanted.ref: wanted.api_version for query in queries for wanted in query.wanted}
    others = {ref: body for (version, ref), body in found.items() if version != wanted_in[ref]}
    objects |= found
    kinds = frozenset(resource.group_kind for resource in resources)
    return Snapshot(
        objects, unread, unreadable, _by_set(objects), began, settled, frozenset(failed), kinds, others
    )


def read_members(
    cluster: Cluster, discovery: Discovery, observed: Snapshot, query: AppQuery, kinds: Iterable[GroupKind]
) -> Snapshot:
    """What was read, and the members of one app of these kinds besides."""
    selector = selector_of([inventory.identity.id for inventory in query.inventories])
    resources = [r for kind in sorted(kinds) if (r := discovery.of(kind)) is not None]
    listings = cluster.map(
        lambda resource: list_objects(cluster, resource, selector, sorted(query.namespaces)), resources
    )
    objects, unread, failed = dict(observed.objects), dict(observed.unread), set(observed.failed)
    for resource, listed in zip(resources, listings, strict=True):
        _note_unread(resource.group_kind, listed, unread, failed)
        objects.update({(resource.api_version, ref_of(item)): item for item in listed.items})
    return replace(
        observed,
        objects=objects,
        unread=unread,
        failed=frozenset(failed),
        labelled=_by_set(objects),
        kinds=observed.kinds | {resource.group_kind for resource in resources},
    )


def _note_unread(
    kind: GroupKind, listed: Listed, unread: dict[GroupKind, Mapping[str, str]], failed: set[GroupKind]
) -> None:
    if not listed.unread:
        return
    if not all(isinstance(error, Forbidden) for error in listed.unread.values()):
        failed.add(kind)
    told = {namespace: str(error) for namespace, error in listed.unread.items()}
    unread[kind] = {**unread.get(kind, {}), **told}


def _served(discovery: Discovery, wanted: DesiredObject) -> ApiResource | None:
    """The kind in the wanted version or, where the server does not know that yet, in the one it prefers.

    An object exists in all versions of its kind: a definition that brings a new one brings its objects along.
    """
    return discovery.find(wanted.api_version, wanted.ref.kind) or discovery.of(wanted.ref.group_kind)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One wanted object, and what is known of it."""

    wanted: DesiredObject
    ignored: Ignored
    verified: VerifiedState | None
    health_matters: bool
    autoscaled: bool

    def settled_by(self, metadata: Body) -> VerifiedState | None:
        verified = self.verified
        if verified is None:
            return None
        settles = verified.still_valid(
            self.wanted,
            metadata,
            self.ignored,
            autoscaled=self.autoscaled,
            health_matters=self.health_matters,
        )
        return verified if settles else None


def _by_kind(queries: Sequence[AppQuery], autoscalers: Autoscalers) -> dict[tuple[str, str], list[_Asked]]:
    found: dict[tuple[str, str], list[_Asked]] = {}
    for query in queries:
        for wanted in query.wanted:
            verified = query.verified.get(wanted.ref)
            asked = _Asked(
                wanted,
                ignored_of(query.app, wanted),
                verified,
                query.health_matters,
                autoscalers.may_decide(wanted.ref),
            )
            found.setdefault((wanted.api_version, wanted.ref.kind), []).append(asked)
    return found


def _read_kind(
    read: Callable[[bool], Listed], asked: Sequence[_Asked]
) -> tuple[Listed, Mapping[ObjectRef, VerifiedState]]:
    """The members of a kind, and which of those asked for looks settle.

    `read` lists the kind, metadata only or whole. Metadata comes first where looks know most of what is asked for. What
    they leave open is read whole: a few objects one by one, by leaving them out here, and more by listing again.
    """
    if sum(one.verified is None for one in asked) * 2 > len(asked):
        return read(False), {}
    listed = read(True)
    there = {ref_of(item): item for item in listed.items}
    met = [one for one in asked if one.wanted.ref in there]
    settled = {
        one.wanted.ref: verified
        for one in met
        if (verified := one.settled_by(there[one.wanted.ref])) is not None
    }
    left_open = {one.wanted.ref for one in met} - settled.keys()
    if len(left_open) <= FEW:
        return Listed([item for ref, item in there.items() if ref not in left_open], listed.unread), settled
    whole = read(False)
    versions = {ref_of(item): item["metadata"]["resourceVersion"] for item in whole.items}
    unmoved = {ref for ref in settled if versions.get(ref) == there[ref]["metadata"]["resourceVersion"]}
    return whole, {ref: settled[ref] for ref in unmoved}


def _by_set(objects: Mapping[tuple[str, ObjectRef], Body]) -> dict[str, dict[ObjectRef, Body]]:
    found: dict[str, dict[ObjectRef, Body]] = {}
    for (_version, ref), body in sorted(objects.items(), key=lambda item: item[0]):
        label = part_of(body)
        if label:
            found.setdefault(label, {})[ref] = body
    return found


def read_parents(
    cluster: Cluster, discovery: Discovery, identities: Iterable[SetIdentity]
) -> dict[ObjectRef, Body | ClusterError]:
    """The parents of all sets in the cluster, or of just these sets where reading all is denied.

    Where one of these may not be read either, why not.
    """
    resource = discovery.of(GroupKind("", "ConfigMap"))
    if resource is None:
        return {}
    identities = list(identities)
    try:
        parents = [*cluster.list(resource, label_selector=ID_LABEL).items]
    except Forbidden:
        parents = []
    found = {ref_of(body): body for body in parents}
    # A ConfigMap that bears a parent's name without its label must be seen too: it is refused, not overwritten.
    left = [(resource, identity.ref) for identity in identities if identity.ref not in found]
    looked_up, unreadable = look_up(cluster, left)
    return {**found, **{ref: body for (_version, ref), body in looked_up.items()}, **unreadable}


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
    """The live HPAs and those among the manifests."""
    resource = discovery.of(_HPA)
    listed = (
        list_objects(cluster, resource, "", sorted(namespaces)) if resource is not None else Listed([], {})
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
    """Each wanted kind in its wanted version, and each kind that an inventory knows besides."""
    wanted = {(w.api_version, w.ref.kind) for query in queries for w in query.wanted}
    resources = {r for version, kind in wanted if (r := discovery.find(version, kind)) is not None}
    covered = {resource.group_kind for resource in resources}
    hinted = {kind for query in queries for kind in query.group_kinds} - covered
    return resources | {r for kind in hinted if (r := discovery.of(kind)) is not None}


def _lost_groups(discovery: Discovery, queries: Sequence[AppQuery]) -> dict[GroupKind, Mapping[str, str]]:
    """Kinds of the inventories whose API group does not answer now: their members cannot be counted as gone."""
    return {
        kind: {EVERYWHERE: f"the API group {kind.group} does not answer: its APIService is unavailable"}
        for query in queries
        for kind in query.group_kinds
        if discovery.of(kind) is None and kind.group in discovery.incomplete_groups
    }
