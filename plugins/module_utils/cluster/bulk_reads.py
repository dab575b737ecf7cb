# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads of many objects, of which some may fail: the objects, and the errors of those that could not be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..model.errors import ClusterError
from ..model.objects import Body, ObjectRef, ref_of
from .client import Cluster
from .discovery import ApiResource
from .errors import Forbidden, NotFound, RequestError, UnknownApi

FEW = 3  # up to this many objects of a kind are read one by one, more by a metadata-only LIST
_FEW_NAMESPACES = 4

EVERYWHERE = ""  # in place of a namespace: in all of them


@dataclass(frozen=True, slots=True)
class ListResult:
    """Objects of one kind, and by namespace (or EVERYWHERE) why the others could not be listed."""

    items: Sequence[dict[str, Any]]
    unread: Mapping[str, RequestError]


def list_objects(
    cluster: Cluster,
    resource: ApiResource,
    selector: str,
    namespaces: Sequence[str],
    *,
    metadata_only: bool = False,
) -> ListResult:
    """Return the objects of a kind that match the selector: by one LIST or, where that is denied, one per namespace.

    A kind that the server no longer serves counts as unread too: it may be a server that is behind.
    """
    everywhere = list_everywhere(cluster, resource, selector, metadata_only=metadata_only)
    if resource.namespaced and isinstance(everywhere.unread.get(EVERYWHERE), Forbidden):
        return list_within(cluster, resource, selector, namespaces, metadata_only=metadata_only)
    return everywhere


def list_everywhere(
    cluster: Cluster, resource: ApiResource, selector: str, *, metadata_only: bool = False
) -> ListResult:
    """Return the objects of a kind that match the selector, by one LIST."""
    try:
        listing = cluster.list(resource, label_selector=selector, metadata_only=metadata_only)
    except RequestError as error:
        return ListResult([], {EVERYWHERE: error})
    return ListResult(listing.items, {})


def list_within(
    cluster: Cluster,
    resource: ApiResource,
    selector: str,
    namespaces: Sequence[str],
    *,
    metadata_only: bool = False,
) -> ListResult:
    """Return the objects of a kind in these namespaces that match the selector, by one LIST for each."""
    items: list[dict[str, Any]] = []
    unread: dict[str, RequestError] = {}
    for namespace in namespaces:
        try:
            items += cluster.list(
                resource, namespace=namespace, label_selector=selector, metadata_only=metadata_only
            ).items
        except RequestError as error:
            unread[namespace] = error
    return ListResult(items, unread)


def read_objects(
    cluster: Cluster, missing: Sequence[tuple[ApiResource, ObjectRef]]
) -> tuple[dict[tuple[str, ObjectRef], Body], dict[ObjectRef, ClusterError]]:
    """Return the objects that exist, by apiVersion and identity, and the errors of those that cannot be read."""
    by_resource: dict[ApiResource, list[ObjectRef]] = defaultdict(list)
    for resource, ref in missing:
        by_resource[resource].append(ref)
    kinds = sorted(by_resource.items(), key=lambda item: (item[0].group_kind, item[0].version))
    present = cluster.map(lambda item: _existing(cluster, item[0], item[1]), kinds)
    targets = [
        (resource, ref)
        for (resource, _refs), existing in zip(kinds, present, strict=True)
        for ref in existing
    ]
    bodies: dict[tuple[str, ObjectRef], Body] = {}
    unreadable: dict[ObjectRef, ClusterError] = {}
    for (resource, ref), body in zip(
        targets, cluster.map(lambda target: _get(cluster, *target), targets), strict=True
    ):
        if isinstance(body, ClusterError):
            unreadable[ref] = body
        elif body is not None:
            bodies[resource.api_version, ref] = body
    return bodies, unreadable


def _existing(cluster: Cluster, resource: ApiResource, refs: Sequence[ObjectRef]) -> Sequence[ObjectRef]:
    """Return the objects that a metadata-only LIST has; all of them where reading them one by one is cheaper."""
    if len(refs) <= FEW:
        return refs
    try:
        return listed_of(cluster, resource, refs)
    except RequestError:
        return refs


def listed_of(cluster: Cluster, resource: ApiResource, refs: Sequence[ObjectRef]) -> list[ObjectRef]:
    """Return those of the objects of a kind that metadata-only LISTs have. Raises RequestError."""
    spaces = sorted({ref.namespace for ref in refs})
    where = spaces if resource.namespaced and len(spaces) <= _FEW_NAMESPACES else [EVERYWHERE]
    names = {
        ref_of(item)
        for ns in where
        for item in cluster.list(resource, namespace=ns, metadata_only=True).items
    }
    return [ref for ref in refs if ref in names]


def _get(cluster: Cluster, resource: ApiResource, ref: ObjectRef) -> Body | ClusterError | None:
    try:
        return cluster.get(resource, namespace=ref.namespace, name=ref.name)
    except (NotFound, UnknownApi):
        return None
    except RequestError as error:
        return error
