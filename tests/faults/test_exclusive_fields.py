# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Either-or fields whose other branch stands in the cluster (row 83 of the list of faults)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import DriftPolicy
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.manifests.bodies import workload, write
from ansible_collections.plumb.gitops.tests.support.manifests.exclusive_fields import CHOICE, EITHER_OR
from ansible_collections.plumb.gitops.tests.support.manifests.text import manifest
from ansible_collections.plumb.gitops.tests.support.tampering.draws import examples
from ansible_collections.plumb.gitops.tests.support.tampering.edits import (
    changes_of,
    content,
    edit,
    live_of,
    made,
    replaced,
)

MAIN = "/spec/template/spec/containers/0"
TABLE = {name: of.branches for name, of in EITHER_OR.items()}


@pytest.fixture(scope="module", autouse=True)
def choices(sandbox: Any) -> Iterator[None]:
    """A custom kind that takes one of three fields."""
    kubectl = Kubectl(sandbox.kubeconfig)
    kubectl.apply(json.dumps(CHOICE))
    kubectl("wait", "--for=condition=Established", f"crd/{CHOICE['metadata']['name']}", "--timeout=60s")
    yield
    kubectl("delete", "crd", CHOICE["metadata"]["name"])


def manifest_of(name: str, branch: int, suffix: str = "") -> dict[str, Any]:
    of = EITHER_OR[name]
    return of.make(f"{name}{suffix}", of.branches[branch])


def assert_as_wanted(engine: Engine, wanted: list[dict[str, Any]], spec: Any = None) -> None:
    """The check says what the run does, the objects are as if newly made, and then there is nothing to do."""
    chosen = [spec or engine.spec()]
    forecast = engine.check(*chosen)
    done = engine.apply(*chosen)
    assert not done.app.failed, [str(o.error) or o.action.reason for o in done.app.outcomes]
    assert changes_of(forecast) == changes_of(done)
    for body in wanted:
        assert content(live_of(engine, body)) == content(made(engine, body)), body["metadata"]["name"]
    again = engine.apply(*chosen)
    assert (again.writes, again.verbs()) == (0, {})


@pytest.mark.parametrize("first", [0, 1])
def test_row_83_a_commit_that_takes_another_branch_is_applied_and_one_set_by_hand_is_reverted(
    engine: Engine, first: int
) -> None:
    """All of the table at once; the branch that nobody owns is a default, the one set by hand an editor's."""
    before = [manifest_of(name, first) for name in TABLE]
    after = [manifest_of(name, 1 - first) for name in TABLE]
    write(engine, before)
    assert not engine.apply().app.failed
    for name, earlier, other in zip(TABLE, before, after, strict=True):
        if not TABLE[name][first]:
            continue  # Git says nothing there, so what somebody sets is an addition
        edit(engine, earlier, replaced("/spec", {**_comparable(live_of(engine, earlier)), **other["spec"]}))
    assert_as_wanted(engine, before)
    write(engine, after)
    assert_as_wanted(engine, after)


def _comparable(live: dict[str, Any]) -> dict[str, Any]:
    """What of a spec an editor leaves as it is: what the server has allocated."""
    return {
        key: value for key, value in live["spec"].items() if key in ("clusterIP", "clusterIPs", "ipFamilies")
    }


def test_row_83_any_branch_and_history(engine: Engine) -> None:
    seen: Counter[str] = Counter()
    numbers = count()

    @examples(8, shrink=False)
    @given(st.data())
    def explore(data: st.DataObject) -> None:
        app = f"app-{next(numbers)}"
        spec = engine.spec(app)
        chosen = data.draw(st.lists(st.sampled_from(sorted(TABLE)), min_size=3, max_size=3, unique=True))
        histories = [
            (
                name,
                *data.draw(st.tuples(*[st.integers(0, len(TABLE[name]) - 1)] * 3)),
                data.draw(st.booleans()),
            )
            for name in chosen
        ]
        note(f"{app}: {histories}")
        suffix = f"-{app}"
        write(engine, [manifest_of(name, first, suffix) for name, first, *_rest in histories], app)
        assert not engine.apply(spec).app.failed
        for name, _first, by_hand, last, edited in histories:
            if edited and TABLE[name][last]:
                body = manifest_of(name, by_hand, suffix)
                before = _comparable(live_of(engine, body))
                edit(engine, body, replaced("/spec", {**before, **body["spec"]}), manager="some-tool")
        wanted = [manifest_of(name, last, suffix) for name, _first, _by_hand, last, _edited in histories]
        write(engine, wanted, app)
        assert_as_wanted(engine, wanted, spec)
        seen.update(chosen)

    explore()
    assert len(seen) > len(TABLE) / 2, seen


def test_row_83_what_stands_beside_the_other_branch_stays(engine: Engine) -> None:
    """Only what the server refuses is dropped: an addition beside it is somebody's, and is reported as before."""
    body = workload("d", {"livenessProbe": {"tcpSocket": {"port": 80}}}, {})
    write(engine, [body])
    engine.apply()
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 33, "timeoutSeconds": 3}
    edit(engine, body, replaced(f"{MAIN}/livenessProbe", probe))
    done = engine.apply()
    live = live_of(engine, body)["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]
    assert (live["periodSeconds"], live["timeoutSeconds"], live["tcpSocket"]) == (33, 3, {"port": 80})
    assert "httpGet" not in live
    culprits = {c.path: c.culprit for c in done.action("Deployment", "d").changes}
    assert any(
        "httpGet" in path and culprit and culprit.manager == "kubectl-edit"
        for path, culprit in culprits.items()
    )
    assert engine.apply().writes == 0


def test_row_83_with_drift_report_the_other_branch_is_reported_and_stays(engine: Engine) -> None:
    reporting = engine.spec(drift=DriftPolicy.REPORT)
    body = workload("d", {"env": [{"name": "A", "value": "1"}]}, {})
    write(engine, [body])
    engine.apply(reporting)
    field = {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    edit(engine, body, replaced(f"{MAIN}/env/0", field))
    done = engine.apply(reporting)
    assert (done.writes, done.app.failed, done.app.drifted) == (0, False, True)
    assert done.action("Deployment", "d").verb is Verb.UNCHANGED
    assert "valueFrom" in live_of(engine, body)["spec"]["template"]["spec"]["containers"][0]["env"][0]


def test_row_83_the_branch_of_another_applier_is_named_and_taken_only_by_force(
    engine: Engine, kubectl: Kubectl
) -> None:
    body = workload("d", {"livenessProbe": {"tcpSocket": {"port": 80}}}, {})
    write(engine, [workload("d", {}, {})])
    engine.apply()
    container = {"name": "main", "livenessProbe": {"httpGet": {"path": "/", "port": 80}}}
    theirs = manifest(
        "apps/v1",
        "Deployment",
        "d",
        metadata={"namespace": engine.namespace},
        spec={"template": {"spec": {"containers": [container]}}},
    )
    kubectl.apply(theirs, "--server-side", "--field-manager=other", "--validate=false")
    write(engine, [body])
    refused = engine.apply().action("Deployment", "d")
    assert refused.verb is Verb.REFUSED
    assert "containers[main].livenessProbe.httpGet is held by other" in refused.reason
    assert "force_conflicts: true" in refused.reason
    assert_as_wanted(engine, [body], engine.spec(force_conflicts=True))


def test_row_83_what_is_invalid_for_another_reason_is_refused_as_before(engine: Engine) -> None:
    body = workload("d", {}, {}, strategy={"type": "Recreate"})
    write(engine, [workload("d", {}, {})])
    engine.apply()
    broken = workload("d", {"ports": [{"containerPort": 99999}]}, {}, strategy={"type": "Recreate"})
    write(engine, [broken])
    action = engine.apply().action("Deployment", "d")
    assert action.verb is Verb.REFUSED
    assert "containerPort" in action.reason
    write(engine, [body])
    assert_as_wanted(engine, [body])
