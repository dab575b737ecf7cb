# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that carry the label of a set that has neither parent nor record: reported, and never pruned.

Only kinds that may matter are listed: the built-in ones, and those that inventories in this cluster name. A definition
of somebody else whose conversion webhook is dead costs seconds for each LIST, and nothing here depends on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from ...cluster.bulk_reads import EVERYWHERE, ListResult, list_everywhere, list_within
from ...cluster.client import Cluster
from ...cluster.discovery import ApiResource, Discovery
from ...cluster.errors import Forbidden
from ...model.objects import GroupKind, ObjectRef, ref_of
from .inventory import Inventory, is_member, part_of, selector_of

# The API server's own groups; all others are served by definitions or by other servers.
_BUILT_IN = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    }
)


@dataclass(slots=True)
class RecoveredMembers:
    """The members that a scan found. `denied` are kinds that may not be listed in the whole cluster."""

    members: dict[str, set[ObjectRef]] = field(default_factory=dict)  # by set
    denied: list[ApiResource] = field(default_factory=list)

    def known_to(self, inventory: Inventory) -> Inventory:
        """Return the inventory with what was found of its set in its hints."""
        return inventory.widened(self.members.get(inventory.identity.id, ()))


def scan(
    cluster: Cluster, discovery: Discovery, set_ids: Iterable[str], used: Collection[GroupKind] = ()
) -> RecoveredMembers:
    """Search members of these sets by their label alone, in the built-in kinds and those `used` in this cluster.

    What cannot be listed is passed over: nothing depends on it.
    """
    recovered = RecoveredMembers({set_id: set() for set_id in sorted(set_ids)})
    if not recovered.members:
        return recovered
    resources = [
        resource
        for resource in discovery.listable()
        if (resource.group in _BUILT_IN or resource.group_kind in used)
        and resource.group not in discovery.incomplete_groups
    ]
    selector = selector_of([*recovered.members])
    listings = cluster.map(lambda r: list_everywhere(cluster, r, selector, metadata_only=True), resources)
    for resource, listed in zip(resources, listings, strict=True):
        if not isinstance(listed.unread.get(EVERYWHERE), Forbidden):
            _add_members(recovered, listed)
        elif resource.namespaced:
            recovered.denied.append(resource)
    return recovered


def scan_within(cluster: Cluster, recovered: RecoveredMembers, namespaces: Sequence[str]) -> None:
    """Search the kinds that may not be listed in the whole cluster in these namespaces."""
    selector = selector_of([*recovered.members])
    for listed in cluster.map(
        lambda r: list_within(cluster, r, selector, namespaces, metadata_only=True), recovered.denied
    ):
        _add_members(recovered, listed)


def _add_members(recovered: RecoveredMembers, listed: ListResult) -> None:
    for body in listed.items:
        set_id = part_of(body)
        if set_id in recovered.members and is_member(body, set_id):
            recovered.members[set_id].add(ref_of(body))
