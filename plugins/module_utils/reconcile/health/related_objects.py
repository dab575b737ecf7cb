# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what belongs to objects of one namespace that are not healthy, with the rights that are there.

What cannot be read is no error: it is noted with the reason, which is shown where nothing else explains the object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...cluster.bulk_reads import FEW
from ...cluster.client import Cluster
from ...cluster.errors import Forbidden, RequestError
from ...model.errors import printable
from ...model.objects import Body, GroupKind
from ..fields.object_view import LiveView

POD = GroupKind("", "Pod")
CLAIM = GroupKind("", "PersistentVolumeClaim")
EVENT = GroupKind("", "Event")
STORAGE_CLASS = GroupKind("storage.k8s.io", "StorageClass")
REPLICA_SET = GroupKind("apps", "ReplicaSet")

_VALUES = 50  # values of one selector: it stands in the address of the request
_OPERATORS = {"In": "in", "NotIn": "notin"}


class RelatedObjects:
    """The objects of one namespace (empty: of the cluster), as one look at it needs them; `unread` says what failed."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._classes: dict[str, bool] = {}
        self.unread: dict[GroupKind, str] = {}

    def named(self, kind: GroupKind, names: Iterable[str]) -> dict[str, LiveView]:
        """Return those objects of these names that exist: a few by one read each, more by one LIST."""
        wanted = sorted(set(names))
        resource = self._cluster.discover().of(kind)
        if resource is None or not wanted:
            return {}
        bodies: list[Body]
        try:
            if len(wanted) <= FEW:
                read = [self._cluster.get(resource, namespace=self._namespace, name=name) for name in wanted]
                bodies = [body for body in read if body is not None]
            else:
                bodies = list(self._cluster.list(resource, namespace=self._namespace).items)
        except RequestError as error:
            self._note(kind, error)
            return {}
        views = {view.text("metadata", "name"): view for view in map(LiveView, bodies)}
        return {name: views[name] for name in wanted if name in views}

    def selected(self, kind: GroupKind, selectors: Sequence[str], fields: str = "") -> list[LiveView]:
        """Return the objects that match any of these label selectors, by one LIST for each of them."""
        resource = self._cluster.discover().of(kind)
        if resource is None:
            return []
        bodies: dict[str, LiveView] = {}
        for selector in selectors:
            try:
                listing = self._cluster.list(
                    resource, namespace=self._namespace, label_selector=selector, field_selector=fields
                )
            except RequestError as error:
                self._note(kind, error)
                break
            bodies |= {view.text("metadata", "uid"): view for view in map(LiveView, listing.items)}
        return list(bodies.values())

    def has_class(self, name: str) -> bool:
        """Whether the StorageClass exists, or may exist because it cannot be read."""
        if name not in self._classes:
            of_cluster = RelatedObjects(self._cluster, "")
            self._classes[name] = bool(of_cluster.named(STORAGE_CLASS, [name]) or of_cluster.unread)
        return self._classes[name]

    def remark(self, kinds: Iterable[GroupKind]) -> str:
        """Return why there is no reason, where objects of these kinds could not be read; else empty."""
        return next((self.unread[kind] for kind in kinds if kind in self.unread), "")

    def _note(self, kind: GroupKind, error: RequestError) -> None:
        what = f"{kind.kind}s in {self._namespace}" if self._namespace else f"{kind.kind}s"
        if isinstance(error, Forbidden):
            why = "this account may not read them; grant it get and list of them (docs/health.md)"
        else:
            why = error.reason
        self.unread[kind] = printable(f"{what} could not be read: {why}", 300)


def union_selectors(selectors: Sequence[LiveView]) -> list[str]:
    """Return label selectors that together match all that these do, and as few as possible. Empty ones are left out.

    With a label that all of them ask for, one is enough: `app in (cart,web)`. It may match more than they do.
    """
    labels = [_labels(selector) for selector in selectors]
    texts = sorted({_text(selector) for selector in selectors} - {""})
    if len(texts) <= 1:
        return texts
    shared = (
        set.intersection(*(set(of_selector) for of_selector in labels if of_selector))
        if all(labels)
        else set()
    )
    if not shared:
        return texts
    values = {key: sorted({of_selector[key] for of_selector in labels}) for key in shared}
    key = min(shared, key=lambda name: (-len(values[name]), name))
    chunks = [values[key][start : start + _VALUES] for start in range(0, len(values[key]), _VALUES)]
    return [f"{key} in ({','.join(chunk)})" for chunk in chunks]


def _labels(selector: LiveView) -> dict[str, str]:
    """Return the labels that a selector asks for; a ReplicationController's selector is nothing but these."""
    labels = selector.at("matchLabels")
    if labels is None and selector.at("matchExpressions") is None:
        labels = selector.body
    return (
        {str(key): value for key, value in labels.items() if isinstance(value, str)}
        if isinstance(labels, dict)
        else {}
    )


def _text(selector: LiveView) -> str:
    parts = [f"{key}={value}" for key, value in sorted(_labels(selector).items())]
    for expression in selector.items("matchExpressions"):
        key, operator = expression.text("key"), expression.text("operator")
        if operator in _OPERATORS:
            parts.append(f"{key} {_OPERATORS[operator]} ({','.join(sorted(expression.texts('values')))})")
        elif operator in {"Exists", "DoesNotExist"}:
            parts.append(key if operator == "Exists" else f"!{key}")
    return ",".join(parts)
