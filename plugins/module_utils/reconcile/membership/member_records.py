# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of a run's apps, read and written. A run that finds nothing to do reads none."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from ...cluster.client import Cluster
from ...cluster.discovery import ApiResource
from ...cluster.errors import Forbidden, NotFound, StaleVersion, UnknownApi
from ...model.errors import ClusterError
from ...model.objects import Body, GroupKind, ObjectRef
from ..applyset.inventory import SetIdentity
from ..fields.managed_fields import CREATOR, FIELD_MANAGER
from .record import MemberRecord, read_record, record_name

_CONFIG_MAP, _NAMESPACE = GroupKind("", "ConfigMap"), GroupKind("", "Namespace")


class MemberRecords:
    """The records in the namespace `home`, read by one LIST when the first is needed. Safe to use from threads."""

    def __init__(self, cluster: Cluster, home: str, owner: str) -> None:
        self._cluster = cluster
        self.home = home
        self._owner = owner
        self._lock = threading.RLock()
        self._bodies: dict[str, Body] | ClusterError | None = None  # by name
        self._one_by_one = False  # the namespace may not be listed
        self._records: dict[SetIdentity, MemberRecord] = {}
        self._has_home = False

    def load(self, identity: SetIdentity) -> MemberRecord:
        """Return the record of a set, as this run knows it. Raises InventoryError or ClusterError."""
        with self._lock:
            if identity not in self._records:
                body = self._body(record_name(identity))
                self._records[identity] = read_record(body, identity, self._owner, self.home)
            return self._records[identity]

    def sets_with(self, ref: ObjectRef, identities: Iterable[SetIdentity]) -> list[SetIdentity]:
        """Return those of the sets whose record has the object. Raises as `load` does."""
        return [identity for identity in identities if ref in self.load(identity).entries]

    def _body(self, name: str) -> Body | None:
        if self._bodies is None:
            try:
                listed = self._cluster.list(self._resource(), namespace=self.home)
                self._bodies = {str(item["metadata"]["name"]): item for item in listed.items}
            except Forbidden:
                self._bodies = {}
                self._one_by_one = True
            except ClusterError as error:
                self._bodies = error  # every app needs it: a LIST that failed is not tried again for each
        if isinstance(self._bodies, ClusterError):
            raise self._bodies
        if name in self._bodies:
            return self._bodies[name]
        if not self._one_by_one:
            return None
        return self._cluster.get(self._resource(), namespace=self.home, name=name)

    def save(self, record: MemberRecord) -> MemberRecord:
        """Write a record, unless another run wrote it since it was read; return it with its new resourceVersion."""
        body = record.body(self.home)
        if not record.exists:
            self.create_home()
        try:
            live: Body = self._cluster.apply(self._resource(), body, field_manager=FIELD_MANAGER, force=True)
        except StaleVersion:
            current = self._cluster.get(
                self._resource(), namespace=self.home, name=record_name(record.identity)
            )
            # After a lost answer, the newer resourceVersion may be of our own write.
            written = read_record(current, record.identity, self._owner, self.home)
            if current is None or written.entries != record.entries:
                raise
            live = current
        stored = replace(record, exists=True, version=str(live["metadata"]["resourceVersion"]))
        with self._lock:
            self._records[record.identity] = stored
        return stored

    def delete(self, identity: SetIdentity) -> None:
        """Delete the record of a set that has no objects any more."""
        if not self.load(identity).exists:
            return
        name = record_name(identity)
        live = self._cluster.get(self._resource(), namespace=self.home, name=name, metadata_only=True)
        if live is not None:
            uid, version = live["metadata"]["uid"], live["metadata"]["resourceVersion"]
            with suppress(NotFound):
                self._cluster.delete(
                    self._resource(), namespace=self.home, name=name, uid=uid, resource_version=version
                )
        with self._lock:
            self._records[identity] = MemberRecord(identity=identity, owner=self._owner)

    def _resource(self) -> ApiResource:
        resource = self._cluster.discover().of(_CONFIG_MAP)
        if resource is None:
            raise UnknownApi(
                "ConfigMap", "reading what was recorded of apps", "the cluster does not know ConfigMaps"
            )
        return resource

    def create_home(self) -> None:
        """Create the namespace of records if it is missing; checked once in a run."""
        with self._lock:
            if self._has_home:
                return
            create_namespace(self._cluster, self.home)
            self._has_home = True


def create_namespace(cluster: Cluster, name: str) -> None:
    """Create a plain Namespace if there is none of that name, as far as the account may know."""
    resource = cluster.discover().of(_NAMESPACE)
    if resource is None:
        return
    try:
        if cluster.get(resource, namespace="", name=name, metadata_only=True) is not None:
            return
    except Forbidden:
        return  # an account of one namespace may not read it; the next write fails if it is missing
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.apply(resource, body, field_manager=CREATOR, force=False)
