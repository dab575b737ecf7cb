# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules by which a server accepts objects, as far as they can be read: its version, kinds and admission rules.

They are read only where a refusal is remembered or made, by a handful of requests for a whole run. What the account may
not list counts as unchanged.
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
class _RuleKind:
    """A kind of rules; `where` gives the requests that a rule is for, `value` what of it matters."""

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


_RULE_KINDS = (
    *(
        _RuleKind(GroupKind(_ADMISSION, kind), _everywhere, _generation)
        for kind in (
            "ValidatingWebhookConfiguration",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
        )
    ),
    _RuleKind(
        GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"),
        lambda item: f"kind {item['metadata']['name']}",
        _generation,
    ),
    _RuleKind(
        GroupKind("", "Namespace"),
        lambda item: f"namespace {item['metadata']['name']}",
        lambda item: [item["metadata"].get("uid"), item["metadata"].get("labels")],
    ),
    *(
        _RuleKind(
            GroupKind("", kind),
            _in_its_namespace,
            lambda item: [_generation(item), item.get("spec")],
            metadata_only=False,
        )
        for kind in ("LimitRange", "ResourceQuota")
    ),
)


class ServerRules:
    """The rules of one server during one run."""

    def __init__(self, values: Mapping[str, list[Any]]) -> None:
        self._values = values

    def digest(self, kind: ApiResource, namespace: str) -> str:
        """Return a digest of the rules for objects of this kind in this namespace."""
        scopes = ["", f"kind {kind.plural}.{kind.group}", f"namespace {namespace}"]
        return digest_of([self._values.get(scope, []) for scope in scopes])


def namespace_in(path: str, kind: ApiResource) -> str:
    """Return the namespace in an object's path; empty for a cluster-scoped one."""
    return unquote(path.rpartition("/namespaces/")[2].partition("/")[0]) if kind.namespaced else ""


def read_server_rules(cluster: Cluster) -> ServerRules:
    """Read the rules of a server, by one LIST for each kind of them."""
    values: dict[str, list[Any]] = defaultdict(list)
    values[""].append(_version(cluster))
    for rule, items in zip(
        _RULE_KINDS, cluster.map(lambda rule: _items(cluster, rule), _RULE_KINDS), strict=True
    ):
        for item in items:
            values[rule.where(item)].append([str(rule.kind), rule.value(item)])
    return ServerRules(values)


def _version(cluster: Cluster) -> str:
    try:
        return cluster.version()
    except RequestError:
        return ""


def _items(cluster: Cluster, rule: _RuleKind) -> list[dict[str, Any]]:
    resource = cluster.discover().of(rule.kind)
    if resource is None:
        return []
    try:
        items = cluster.list(resource, metadata_only=rule.metadata_only).items
    except RequestError:
        return []
    return sorted(items, key=lambda item: (item["metadata"].get("namespace") or "", item["metadata"]["name"]))
