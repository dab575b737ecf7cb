# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Items of lists under another key, and what another applier adds (rows 101 and 104 of the list of faults)."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AdditionPolicy, DriftPolicy
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.forecasts import forecast, happened
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.manifests.bodies import plain, service, workload, write
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, manifest
from ansible_collections.plumb.gitops.tests.support.tampering.draws import examples
from ansible_collections.plumb.gitops.tests.support.tampering.edits import (
    changes_of,
    content,
    edit,
    live_of,
    made,
    replaced,
)

POD = "/spec/template/spec"
MAIN = f"{POD}/containers/0"
PORTS = [{"containerPort": 80}]
SIDE = {"name": "side", "image": "example.com/side:1"}

# By name: the manifest, the edit, what comes back, what goes.
RENAMED: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "container": (
        workload("container", {"ports": PORTS}, {}),
        replaced(f"{MAIN}/name", "other"),
        "spec.template.spec.containers[main]",
        "spec.template.spec.containers[other]",
    ),
    "init-container": (
        workload("init-container", {}, {"initContainers": [{"name": "one", "image": "i"}]}),
        replaced(f"{POD}/initContainers/0/name", "two"),
        "spec.template.spec.initContainers[one]",
        "spec.template.spec.initContainers[two]",
    ),
    "port": (
        workload("port", {"ports": PORTS}, {}),
        replaced(f"{MAIN}/ports/0/containerPort", 8888),
        "spec.template.spec.containers[main].ports[80/TCP]",
        "spec.template.spec.containers[main].ports[8888/TCP]",
    ),
    "protocol": (
        workload("protocol", {"ports": PORTS}, {}),
        replaced(f"{MAIN}/ports/0/protocol", "UDP"),
        "spec.template.spec.containers[main].ports[80/TCP]",
        "spec.template.spec.containers[main].ports[80/UDP]",
    ),
    "env": (
        workload("env", {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}, {}),
        replaced(f"{MAIN}/env/0/name", "Z"),
        "spec.template.spec.containers[main].env[A]",
        "spec.template.spec.containers[main].env[Z]",
    ),
    "mount": (
        workload(
            "mount",
            {"volumeMounts": [{"name": "v", "mountPath": "/x"}]},
            {"volumes": [{"name": "v", "emptyDir": {}}]},
        ),
        replaced(f"{MAIN}/volumeMounts/0/mountPath", "/y"),
        "spec.template.spec.containers[main].volumeMounts[/x]",
        "spec.template.spec.containers[main].volumeMounts[/y]",
    ),
    "service-port": (
        service("service-port", {"port": 80, "targetPort": 8080}),
        replaced("/spec/ports/0/port", 8888),
        "spec.ports[80/TCP]",
        "spec.ports[8888/TCP]",
    ),
    "named-service-port": (
        service("named-service-port", {"name": "http", "port": 80}, {"name": "metrics", "port": 81}),
        replaced("/spec/ports/0/port", 8888),
        "spec.ports[80/TCP]",
        "spec.ports[8888/TCP]",
    ),
    "account": (  # the server keeps the older name of the field equal
        workload("account", {}, {"serviceAccountName": "web"}),
        replaced(f"{POD}/serviceAccountName", "root"),
        "spec.template.spec.serviceAccountName",
        "spec.template.spec.serviceAccount",
    ),
}  # fmt: skip


@pytest.mark.parametrize("policy", [AdditionPolicy.REPORT, AdditionPolicy.IGNORE])
def test_row_104_the_key_of_an_item_changed_by_hand_is_reverted_and_both_are_named(
    engine: Engine, policy: AdditionPolicy
) -> None:
    spec = engine.spec(additions=policy)
    wanted = [body for body, *_rest in RENAMED.values()]
    write(engine, wanted)
    engine.apply(spec)
    for body, operation, _back, _gone in RENAMED.values():
        edit(engine, body, operation)
    check = engine.check(spec)
    before = {body["metadata"]["name"]: live_of(engine, body) for body in wanted}
    done = engine.apply(spec)
    assert not done.app.failed
    assert changes_of(check) == changes_of(done)
    for name, (body, _operation, back, gone) in RENAMED.items():
        (action,) = (a for a in done.app.plan.actions if a.ref.name == name)
        paths = {change.path for change in action.changes}
        assert {back, gone} <= paths, (name, paths)
        assert forecast(action) == happened(before[name], live_of(engine, body)), name
        assert content(live_of(engine, body)) == content(made(engine, body)), name
    assert engine.apply(spec).writes == 0


def test_row_104_with_drift_report_both_are_named_and_stay(engine: Engine) -> None:
    reporting = engine.spec(drift=DriftPolicy.REPORT)
    body, operation, back, gone = RENAMED["container"]
    write(engine, [body])
    engine.apply(reporting)
    edit(engine, body, operation)
    done = engine.apply(reporting)
    assert done.writes == 0
    assert {back, gone} <= {change.path for change in done.action("Deployment", "container").changes}


def test_row_104_an_addition_that_stands_for_nothing_stays(engine: Engine) -> None:
    body = workload("d", {"ports": PORTS, "env": [{"name": "A", "value": "1"}]}, {})
    write(engine, [body])
    engine.apply()
    more = {"name": "Z", "value": "1"}
    edit(engine, body, {"op": "add", "path": f"{POD}/containers/-", "value": SIDE})
    edit(engine, body, {"op": "add", "path": f"{MAIN}/env/-", "value": more}, replaced(f"{MAIN}/image", "x"))
    done = engine.apply()
    names = [c["name"] for c in live_of(engine, body)["spec"]["template"]["spec"]["containers"]]
    assert (done.app.failed, names) == (False, ["main", "side"])
    env = live_of(engine, body)["spec"]["template"]["spec"]["containers"][0]["env"]
    assert [variable["name"] for variable in env] == ["A", "Z"]
    assert engine.apply().writes == 0


def test_row_104_no_pod_ends_up_with_two_containers_on_one_port(engine: Engine) -> None:
    numbers = count()

    @examples(6, shrink=False)
    @given(st.data())
    def explore(data: st.DataObject) -> None:
        app = f"app-{next(numbers)}"
        spec = engine.spec(app)
        number = data.draw(st.integers(1, 3))
        containers: list[dict[str, Any]] = [
            {"name": f"c{i}", "image": f"example.com/c{i}:1", "ports": [{"containerPort": 8000 + i}]}
            for i in range(number)
        ]
        body = workload(app, {}, {"containers": containers})
        write(engine, [body], app)
        engine.apply(spec)
        edited = [dict(item) for item in containers]
        for item in data.draw(st.lists(st.sampled_from(edited), min_size=1, unique_by=id)):
            item["name"] += "-x"
            if data.draw(st.booleans()):
                item["image"] = "example.com/evil:1"
        edited = data.draw(st.permutations(edited))
        note(f"{containers} -> {edited}")
        edit(engine, body, replaced(f"{POD}/containers", edited))
        assert not engine.apply(spec).app.failed
        live = live_of(engine, body)["spec"]["template"]["spec"]["containers"]
        assert [item["name"] for item in live] == [item["name"] for item in containers]
        ports = [port["containerPort"] for item in live for port in item["ports"]]
        assert len(ports) == len({*ports})
        assert engine.apply(spec).writes == 0

    explore()


def test_row_101_what_another_applier_adds_is_removed_once_where_it_is_forced(
    engine: Engine, kubectl: Kubectl
) -> None:
    removing = engine.spec(additions=AdditionPolicy.REMOVE)
    forcing = engine.spec(additions=AdditionPolicy.REMOVE, force_conflicts=True)
    body = workload("d", {"ports": PORTS}, {})
    write(engine, [body, plain("c", {"a": "1"})])
    engine.apply(removing)
    main = {"name": "main", "image": "example.com/app:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]}
    theirs = manifest(
        "apps/v1",
        "Deployment",
        "d",
        metadata={"namespace": engine.namespace, "labels": {"team": "x"}},
        spec={"selector": {"matchLabels": {"app": "d"}}, "template": {"spec": {"containers": [main, SIDE]}}},
    )
    other = ("--server-side", "--field-manager=other", "--validate=false")
    kubectl.apply(theirs + config_map("c", {"theirs": "1"}, namespace=engine.namespace), *other)
    refused = engine.apply(removing)
    assert refused.writes == 0
    assert refused.action("ConfigMap", "c").verb is Verb.UNCHANGED
    added = {
        change.path: change.culprit.manager
        for action in refused.app.plan.actions
        for change in action.changes
        if change.culprit
    }
    assert added == {
        "data.theirs": "other",
        "metadata.labels.team": "other",
        "spec.template.spec.containers[side]": "other",
    }
    forecast = engine.check(forcing)
    done = engine.apply(forcing)
    assert not done.app.failed
    assert changes_of(forecast) == changes_of(done)
    assert live_of(engine, plain("c", {}))["data"] == {"a": "1"}
    assert content(live_of(engine, body)) == content(made(engine, body))
    again = engine.apply(forcing)
    assert (again.writes, again.app.drifted, again.verbs()) == (0, False, {})
