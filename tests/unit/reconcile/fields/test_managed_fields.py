# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns what, and managedFields rewritten so that what leaves Git can leave the cluster."""

from __future__ import annotations

from copy import deepcopy
from operator import attrgetter
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.fields.managed_fields import (
    co_owned,
    foldable,
    lost_fields,
    our_entry,
    owner_of,
    owners,
    rewritten_managed_fields,
)
from ansible_collections.plumb.gitops.tests.unit.reconcile.managed import (
    Entry,
    data,
    entry,
    live,
    ours,
    update,
)

SCALE = update("kubectl", data("a"), subresource="scale")
STATUS = update("kubelet", {"f:status": {"f:phase": {}}}, subresource="status")
NOBODY = update("before-first-apply", data("a", "b"))

REWRITES: dict[str, tuple[list[Entry], dict[str, Any], dict[str, Any], list[Entry] | None]] = {
    # before, fold, release, after
    "nothing to do": ([ours(data("a")), update("someone", data("b"))], {}, {}, None),
    "fold makes our entry": ([update("helm", data("a"))], data("a"), {}, [ours(data("a"))]),
    "fold joins our entry": (
        [ours(data("b")), update("kubectl-edit", data("a"))],
        data("a"),
        {},
        [ours(data("a", "b"))],
    ),
    "what is not folded stays with the predecessor": (
        [update("kubectl", {**data("a"), "f:status": {}})],
        data("a"),
        {},
        [update("kubectl", {"f:status": {}}), ours(data("a"))],
    ),
    "a stranger keeps what is folded": (
        [update("helm", data("a")), update("someone", data("a"))],
        data("a"),
        {},
        [update("someone", data("a")), ours(data("a"))],
    ),
    "a stranger loses what is released": (
        [ours(data("a")), update("someone", data("a", "b"))],
        {},
        data("a"),
        [update("someone", data("b")), ours(data("a"))],
    ),
    "another applier loses nothing": ([ours(data("a")), entry("helm", "Apply", data("a"))], {}, data("a"), None),
    "entries of subresources stay": ([ours(data("a")), SCALE, STATUS], {}, data("a"), None),
    "entries of subresources stay in a fold": ([SCALE], data("a"), {}, [SCALE, ours(data("a"))]),
    "somebody unknown is struck": ([ours(data("a")), NOBODY], {}, {}, [ours(data("a"))]),
    "somebody unknown was the only one": ([NOBODY], {}, {}, []),
    "nothing owned at all": ([], {}, {}, None),
    "wiped": ([{}], {}, {}, None),
    "folded already": ([ours(data("a"))], data("a"), {}, None),
}  # fmt: skip

FIELDS = attrgetter("fields")


@pytest.mark.parametrize("name", REWRITES)
def test_rewritten(name: str) -> None:
    before, fold, release, after = REWRITES[name]
    body = live(*before)
    original = deepcopy(body)
    assert rewritten_managed_fields(body, fold=fold, release=release, api_version="v1") == after
    assert body == original


@pytest.mark.parametrize(
    ("by", "folded"),
    [
        (update("kubectl-client-side-apply", data("a")), True),
        (update("kubectl-edit", data("a")), True),
        (update("kubectl", data("a")), True),
        (update("helm", data("a")), True),
        (update("argocd-controller", data("a")), True),
        (update("kustomize-controller", data("a")), True),
        (update("kubectl", data("a"), subresource="scale"), False),
        (update("hand-made", data("a")), False),
        (update("my-kubectl", data("a")), False),
        (update("before-first-apply", data("a")), False),
        (entry("helm", "Apply", data("a")), False),
        (ours(data("a")), False),
    ],
)
def test_whose_fields_are_taken_over(by: Entry, *, folded: bool) -> None:
    assert foldable(owners(live(by)), FIELDS) == (data("a") if folded else {})


@pytest.mark.parametrize(
    "fields",
    [
        {"f:status": {"f:phase": {}}},
        {"f:metadata": {"f:finalizers": {'v:"x"': {}}}},
        {"f:metadata": {"f:ownerReferences": {'k:{"uid":"1"}': {".": {}}}}},
        {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}},
        {"f:spec": {"f:clusterIP": {}, "f:clusterIPs": {}}},
        {"f:spec": {"f:replicas": {}}},
        {"f:spec": {"f:volumeName": {}}},
    ],
)
def test_what_the_cluster_goes_on_needing_is_never_taken_over(fields: dict[str, Any]) -> None:
    assert foldable(owners(live(update("kubectl", fields))), FIELDS) == {}


def test_our_entry_is_the_apply_of_the_object_itself() -> None:
    imposters = [update("plumb", data("a")), entry("plumb", "Apply", data("a"), subresource="status")]
    assert our_entry(owners(live(*imposters))) is None
    owner = our_entry(owners(live(*imposters, ours(data("b")))))
    assert owner is not None
    assert owner.fields == data("b")


def test_the_owner_of_a_field_is_the_latest_editor_before_any_applier() -> None:
    applier = entry("helm", "Apply", data("a"), time="2026-01-03T00:00:00Z")
    early = update("kubectl-edit", data("a"), time="2026-01-01T00:00:00Z")
    late = update("kubectl-patch", data("a"), time="2026-01-02T00:00:00Z")
    path = ("f:data", "f:a")
    for entries, manager in (
        ([ours(data("a"))], None),
        ([applier], "helm"),
        ([late, applier, early], "kubectl-patch"),
        ([late, SCALE], "kubectl"),  # the scale subresource records no time
    ):
        owner = owner_of(owners(live(*entries)), path)
        assert (owner.manager if owner else None) == manager


def test_a_claim_is_lost_by_appliers_only() -> None:
    before = [ours(data("z")), entry("helm", "Apply", data("a", "b")), update("kubectl", data("c"))]
    after = [ours(data("a", "c")), entry("helm", "Apply", data("b"))]
    assert lost_fields(owners(live(*before)), owners(live(*after))) == {"helm": data("a")}
    assert lost_fields(owners(live(*before)), owners(live(ours(data("a"))))) == {"helm": data("a", "b")}
    assert lost_fields(owners(live(*before)), owners(live(*before))) == {}


def test_co_owned_by_update_not_by_subresource_or_apply() -> None:
    entries = owners(
        live(ours(data("a", "b", "c")), update("x", data("a")), entry("y", "Apply", data("b")), SCALE)
    )
    assert co_owned(entries, data("a", "b", "c")) == data("a")
