# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a live object is, and what is decided about it without asking the server."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.access import Access
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.client import Cluster
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.discovery import ApiResource, Discovery
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.retry import Clock
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.decide import (
    Holder,
    holder_of,
    plan_object,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.desired import Wanted, desire
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.ground import Ground
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.inventory import (
    ID_LABEL,
    PART_OF,
    Inventory,
    SetIdentity,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.observe import Autoscalers
from ansible_collections.plumb.gitops.tests.unit.reconcile.managed import data, live, ours, update
from ansible_collections.plumb.gitops.tests.unit.reconcile.samples import DISCOVERY, app, manifest

SET = SetIdentity("shop", "shop")
LABELLED: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{PART_OF}": {}}}}
JOBS = ApiResource(
    group="batch", version="v1", kind="Job", plural="jobs", namespaced=True, verbs=frozenset({"list"})
)
KINDS = Discovery([*DISCOVERY.resources, JOBS])


def ground(**other: Any) -> Ground:
    """What planning stands on; its cluster has no address, so nothing can be asked of it."""
    nowhere = Cluster(
        Access(server="https://nowhere.invalid"), request_timeout=1, concurrency=1, clock=Clock()
    )
    chosen: dict[str, Any] = {
        "cluster": nowhere,
        "discovery": KINDS,
        "app": app(),
        "inventory": Inventory(identity=SET, owner="plumb", exists=True),
        "formers": (),
        "check": False,
        "deep": False,
        "autoscalers": Autoscalers(frozenset(), ""),
        "missing_namespaces": frozenset(),
        "coming_namespaces": frozenset(),
        "read_at": 0.0,
        "applied_before": False,
        "rival": lambda _ref, _held: "",
    }
    return Ground(**{**chosen, **other})


def wanted(kind: str, name: str, **content: Any) -> Wanted:
    (one,) = desire(app(), SET.id, [manifest(kind, name, **content)], KINDS, {}).wanted
    return one


def job() -> Wanted:
    return wanted("Job", "migrate", version="batch/v1", spec={"ttlSecondsAfterFinished": 60})


@pytest.mark.parametrize(
    ("label", "entries", "holder"),
    [
        ("", [], Holder.NOBODY),
        ("", [update("kubectl-create", data("a"))], Holder.NOBODY),
        ("", [ours(data("a"))], Holder.OURS),  # somebody took the label away
        (SET.id, [ours(data("a"))], Holder.OURS),
        (SET.id, [], Holder.OURS),  # somebody wiped managedFields
        (
            SET.id,
            [update("kubectl-label", data("a"))],
            Holder.NOBODY,
        ),  # a label alone, which a tenant can write
        ("other", [update("kubectl-label", data("a"))], Holder.NOBODY),
        ("other", [ours(LABELLED)], Holder.ANOTHER_SET),
        (
            "other",
            [ours(data("a")), update("kubectl-label", LABELLED)],
            Holder.OURS,
        ),  # somebody changed the label
    ],
)
def test_whose_an_object_is(label: str, entries: list[dict[str, Any]], holder: Holder) -> None:
    assert holder_of(live(*entries, metadata={"labels": {PART_OF: label} if label else {}}), SET.id) is holder


@pytest.mark.parametrize("former", [False, True], ids=["under its own name", "under its former name"])
@pytest.mark.parametrize("going", [False, True], ids=["gone", "being deleted"])
def test_a_finished_job_is_not_run_again(*, former: bool, going: bool) -> None:
    one = job()
    ran = Inventory(identity=SET, owner="plumb").with_jobs({"shop/migrate": one.digest})
    body = {**one.body, "metadata": {**one.body["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    remembering = ground(formers=(ran,)) if former else ground(inventory=ran)
    assert plan_object(remembering, one, body if going else None).action.verb is Verb.UNCHANGED
    assert plan_object(ground(), one, body if going else None).action.verb is Verb.CREATE


def test_an_inventory_is_no_object_for_git() -> None:
    parent = live(ours(data("finished-jobs")), metadata={"labels": {ID_LABEL: "applyset-x-v1"}})
    step = plan_object(ground(app=app(adopt=True)), wanted("ConfigMap", "cart"), parent)
    assert step.action.verb is Verb.REFUSED
    assert "inventory" in step.action.reason


def test_an_object_that_is_nested_without_end_harms_no_other() -> None:
    deep: Any = "end"
    for _level in range(700):  # more than Python compares; JSON still reads it
        deep = {"a": deep}
    one = wanted("ConfigMap", "cart", data={"a": deep})
    body = live(ours({}), metadata=one.body["metadata"], data={"a": deep})
    body["metadata"]["managedFields"][0]["fieldsV1"] = {"f:data": {"f:a": {}}}
    assert plan_object(ground(), one, body).action.verb is Verb.REFUSED
