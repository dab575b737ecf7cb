# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decides whether the server takes an object, as far as it can be read: its version, kinds and admission rules.

It is read only where a refusal is remembered or made, by a handful of requests for a whole run. What the account may
not list counts as unchanging.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ..model.objects import GroupKind, digest_of
from .discovery import ApiResource
from .errors import RequestError

if TYPE_CHECKING:
    from .client import Cluster

_ADMISSION = "admissionregistration.k8s.io"


@dataclass(frozen=True, slots=True)
class _Rule:
    """A kind that decides; `where` says for which requests, `value` what of it matters."""

    kind: GroupKind
    where: Callable[[Mapping[str, Any]], str]
    value: Callable[[Mapping[str, Any]], Any]
    metadata_only: bool = True


def _everywhere(_item: Mapping[str, Any]) -> str:
    return ""


def _generation(item: Mapping[str, Any]) -> Any:
    return [item["metadata"].get(key) for key in ("name", "uid", "generation")]


def _in_its_namespace(item: Mapping[str, Any]) -> str:
    return f"namespace {item['metadata'].get('namespace')}"


_RULES = (
    *(
        _Rule(GroupKind(_ADMISSION, kind), _everywhere, _generation)
        for kind in (
            "ValidatingWebhookConfiguration",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
        )
    ),
    _Rule(
        GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"),
        lambda item: f"kind {item['metadata']['name']}",
        _generation,
    ),
    _Rule(
        GroupKind("", "Namespace"),
        lambda item: f"namespace {item['metadata']['name']}",
        lambda item: [item["metadata"].get("uid"), item["metadata"].get("labels")],
    ),
    *(
        _Rule(
            GroupKind("", kind),
            _in_its_namespace,
            lambda item: [_generation(item), item.get("spec")],
            metadata_only=False,
        )
        for kind in ("LimitRange", "ResourceQuota")
    ),
)


class Environment:
    """The rules of one server as they are in one run."""

    def __init__(self, values: Mapping[str, list[Any]]) -> None:
        self._values = values

    def digest(self, kind: ApiResource, namespace: str) -> str:
        """What changes when something does that decides about objects of this kind in this namespace."""
        places = ["", f"kind {kind.plural}.{kind.group}", f"namespace {namespace}"]
        return digest_of([self._values.get(place, []) for place in places])


def namespace_in(path: str, kind: ApiResource) -> str:
    """The namespace of an object by its path; empty for one of the cluster."""
    return unquote(path.rpartition("/namespaces/")[2].partition("/")[0]) if kind.namespaced else ""


def read_environment(cluster: Cluster) -> Environment:
    """Read it, one LIST for each kind of rule."""
    values: dict[str, list[Any]] = defaultdict(list)
    values[""].append(_version(cluster))
    for rule, items in zip(_RULES, cluster.map(lambda rule: _items(cluster, rule), _RULES), strict=True):
        for item in items:
            values[rule.where(item)].append([str(rule.kind), rule.value(item)])
    return Environment(values)


def _version(cluster: Cluster) -> str:
    try:
        return cluster.version()
    except RequestError:
        return ""


def _items(cluster: Cluster, rule: _Rule) -> list[dict[str, Any]]:
    resource = cluster.discover().of(rule.kind)
    if resource is None:
        return []
    try:
        found = cluster.list(resource, metadata_only=rule.metadata_only).items
    except RequestError:
        return []
    return sorted(found, key=lambda item: (item["metadata"].get("namespace") or "", item["metadata"]["name"]))
