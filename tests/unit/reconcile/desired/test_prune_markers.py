# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Annotations of other tools that keep an object (row 108)."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.desired.prune_markers import (
    protective_marker,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.plan.prune import plan_prune, withheld
from ansible_collections.plumb.gitops.tests.unit.reconcile.samples import app

FLUX, ARGO = "kustomize.toolkit.fluxcd.io", "argocd.argoproj.io/sync-options"


@pytest.mark.parametrize(
    ("annotation", "value", "keeps"),
    [
        (f"{FLUX}/prune", "disabled", True),
        (f"{FLUX}/prune", "Disabled", True),
        (f"{FLUX}/prune", "enabled", False),
        (f"{FLUX}/reconcile", "disabled", True),
        (f"{FLUX}/reconcile", "enabled", False),
        (f"{FLUX}/ssa", "Merge", False),
        (ARGO, "Prune=false", True),
        (ARGO, "Prune=confirm", True),
        (ARGO, "Delete=false", True),
        (ARGO, "Delete=confirm", True),
        (ARGO, "Validate=false, Prune=false ,Replace=true", True),
        (ARGO, " Validate=false,Delete = confirm", True),
        (ARGO, "prune=False", True),
        (ARGO, "Prune=true", False),
        (ARGO, "PruneLast=true,Validate=false", False),
        (ARGO, "", False),
        (ARGO, ",,=,", False),
        ("argocd.argoproj.io/compare-options", "Prune=false", False),
        ("helm.sh/resource-policy", "keep", True),
        ("helm.sh/resource-policy", " Keep ", True),
        ("helm.sh/resource-policy", "delete", False),
        ("cli-utils.sigs.k8s.io/on-remove", "keep", True),
        ("client.lifecycle.config.k8s.io/deletion", "detach", True),
        ("kapp.k14s.io/delete-strategy", "orphan", True),
        ("example.com/keep", "true", False),
    ],
)
def test_row_108_which_annotations_keep_an_object(annotation: str, value: str, *, keeps: bool) -> None:
    body = {"apiVersion": "v1", "metadata": {"name": "old", "annotations": {annotation: value}}}
    assert bool(protective_marker(body)) is keeps
    assert annotation in protective_marker(body) or not keeps
    ref = ObjectRef("", "ConfigMap", "shop", "old")
    assert withheld(app(), ref, body) is keeps, (
        "it is asked again before a delete that somebody was faster than"
    )
    assert withheld(app(keep_marked=False), ref, body) is False


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"annotations": None},
        {"annotations": {ARGO: 1}},
        {"annotations": []},
        {"labels": {ARGO: "Prune=false"}},
    ],
)
def test_row_108_odd_metadata_keeps_nothing(metadata: dict[str, Any]) -> None:
    assert protective_marker({"metadata": metadata}) == ""


def test_row_108_a_label_of_flux_counts_as_well() -> None:
    assert protective_marker({"metadata": {"labels": {f"{FLUX}/prune": "disabled"}}})


@pytest.mark.parametrize(
    ("inside", "keeps"),
    [
        (("ConfigMap", {"annotations": {"helm.sh/resource-policy": "keep"}}), True),
        (("ConfigMap", {"annotations": {"plumb.gitops/prune": "disabled"}}), True),
        (("PersistentVolumeClaim", {}), True),  # without consent
        (("ConfigMap", {}), False),
        (("ConfigMap", {"deletionTimestamp": "2026-01-01T00:00:00Z"}), False),
    ],
)
def test_a_namespace_stays_while_anything_in_it_is_kept(
    inside: tuple[str, dict[str, Any]], *, keeps: bool
) -> None:
    kind, metadata = inside
    consent = {"annotations": {"plumb.gitops/prune": "enabled"}}
    namespace = ObjectRef("", "Namespace", "", "shop")
    members = {
        namespace: {"apiVersion": "v1", "metadata": {"name": "shop", **consent}},
        ObjectRef("", kind, "shop", "in"): {"apiVersion": "v1", "metadata": {"name": "in", **metadata}},
    }
    prune = plan_prune(
        app(), members, frozenset(), blocked="", waits="", wanted_elsewhere=lambda _ref: "",
        wanted_inside=lambda _ref, _live: "", reason="left Git",
    )  # fmt: skip
    (verb,) = (planned.action.verb for planned in prune.planned_actions if planned.action.ref == namespace)
    assert verb is (Verb.REFUSED if keeps else Verb.PRUNE)
