# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of sets whose parent is missing: any kind may have some, so all are asked for the label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..cluster.client import Cluster
from ..cluster.discovery import ApiResource, Discovery
from ..cluster.errors import Forbidden
from ..model.objects import GroupKind, ObjectRef, ref_of
from .inventory import Inventory, is_member, part_of, selector_of
from .reads import EVERYWHERE, Listed, list_everywhere, list_within


@dataclass(slots=True)
class Lost:
    """What a scan of all kinds found. `denied` are kinds that may not be listed in the whole cluster."""

    members: dict[str, set[ObjectRef]] = field(default_factory=dict)  # by set
    unread: set[GroupKind] = field(default_factory=set)
    denied: list[ApiResource] = field(default_factory=list)

    def known_to(self, inventory: Inventory) -> Inventory:
        """The inventory with room for what was found, and for kinds that could not be read."""
        return inventory.widened(self.members.get(inventory.identity.id, ()), self.unread)


def scan(cluster: Cluster, discovery: Discovery, set_ids: Iterable[str]) -> Lost:
    """Look for members of these sets by their label alone, in every kind of the whole cluster.

    A kind whose LIST fails counts as unread, unless the account may not list it.
    """
    lost = Lost({set_id: set() for set_id in sorted(set_ids)})
    if not lost.members:
        return lost
    listable = discovery.listable()
    # A group whose APIService is down costs seconds of retries for each kind, and tells nothing.
    lost.unread |= {r.group_kind for r in listable if r.group in discovery.incomplete_groups}
    resources = [r for r in listable if r.group not in discovery.incomplete_groups]
    selector = selector_of([*lost.members])
    listings = cluster.map(lambda r: list_everywhere(cluster, r, selector, metadata_only=True), resources)
    for resource, listed in zip(resources, listings, strict=True):
        if isinstance(listed.unread.get(EVERYWHERE), Forbidden):
            if resource.namespaced:
                lost.denied.append(resource)
        else:
            _take(lost, resource, listed)
    return lost


def scan_within(cluster: Cluster, lost: Lost, namespaces: Sequence[str]) -> None:
    """Look into these namespaces too for what the whole cluster was denied for."""
    denied = lost.denied
    selector = selector_of([*lost.members])
    listings = cluster.map(
        lambda r: list_within(cluster, r, selector, namespaces, metadata_only=True), denied
    )
    for resource, listed in zip(denied, listings, strict=True):
        _take(lost, resource, listed)


def _take(lost: Lost, resource: ApiResource, listed: Listed) -> None:
    if not all(isinstance(error, Forbidden) for error in listed.unread.values()):
        lost.unread.add(resource.group_kind)
    for body in listed.items:
        set_id = part_of(body)
        if set_id in lost.members and is_member(body, set_id):
            lost.members[set_id].add(ref_of(body))
