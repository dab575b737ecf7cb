# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a live object is, and what is decided about it without asking the server."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.client import Cluster
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.discovery import ApiResource, Discovery
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.api_access import ApiAccess
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.requests.retry import Clock
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import DriftPolicy
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.plugins.module_utils.model.run_options import RunOptions
from ansible_collections.plumb.gitops.plugins.module_utils.model.well_known import PART_OF
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.applyset.inventory import (
    ID_LABEL,
    Inventory,
    SetIdentity,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.applyset.recovery import RecoveredMembers
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.desired.desired_state import DesiredState
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.desired.manifests import (
    DesiredObject,
    desired_objects,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.membership.record import (
    RecordedMember,
    short_digest,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.plan.appearances import Appearances
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.plan.context import (
    PlanContext,
    RunContext,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.plan.plan_object import (
    ObjectOwner,
    owner_of_object,
    plan_object,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.plan.snapshot import Autoscalers
from ansible_collections.plumb.gitops.tests.unit.reconcile.managed import data, live, ours, update
from ansible_collections.plumb.gitops.tests.unit.reconcile.recorded import membership, record
from ansible_collections.plumb.gitops.tests.unit.reconcile.samples import DISCOVERY, app, manifest

SET = SetIdentity("shop", "shop")
LABELLED: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{PART_OF}": {}}}}
JOBS = ApiResource(
    group="batch", version="v1", kind="Job", plural="jobs", namespaced=True, verbs=frozenset({"list"})
)
KINDS = Discovery([*DISCOVERY.resources, JOBS])


def context(**other: Any) -> PlanContext:
    """Return the context of an app's plan; its cluster has no address, so no request can succeed."""
    nowhere = Cluster(
        ApiAccess(server="https://nowhere.invalid"), request_timeout=1, concurrency=1, clock=Clock()
    )
    spec = other.get("app", app())
    of_app = other.get("membership", membership(SET))
    run = RunContext(
        cluster=nowhere,
        desired=DesiredState([spec], [], lambda _app: (), KINDS, "plumb-system"),
        parents={},
        records=of_app.records,
        recovered=RecoveredMembers(),
        revisions={},
        options=RunOptions(),
        appearances=Appearances(nowhere),
    )
    chosen: dict[str, Any] = {
        "run": run,
        "discovery": KINDS,
        "app": spec,
        "inventory": Inventory(identity=SET, owner="plumb", exists=True),
        "former_inventories": (),
        "autoscalers": Autoscalers(frozenset(), ""),
        "missing_namespaces": frozenset(),
        "coming_namespaces": frozenset(),
        "read_at": 0.0,
        "membership": of_app,
        "applied_before": False,
    }
    return PlanContext(**{**chosen, **other})


def wanted(kind: str, name: str, **content: Any) -> DesiredObject:
    (desired,) = desired_objects(app(), SET.id, [manifest(kind, name, **content)], KINDS, {}).wanted
    return desired


def job() -> DesiredObject:
    return wanted("Job", "migrate", version="batch/v1", spec={"ttlSecondsAfterFinished": 60})


# Without a record (None) labels are believed; with one (True, False: whether it has the object) it is.
@pytest.mark.parametrize(
    ("recorded", "label", "entries", "holder"),
    [
        (None, "", [], ObjectOwner.NOBODY),
        (None, "", [update("kubectl-create", data("a"))], ObjectOwner.NOBODY),
        (None, "", [ours(data("a"))], ObjectOwner.OURS),  # somebody took the label away
        (True, "", [ours(data("a"))], ObjectOwner.OURS),
        (False, "", [ours(data("a"))], ObjectOwner.NOBODY),  # somebody forged our entry
        (None, SET.id, [ours(data("a"))], ObjectOwner.OURS),
        (None, SET.id, [], ObjectOwner.OURS),  # somebody wiped managedFields
        (True, "", [], ObjectOwner.OURS),  # and the label, too; only where adopt has the records asked
        (None, SET.id, [update("kubectl-label", data("a"))], ObjectOwner.NOBODY),  # a label alone
        (None, "other", [update("kubectl-label", data("a"))], ObjectOwner.NOBODY),
        (None, "other", [ours(LABELLED)], ObjectOwner.ANOTHER_SET),
        (
            None,
            "other",
            [ours(data("a")), update("kubectl-label", LABELLED)],
            ObjectOwner.OURS,
        ),  # changed by somebody
    ],
)
def test_whose_an_object_is(
    recorded: bool | None, label: str, entries: list[dict[str, Any]], holder: ObjectOwner
) -> None:
    cart = ObjectRef("", "ConfigMap", "shop", "cart")
    records = [] if recorded is None else [record(SET, [cart] if recorded else [])]
    body = live(*entries, metadata={"labels": {PART_OF: label} if label else {}})
    held = membership(SET, *records).set_id_of(cart, body, adopt=True)
    assert owner_of_object(body, held, SET.id) is holder


@pytest.mark.parametrize("former", [False, True], ids=["under its own name", "under its former name"])
@pytest.mark.parametrize("going", [False, True], ids=["gone", "being deleted"])
@pytest.mark.parametrize("legacy", [False, True], ids=["recorded", "as 0.1.0 remembered it"])
def test_a_finished_job_is_not_run_again(*, former: bool, going: bool, legacy: bool) -> None:
    desired, old = job(), SetIdentity("old", "shop")
    its = old if former else SET
    body = {
        **desired.body,
        "metadata": {**desired.body["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"},
    }
    if legacy:
        ran = Inventory(identity=its, owner="plumb", finished_jobs=(("shop/migrate", desired.digest),))
        remembering = context(former_inventories=(ran,)) if former else context(inventory=ran)
    else:
        ran_once = record(its, {desired.ref: RecordedMember(short_digest(desired))})
        remembering = context(membership=membership(SET, ran_once, former=[old]))
    assert plan_object(remembering, desired, body if going else None).action.verb is Verb.UNCHANGED
    assert plan_object(context(), desired, body if going else None).action.verb is Verb.CREATE


@pytest.mark.parametrize(
    ("recorded", "deleted"),
    [
        (
            RecordedMember("an earlier one"),
            True,
        ),  # an unrelated commit, or one to this very object, changes nothing of that
        (RecordedMember("-"), True),  # a Secret
        (RecordedMember(""), False),  # it was going to be written, and perhaps never was
        (None, False),
    ],
)
@pytest.mark.parametrize("going", [False, True], ids=["gone", "being deleted"])
def test_row_93_a_recorded_object_that_is_gone_was_deleted_by_someone(
    recorded: RecordedMember | None, *, deleted: bool, going: bool
) -> None:
    desired = wanted("ConfigMap", "cart")
    entries = {} if recorded is None else {desired.ref: recorded}
    body = {
        **desired.body,
        "metadata": {**desired.body["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"},
    }
    planned = plan_object(
        context(membership=membership(SET, record(SET, entries))), desired, body if going else None
    )
    assert planned.action.verb is Verb.CREATE
    assert planned.action.deleted_by_someone is deleted


@pytest.mark.parametrize("going", [False, True], ids=["gone", "being deleted"])
@pytest.mark.parametrize("same", [True, False])
def test_row_93_drift_report_leaves_what_was_deleted_until_its_manifest_changes(
    *, going: bool, same: bool
) -> None:
    desired = wanted("ConfigMap", "cart")
    entry = RecordedMember(short_digest(desired) if same else "0" * 16)
    body = {
        **desired.body,
        "metadata": {**desired.body["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"},
    }
    reporting = context(
        app=app(drift=DriftPolicy.REPORT), membership=membership(SET, record(SET, {desired.ref: entry}))
    )
    planned = plan_object(reporting, desired, body if going else None)
    assert planned.action.verb is (Verb.UNCHANGED if same else Verb.CREATE)
    assert planned.action.drifted


def test_an_inventory_is_no_object_for_git() -> None:
    parent = live(ours(data("finished-jobs")), metadata={"labels": {ID_LABEL: "applyset-x-v1"}})
    planned = plan_object(context(app=app(adopt=True)), wanted("ConfigMap", "cart"), parent)
    assert planned.action.verb is Verb.REFUSED
    assert "inventory" in planned.action.reason


def test_an_object_that_is_nested_without_end_harms_no_other() -> None:
    deep: Any = "end"
    for _level in range(700):  # more than Python compares; JSON still reads it
        deep = {"a": deep}
    desired = wanted("ConfigMap", "cart", data={"a": deep})
    body = live(ours({}), metadata=desired.body["metadata"], data={"a": deep})
    body["metadata"]["managedFields"][0]["fieldsV1"] = {"f:data": {"f:a": {}}}
    assert plan_object(context(), desired, body).action.verb is Verb.REFUSED
