# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights of a connection's account, by reviews of the server: nothing is tried out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...model.objects import GroupKind
from ..client import Cluster
from ..errors import UnknownApi

_REVIEW = GroupKind("authorization.k8s.io", "SelfSubjectAccessReview")


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Right:
    """A verb on a resource (its plural); an empty namespace means all of them, or a resource of the cluster."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        named = f"{self.resource}.{self.group}" if self.group else self.resource
        part = f"/{self.subresource}" if self.subresource else ""
        return f"{self.verb} {named}{part}" + (f" in {self.namespace}" if self.namespace else "")


def missing_rights(cluster: Cluster, rights: Iterable[Right]) -> tuple[Right, ...]:
    """Return the rights that the connection's account does not have. Raises a RequestError where a review fails."""
    kind = cluster.discover().of(_REVIEW)
    if kind is None:
        raise UnknownApi(str(_REVIEW), "asking what this account may do", "the cluster does not know it")

    def allowed(right: Right) -> bool:
        attributes = {
            "verb": right.verb,
            "group": right.group,
            "resource": right.resource,
            "subresource": right.subresource,
            "namespace": right.namespace,
        }
        body = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "spec": {"resourceAttributes": attributes},
        }
        review = cluster.post(kind, body, operation=f"asking whether this account may {right}")
        return (review.get("status") or {}).get("allowed") is True

    asked = sorted(set(rights))
    return tuple(right for right, has in zip(asked, cluster.map(allowed, asked), strict=True) if not has)
