# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records as a cluster would give them: a fake of the cluster that answers one LIST."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.client import Cluster, Listing
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.discovery import ApiResource, Discovery
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.applyset.inventory import SetIdentity
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.membership.member_records import (
    MemberRecords,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.membership.membership import Membership
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.membership.record import (
    MemberRecord,
    RecordedMember,
)

HOME = "plumb-system"
_CONFIG_MAPS = ApiResource(
    group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True, verbs=frozenset({"list"})
)


@dataclass
class RecordsOnly:
    """A cluster that has these ConfigMaps and nothing else; it counts how often it is asked."""

    items: list[dict[str, Any]]
    lists: int = field(default=0)

    def discover(self) -> Discovery:
        return Discovery([_CONFIG_MAPS])

    def list(self, _kind: ApiResource, *, namespace: str) -> Listing:
        assert namespace == HOME
        self.lists += 1
        return Listing(self.items, "1")


def record(
    identity: SetIdentity, entries: Mapping[ObjectRef, RecordedMember] | Iterable[ObjectRef]
) -> MemberRecord:
    """A record that exists; of objects that are only named, each was applied once."""
    named = entries if isinstance(entries, Mapping) else dict.fromkeys(entries, RecordedMember("0" * 16))
    return MemberRecord(identity=identity, owner="plumb", entries=named, exists=True)


def cluster_with(*records: MemberRecord) -> RecordsOnly:
    return RecordsOnly([record.body(HOME) for record in records])


def membership(
    own: SetIdentity,
    *records: MemberRecord,
    former: Iterable[SetIdentity] = (),
    others: Iterable[SetIdentity] = (),
) -> Membership:
    """What an app sees of these records."""
    read = MemberRecords(cast("Cluster", cluster_with(*records)), HOME, "plumb")
    return Membership(records=read, own=own, former=tuple(former), others=tuple(others))
