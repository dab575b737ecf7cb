# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every unauthorised change is found, attributed right and reverted; and none is found where nobody made one."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.client import Cluster
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AdditionPolicy, AppSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.change import Cause
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Body
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Action, Verb
from ansible_collections.plumb.gitops.plugins.module_utils.render.app import render_path
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Done, Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.faults.admission_webhook import (
    REVIEWED,
    configured,
    patch,
    webhook_server,
)
from ansible_collections.plumb.gitops.tests.support.manifests.builtin_kinds import built_in
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, custom_kind, manifest
from ansible_collections.plumb.gitops.tests.support.tampering.unauthorised import (
    CHANGES,
    AppliedChange,
    Tampering,
    manifests_by_ref,
)

MUTATIONS = int(os.environ.get("PLUMB_MUTATIONS", "200"))
IDLE_PASSES = 50
# What others may write to them by rights, or what goes away by itself: they are looked at in the idle passes.
_NOT_TAMPERED_WITH = {
    "Namespace",
    "Job",
    "Lease",
    "ValidatingAdmissionPolicy",
    "Deployment",
    "CustomResourceDefinition",
}


@pytest.fixture
def cluster(engine: Engine) -> Iterator[Cluster]:
    with connect(ConnectionSpec(kubeconfig=engine.sandbox.kubeconfig, in_cluster=False)) as cluster:
        yield cluster


@pytest.fixture
def fleet(engine: Engine) -> list[Body]:
    """Thirty built-in kinds and one of a CRD, applied and at rest."""
    unique = f"{engine.namespace}-more"
    texts = built_in(unique)
    texts["CustomResourceDefinition"] = custom_kind("things", "Thing", f"{unique}.example.com")
    texts["Thing"] = manifest(f"{unique}.example.com/v1", "Thing", "one", spec={"size": 3, "colour": "red"})
    texts["StatefulSet"] = texts["StatefulSet"].replace('"serviceName"', '"replicas": 1, "serviceName"')
    for kind, text in texts.items():
        engine.write(f"app/{kind.lower()}.yaml", text)
    app = spec(engine)
    engine.apply(app)
    for _ in range(10):  # controllers write at first
        done = engine.apply(app)
        if not done.verbs():
            break
    assert not done.app.failed, [(a.ref, a.reason) for a in done.app.plan.actions if a.reason]
    return [rendered.body for rendered in render_path(engine.root, "app", subject="app")]


def spec(engine: Engine, **options: Any) -> AppSpec:
    return engine.spec(**{"additions": AdditionPolicy.REMOVE, "prune": False, **options})


def test_every_change_is_found_attributed_and_reverted(
    engine: Engine,
    cluster: Cluster,
    kubectl: Kubectl,
    fleet: list[Body],
    record_property: Callable[[str, object], None],
) -> None:
    seed = int(os.environ.get("PLUMB_SEED", "20261124"))
    record_property("seed", seed)
    tampering = Tampering(cluster, kubectl, random.Random(seed))  # noqa: S311 - no secret
    manifests = {
        ref: body
        for ref, body in manifests_by_ref(fleet, engine.namespace, cluster).items()
        if ref.kind not in _NOT_TAMPERED_WITH
    }
    made, looks = 0, engine.check(spec(engine)).result.verified
    while made < MUTATIONS or tampering.made.keys() != CHANGES.keys():
        assert made < 5 * MUTATIONS, tampering.made
        changes = [
            change for ref, body in manifests.items() if (change := tampering.change(body, ref)) is not None
        ]
        done = engine.check(spec(engine), verified=looks)
        _assert_all_reported(done, changes)
        _put_away(cluster, changes)
        looks = engine.apply(spec(engine, adopt=True, force_conflicts=True)).result.verified
        left = engine.check(spec(engine), deep=True)
        assert left.verbs() == {}, [
            (a.ref, a.changes, a.reason) for a in left.app.plan.actions if a.verb.writes
        ]
        assert not [(a.ref, a.changes) for a in left.app.plan.actions if a.drifted]
        looks = left.result.verified
        made += len(changes)


def _assert_all_reported(done: Done, changes: list[AppliedChange]) -> None:
    """Each change is told, as what it is and by whom; nothing else is."""
    actions = {action.ref: action for action in done.app.plan.actions}
    for made in changes:
        _assert_reported(made, actions[made.ref])
    touched = {made.ref for made in changes}
    quiet = [action for ref, action in actions.items() if ref not in touched]
    assert not [(a.ref, a.changes) for a in quiet if a.drifted or a.verb is not Verb.UNCHANGED]


def _assert_reported(made: AppliedChange, action: Action) -> None:
    about = (made, action.verb, action.reason, action.changes)
    if made.claimed:
        assert action.verb is Verb.REFUSED, about
        assert made.manager in action.reason, about
    elif made.foreign:
        assert action.verb is Verb.REFUSED, about
        assert "somebody" in action.reason, about
    elif made.deleted:
        assert (action.verb, action.deleted_by_someone) == (Verb.CREATE, True), about
    else:
        assert action.drifted, about
        culprits = {change.culprit.manager for change in action.changes if change.culprit is not None}
        assert culprits == {made.manager} if made.manager else culprits <= {made.maybe}, about
        assert all(change.cause is not Cause.GIT for change in action.changes), about


def _put_away(cluster: Cluster, changes: list[AppliedChange]) -> None:
    """What the app may not take over by itself, the operator removes."""
    resource = None
    for made in changes:
        if not made.foreign:
            continue
        resource = next(r for r in cluster.discover().listable() if r.group_kind == made.ref.group_kind)
        live = cluster.get(resource, namespace=made.ref.namespace, name=made.ref.name)
        assert live is not None
        cluster.delete(
            resource, namespace=made.ref.namespace, name=made.ref.name, uid=live["metadata"]["uid"],
            resource_version=live["metadata"]["resourceVersion"],
        )  # fmt: skip


def _marked(_object: Any) -> list[dict[str, Any]]:
    """What the webhook does to every object that it is asked about: a value more, which nobody owns."""
    return [{"op": "add", "path": "/data/admitted", "value": "yes"}]


@pytest.mark.usefixtures("fleet")
def test_nothing_is_found_where_nobody_changed_anything(
    engine: Engine, kubectl: Kubectl, tmp_path: Path
) -> None:
    """With controllers, an HPA and a mutating webhook at work."""
    report = spec(engine, additions=AdditionPolicy.REPORT)
    with webhook_server(tmp_path / "webhook") as webhook:
        webhook.review = patch(_marked)
        with configured(webhook, "Mutating", kubectl, engine.namespace):
            engine.write("app/reviewed.yaml", config_map("reviewed", labels=REVIEWED))
            engine.apply(report)
            assert kubectl.live("configmap", "reviewed", engine.namespace)["data"]["admitted"] == "yes"
            looks = engine.check(report).result.verified
            for number in range(IDLE_PASSES):
                done = engine.check(report, verified={} if number % 10 == 9 else looks)
                drifted = [
                    (a.ref, a.verb, a.changes) for a in done.app.plan.actions if a.drifted or a.verb.writes
                ]
                assert not drifted
                assert done.writes == 0
                looks = done.result.verified
