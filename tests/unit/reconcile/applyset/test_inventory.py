# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory: its id, what its parent says and reads back, and what makes a member."""

from __future__ import annotations

import base64
import hashlib
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AppSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InventoryError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind, ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.model.well_known import PART_OF
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.applyset.inventory import (
    Inventory,
    SetIdentity,
    app_of_parent,
    identity_of,
    is_member,
    read_inventory,
)
from ansible_collections.plumb.gitops.tests.unit.reconcile.managed import live, ours, update

SHOP = SetIdentity("shop", "shop")
CART = ObjectRef("apps", "Deployment", "shop", "cart")
FLAGS = ObjectRef("", "ConfigMap", "flags", "flags")
READER = ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "reader")
LABELLED: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{PART_OF}": {}}}}


def parent(**annotations: str) -> dict[str, Any]:
    """A parent as the server has it, after somebody set these annotations (`_` for `-`)."""
    body = deepcopy(Inventory(identity=SHOP, owner="plumb").widened([CART, FLAGS, READER]).body())
    for name, value in annotations.items():
        prefix = "applyset.kubernetes.io" if name in {"tooling", "contains_group_kinds"} else "plumb.gitops"
        body["metadata"]["annotations"][f"{prefix}/{name.replace('_', '-')}"] = value
    return body


def test_the_id_is_kep_3659s() -> None:
    """`applyset-<base64(sha256(<name>.<namespace>.<kind>.<group>))>-v1`, base64 as in RFC 4648's URL alphabet.

    The group of a ConfigMap is empty, so the text ends in a dot; unpadded, as labels take no `=`.
    """
    digest = hashlib.sha256(b"plumb-shop.shop.ConfigMap.").digest()
    assert SHOP.id == "applyset-" + base64.b64encode(digest, altchars=b"-_").decode().strip("=") + "-v1"
    assert SHOP.id == "applyset-laXxZWAoUMZh-nm3WPiF2qoy90wWI_rC83X4lPiGmjQ-v1"
    assert len(SHOP.id) <= 63, "a label's value"


def test_an_app_without_a_namespace_has_its_set_in_the_default_one() -> None:
    app = AppSpec(name="shop", source="git")
    assert identity_of(app, "plumb-system").ref == ObjectRef("", "ConfigMap", "plumb-system", "plumb-shop")
    home = AppSpec(name="shop", source="git", namespace="shop")
    assert identity_of(home, "plumb-system") == SHOP


def test_the_parent_says_where_members_may_be() -> None:
    body = Inventory(identity=SHOP, owner="plumb").widened([CART, FLAGS, READER]).body()
    annotations = body["metadata"]["annotations"]
    assert body["metadata"]["labels"] == {"applyset.kubernetes.io/id": SHOP.id}
    assert (
        annotations["applyset.kubernetes.io/contains-group-kinds"]
        == "ClusterRole.rbac.authorization.k8s.io,ConfigMap,Deployment.apps"
    )
    assert annotations["applyset.kubernetes.io/additional-namespaces"] == "flags"
    assert annotations["applyset.kubernetes.io/tooling"].startswith("plumb.gitops/v")


def test_what_was_written_is_read_back() -> None:
    jobs = (("shop/a", "2e"), ("shop/migrate", "1f"))
    written = Inventory(identity=SHOP, owner="plumb", applied="abc", finished_jobs=jobs).widened(
        [CART, FLAGS]
    )
    read = read_inventory(written.body(), SHOP, "plumb")
    assert read.exists
    assert read.body() == written.body()
    assert read.finished_jobs == jobs
    beside = read.with_record([FLAGS, CART])
    assert (beside.applied, beside.finished_jobs) == ("", ())
    assert beside.names == read.with_record([CART, FLAGS]).names != read.with_record([CART]).names
    assert read_inventory(beside.body(), SHOP, "plumb") == replace(beside, exists=True)


def test_it_is_widened_before_a_write_and_narrowed_after() -> None:
    wide = Inventory(identity=SHOP, owner="plumb").widened([CART]).widened([FLAGS])
    assert wide.group_kinds == {CART.group_kind, FLAGS.group_kind}
    narrow = wide.narrowed([CART])
    assert narrow.group_kinds == {CART.group_kind}
    assert not narrow.namespaces


def test_a_missing_parent_is_an_empty_inventory() -> None:
    inventory = read_inventory(None, SHOP, "plumb")
    assert not inventory.exists
    assert (inventory.group_kinds, inventory.namespaces) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (parent(tooling="kubectl/v1.36.0"), "it belongs to kubectl"),
        (parent(tooling=""), "it belongs to no tool"),
        (parent(owner="other-cluster-admin"), "owner other-cluster-admin"),
        (
            {"metadata": {"name": "plumb-shop", "namespace": "shop"}},
            "its label applyset.kubernetes.io/id is missing",
        ),
        (
            {**parent(), "metadata": {**parent()["metadata"], "labels": {"applyset.kubernetes.io/id": "x"}}},
            "its label applyset.kubernetes.io/id is x, not applyset-",
        ),
    ],
)
def test_a_parent_that_is_not_ours_is_an_error(body: dict[str, Any], why: str) -> None:
    with pytest.raises(InventoryError) as caught:
        read_inventory(body, SHOP, "plumb")
    message = str(caught.value)
    assert "app shop" in message
    assert "ConfigMap shop/plumb-shop" in message
    assert why in message
    assert caught.value.next_step


@pytest.mark.parametrize(
    "jobs",
    ["", "{", "[]", "null", '"text"', "3", '{"a": {"b": 1}}', "[" * 100_000],
    ids=lambda text: text[:8],
)
def test_tampered_jobs_are_forgotten_not_fatal(jobs: str) -> None:
    """A Job that is forgotten runs again at worst."""
    inventory = read_inventory({**parent(), "data": {"finished-jobs": jobs}}, SHOP, "plumb")
    assert all(isinstance(part, str) for pair in inventory.finished_jobs for part in pair)


def test_tampered_hints_are_read_as_they_are() -> None:
    inventory = read_inventory(parent(contains_group_kinds=",ConfigMap,,.x,Odd.a.b.c,"), SHOP, "plumb")
    assert inventory.group_kinds == {
        GroupKind("", "ConfigMap"),
        GroupKind("x", ""),
        GroupKind("a.b.c", "Odd"),
    }


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (live(ours(LABELLED), metadata={"labels": {PART_OF: SHOP.id}}), True),
        (live(ours(LABELLED), metadata={"labels": {PART_OF: "applyset-other-v1"}}), False),
        (live(ours(LABELLED), metadata={"labels": {}}), False),
        (live(ours({}), metadata={"labels": {PART_OF: SHOP.id}}), False),
        (live(update("endpointslice-controller", LABELLED), metadata={"labels": {PART_OF: SHOP.id}}), False),
        (live(update("plumb", LABELLED), metadata={"labels": {PART_OF: SHOP.id}}), False),
        (live(metadata={"labels": {PART_OF: SHOP.id}}), False),
    ],
    ids=[
        "labelled by us",
        "another set",
        "no label",
        "label not ours",
        "controller",
        "tenant as plumb",
        "wiped",
    ],
)
def test_a_member_carries_the_label_and_we_own_it(body: dict[str, Any], *, member: bool) -> None:
    assert is_member(body, SHOP.id) is member


@pytest.mark.parametrize(
    ("body", "app"),
    [
        (parent(), "shop"),
        (parent(owner="another"), ""),
        (parent(tooling="kubectl/v1"), ""),
        (parent(tooling="plumb.gitopsX/v1"), ""),
        ({"metadata": {"name": "x"}}, ""),
    ],
)
def test_whose_set_a_parent_is(body: dict[str, Any], app: str) -> None:
    assert app_of_parent(body, "plumb") == app
