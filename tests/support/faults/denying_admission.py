# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Admission that denies every write to a namespace, dry-runs included."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.manifests.text import manifest

_GROUP = "admissionregistration.k8s.io"
_RULE = {"apiGroups": ["", "networking.k8s.io"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"]}


@contextmanager
def denied_by_policy(kubectl: Kubectl, namespace: str) -> Iterator[None]:
    """Yield a ValidatingAdmissionPolicy that denies ConfigMaps and NetworkPolicies, as long as the block lasts."""
    spec = {
        "matchConstraints": {"resourceRules": [{**_RULE, "resources": ["configmaps", "networkpolicies"]}]},
        "matchConditions": [
            {"name": "not-the-inventory", "expression": "object.metadata.name != 'plumb-app'"}
        ],
        "validations": [{"expression": "false", "message": "denied for a test"}],
    }
    bound = {
        "policyName": namespace,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": _selector(namespace)},
    }
    text = manifest(f"{_GROUP}/v1", "ValidatingAdmissionPolicy", namespace, spec=spec)
    text += manifest(f"{_GROUP}/v1", "ValidatingAdmissionPolicyBinding", namespace, spec=bound)
    with _applied(kubectl, text, namespace):
        yield


@contextmanager
def dead_webhook(kubectl: Kubectl, namespace: str) -> Iterator[None]:
    """Yield a webhook for ConfigMaps and NetworkPolicies that nobody answers, as long as the block lasts."""
    hook = {
        "name": "dead.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [{**_RULE, "resources": ["configmaps", "networkpolicies"]}],
        "namespaceSelector": _selector(namespace),
        "matchConditions": [
            {"name": "not-the-inventory", "expression": "object.metadata.name != 'plumb-app'"}
        ],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 1,
    }
    with _applied(
        kubectl,
        manifest(f"{_GROUP}/v1", "ValidatingWebhookConfiguration", namespace, webhooks=[hook]),
        namespace,
    ):
        yield


@contextmanager
def _applied(kubectl: Kubectl, text: str, namespace: str) -> Iterator[None]:
    kubectl.apply(text)
    try:
        _await_denial(kubectl, namespace)
        yield
    finally:
        kubectl("delete", "-f", "-", stdin=text)


def _await_denial(kubectl: Kubectl, namespace: str) -> None:
    """Wait until the server applies the policy."""
    for _try in range(100):
        try:
            kubectl(
                "annotate", "configmap", "c", "probe=1", "-n", namespace, "--overwrite", "--dry-run=server"
            )
        except AssertionError:
            return
        time.sleep(0.2)
    raise AssertionError("the policy denies nothing")


def _selector(namespace: str) -> dict[str, Any]:
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
