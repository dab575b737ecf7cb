# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that a controller decides by contract, whatever Git says of them: a table.

A chart sets such a field all the same, mostly empty: `rules: []` of an aggregated ClusterRole, `caBundle: ""` of a
webhook whose certificate is injected. Sources: the API reference of ClusterRole (`aggregationRule`); the annotations of
cert-manager's cainjector and of OpenShift's service-ca-operator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...model.app import IgnoreRule
from ...model.objects import Body, GroupKind

# Controllers of Kubernetes that write by server-side apply: their entries are not those of another tool.
CONTROLLERS = frozenset({"clusterrole-aggregation-controller"})

_INJECTIONS = (
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
    "service.beta.openshift.io/inject-cabundle",
)


def _is_aggregated(body: Body) -> bool:
    return bool(body.get("aggregationRule"))


def _is_injected(body: Body) -> bool:
    annotations: Any = body["metadata"].get("annotations") or {}
    return any(name in annotations for name in _INJECTIONS)


@dataclass(frozen=True, slots=True)
class ControlledField:
    """A field of a kind that a controller decides where the manifest says so."""

    pointer: str
    applies: Callable[[Body], bool]


_WEBHOOKS = (ControlledField("/webhooks/*/clientConfig/caBundle", _is_injected),)
_CONTROLLED: dict[GroupKind, tuple[ControlledField, ...]] = {
    GroupKind("rbac.authorization.k8s.io", "ClusterRole"): (ControlledField("/rules", _is_aggregated),),
    GroupKind("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _WEBHOOKS,
    GroupKind("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _WEBHOOKS,
    GroupKind("apiregistration.k8s.io", "APIService"): (ControlledField("/spec/caBundle", _is_injected),),
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): (
        ControlledField("/spec/conversion/webhook/clientConfig/caBundle", _is_injected),
    ),
}


def controlled_fields(kind: GroupKind, body: Body) -> tuple[IgnoreRule, ...]:
    """Return the rules that leave to controllers what of this manifest they decide."""
    return tuple(
        IgnoreRule(pointer=field.pointer) for field in _CONTROLLED.get(kind, ()) if field.applies(body)
    )
