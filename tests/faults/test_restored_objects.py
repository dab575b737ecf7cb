# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that come back with another tool's entries, as from a backup (row 88 of the list of faults)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from copy import deepcopy
from itertools import count
from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.tests.support.cluster.api import api_of
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.manifests.bodies import (
    body,
    plain,
    pod_of,
    service,
    workload,
    write,
)
from ansible_collections.plumb.gitops.tests.support.tampering.draws import examples
from ansible_collections.plumb.gitops.tests.support.tampering.edits import edit, live_of, path_of, replaced

_NEVER_RESTORED = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation")
_MANAGERS = ("velero-server", "backup-tool", "kubectl-create", "kubectl-client-side-apply", "node-fetch")


def objects(app: str) -> list[dict[str, Any]]:
    return [
        workload(app, {"ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "1"}]}, {}, minReadySeconds=3),
        service(app, {"port": 80}),
        plain(app, {"a": "1", "b": "2"}),
        body("policy/v1", "PodDisruptionBudget", app, {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}),
        body("batch/v1", "Job", app, {"suspend": True, "template": {"spec": pod_of({}, {"restartPolicy": "Never"})}}),
    ]  # fmt: skip


def backup_of(live: Mapping[str, Any]) -> dict[str, Any]:
    """What a backup tool keeps of an object and writes back."""
    backup = deepcopy({key: value for key, value in live.items() if key != "status"})
    backup["metadata"] = {
        key: value for key, value in backup["metadata"].items() if key not in _NEVER_RESTORED
    }
    if backup["kind"] == "Job":  # as Velero does
        del backup["spec"]["selector"]
        backup["spec"]["template"]["metadata"]["labels"] = {}
    return backup


def bring_back(engine: Engine, backup: Mapping[str, Any], manager: str, *, apply: bool) -> None:
    api, path = api_of(engine.sandbox.kubeconfig), path_of(engine, backup)
    api.request("DELETE", path, {"propagationPolicy": "Background"})
    while api.request("GET", path)[0] != 404:
        time.sleep(0.02)
    if apply:
        status, answer = api.request(
            "PATCH", f"{path}?fieldManager={manager}", backup, content="application/apply-patch+yaml"
        )
    else:
        collection = path.rpartition("/")[0]
        status, answer = api.request("POST", f"{collection}?fieldManager={manager}", backup)
    assert status == 201, answer


def assert_quiet(engine: Engine, spec: Any) -> None:
    for _ in range(2):
        done = engine.apply(spec)
        assert (done.writes, done.verbs(), done.app.drifted) == (0, {}, False), done.app


def test_row_88_what_a_backup_brings_back_is_taken_back_without_false_drift(engine: Engine) -> None:
    numbers = count()

    @examples(8, shrink=False)
    @given(st.data())
    def explore(data: st.DataObject) -> None:
        app = f"app-{next(numbers)}"
        spec = engine.spec(app)
        write(engine, objects(app), app)
        assert not engine.apply(spec).app.failed
        backups = {body["kind"]: backup_of(live_of(engine, body)) for body in objects(app)}
        newer = objects(app)
        if data.draw(st.booleans(), label="Git has moved on since the backup"):
            del newer[0]["spec"]["minReadySeconds"], newer[2]["data"]["b"]
            newer[1]["spec"]["ports"][0]["port"] = 81
        write(engine, newer, app)
        engine.apply(spec)
        for kind in data.draw(st.lists(st.sampled_from(sorted(backups)), min_size=1, unique=True)):
            manager = data.draw(st.sampled_from(_MANAGERS))
            apply = data.draw(st.booleans()) and manager.startswith(("velero", "backup"))
            note(f"{kind} by {manager}, applied: {apply}")
            bring_back(engine, backups[kind], manager, apply=apply)
        done = engine.apply(spec)
        assert not done.app.failed, [f"{o.action.ref} {o.error} {o.action.reason}" for o in done.app.outcomes]
        assert_quiet(engine, spec)
        live = live_of(engine, newer[2])
        assert live["data"] == newer[2]["data"]
        assert live_of(engine, newer[0])["spec"].get("minReadySeconds") == newer[0]["spec"].get(
            "minReadySeconds"
        )
        edit(engine, newer[2], replaced("/data/a", "drift"))
        assert engine.apply(spec).app.drifted

    explore()


def test_row_88_client_side_kubectl_with_its_annotation(engine: Engine, kubectl: Kubectl) -> None:
    spec = engine.spec()
    write(engine, objects("app"))
    engine.apply(spec)
    for manifest in objects("app"):
        backup = backup_of(live_of(engine, manifest))
        kubectl("delete", manifest["kind"], "app", "-n", engine.namespace)
        kubectl.apply(json.dumps(backup))
    assert not engine.apply(spec).app.failed
    assert_quiet(engine, spec)
    annotations = live_of(engine, plain("app", {}))["metadata"]["annotations"]
    assert "kubectl.kubernetes.io/last-applied-configuration" not in annotations


def test_row_88_a_writer_of_our_label_alone_keeps_his_entry(engine: Engine) -> None:
    """Only who wrote our record as well has brought the object back; anybody may write a label."""
    write(engine, [plain("c", {"a": "1"})])
    engine.apply()
    backup = backup_of(live_of(engine, plain("c", {})))
    backup["metadata"]["annotations"] = {}
    bring_back(engine, backup, "tenant", apply=False)
    assert engine.apply().app.failed  # it is nobody's of ours
    managers = {entry["manager"] for entry in live_of(engine, plain("c", {}))["metadata"]["managedFields"]}
    assert managers == {"tenant"}
