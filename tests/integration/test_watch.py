# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent watches: what people change is undone long before the interval, and nothing else starts a run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.plumb.gitops.tests.support.agent.agent_fleet import AgentFleet
from ansible_collections.plumb.gitops.tests.support.agent.process import running, until
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox

NAMESPACE = "watched"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, labels: {team: a}}\ndata: {greeting: hello}\n"
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {team: a}}
spec:
  replicas: 2
  minReadySeconds: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: main, image: "example.com/web:1"}
"""
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.watch.example.com}
spec:
  group: watch.example.com
  names: {kind: Gadget, plural: gadgets}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {spec: {type: object, properties: {size: {type: integer}}}}
"""
GADGET = "apiVersion: watch.example.com/v1\nkind: Gadget\nmetadata: {name: one}\nspec: {size: 3}\n"


KINDS = {
    "ConfigMap",
    "CustomResourceDefinition.apiextensions.k8s.io",
    "Deployment.apps",
    "Gadget.watch.example.com",
}


@dataclass(frozen=True, slots=True)
class Watched:
    """An agent that watches: its interval is ten minutes, so whatever it does at once a watch has told it."""

    fleet: AgentFleet
    kubectl: Kubectl

    @property
    def runs(self) -> int:
        return len(self.fleet.agent.runs())

    def drift(self) -> float:
        return self.fleet.agent.series()['plumb_drift_total{cluster="here"}']

    def settled(self) -> int:
        """Wait until nothing has run or been asked for for a while; how many runs there were by then."""
        seen, since = self.runs, time.monotonic()
        deadline = since + 120
        while time.monotonic() - since < 3:
            status = self.status()
            if self.runs != seen or status["running_since"]:
                seen, since = self.runs, time.monotonic()
            assert time.monotonic() < deadline, "\n".join(self.fleet.agent.lines())
            time.sleep(0.2)
        return seen

    def status(self) -> dict[str, Any]:
        _code, text = self.fleet.agent.get("/api/v1/status", token="sesame-sesame-sesame")
        cluster: dict[str, Any] = json.loads(text)["clusters"][0]
        return cluster

    @property
    def kinds(self) -> set[str]:
        return set(self.status()["watch"]["kinds"])

    def live(self, kind: str, name: str) -> dict[str, Any]:
        return self.kubectl.get(kind, name, NAMESPACE) or {}

    def reverted(self, holds: Callable[[], Any], what: str, *, counted: int = 1) -> None:
        """Wait until it is so again, and see that it came from a watch, and was counted once."""
        before = self.drift()
        runs = self.runs
        until(holds, what)
        line = self.fleet.agent.await_run(more_than=runs)
        assert 'cause="change seen" apps=app' in line, line
        self.settled()
        assert self.drift() == before + counted


@pytest.fixture(scope="module")
def watched(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    fleet = AgentFleet(sandbox, tmp_path_factory.mktemp("watch"), "agent-watches", NAMESPACE)
    files = {"app/config.yaml": CONFIG, "app/web.yaml": WEB, "app/crd.yaml": CRD, "app/gadget.yaml": GADGET}
    fleet.repository.commit(files)
    fleet.repository.commit({"quiet/config.yaml": CONFIG.replace("settings", "quiet")})
    apps = [
        fleet.app(additions="remove"),
        fleet.app(name="quiet", path="quiet", create_namespace=False, depends_on=["app"]),
    ]
    fleet.write(plumb_apps=apps)
    del fleet.agent.words["watch"]  # as it is where nothing is said
    fleet.agent.configure(interval="10m")
    with running(fleet.agent) as agent:
        agent.await_run()
        agent_watched = Watched(fleet, Kubectl(sandbox.kubeconfig))
        until(lambda: agent_watched.kinds >= KINDS, "all kinds are watched")
        agent_watched.settled()
        yield agent_watched


def _patch(kind: str, name: str, body: Any, *words: str) -> tuple[str, ...]:
    return ("patch", kind, name, "-n", NAMESPACE, "--type", "merge", "-p", json.dumps(body), *words)


def _image(watched: Watched) -> list[str]:
    containers = watched.live("deployment", "web")["spec"]["template"]["spec"]["containers"]
    return [container["image"] for container in containers]


def test_its_own_writes_and_status_start_no_run(watched: Watched) -> None:
    """A commit, its rollout with all that controllers write about it, and a status written by hand: one run.

    One more is made of the app that depends on it, as soon as the rollout is over.
    """
    runs = watched.settled()
    watched.fleet.repository.commit({"app/web.yaml": WEB.replace("web:1", "web:2")})
    watched.fleet.agent.await_line('cause="fleet moved"')
    until(lambda: _image(watched) == ["example.com/web:2"], "the commit")
    until(lambda: watched.live("deployment", "web")["status"].get("updatedReplicas") == 2, "the rollout")
    status = {"status": {"conditions": [{"type": "Odd", "status": "True"}]}}
    watched.kubectl(*_patch("deployment", "web", status, "--subresource", "status"))
    assert watched.settled() == runs + 2
    assert [line.partition("cause=")[2] for line in watched.fleet.agent.runs("here")[runs:]] == [
        '"fleet moved"',
        '"dependency healthy" apps=quiet',
    ]
    watched.fleet.repository.commit({"app/web.yaml": WEB})
    until(lambda: _image(watched) == ["example.com/web:1"], "the commit after it")
    assert watched.settled() == runs + 4


def _spy(container: str) -> dict[str, Any]:
    return {
        "spec": {"template": {"spec": {"containers": [{"name": container, "image": "example.com/spy:1"}]}}}
    }


EDITS: dict[str, tuple[tuple[str, ...], Callable[[Watched], bool]]] = {
    "a value of a ConfigMap": (
        _patch("configmap", "settings", {"data": {"greeting": "edited"}}),
        lambda watched: watched.live("configmap", "settings")["data"]["greeting"] == "hello",
    ),
    "a value under our own name": (
        _patch("configmap", "settings", {"data": {"greeting": "ours"}}, "--field-manager", "plumb"),
        lambda watched: watched.live("configmap", "settings")["data"]["greeting"] == "hello",
    ),
    "the number of replicas": (
        ("scale", "deployment", "web", "-n", NAMESPACE, "--replicas", "5"),
        lambda watched: watched.live("deployment", "web")["spec"]["replicas"] == 2,
    ),
    "an added label": (
        ("label", "deployment", "web", "-n", NAMESPACE, "who=me"),
        lambda watched: "who" not in watched.live("deployment", "web")["metadata"]["labels"],
    ),
    "an added container": (
        (*_patch("deployment", "web", _spy("spy"))[:6], "strategic", "-p", json.dumps(_spy("spy"))),
        lambda watched: _image(watched) == ["example.com/web:1"],
    ),
    "a removed field": (
        _patch("deployment", "web", {"spec": {"minReadySeconds": None}}),
        lambda watched: watched.live("deployment", "web")["spec"].get("minReadySeconds") == 1,
    ),
    "a removed label": (
        ("label", "configmap", "settings", "-n", NAMESPACE, "team-"),
        lambda watched: watched.live("configmap", "settings")["metadata"]["labels"].get("team") == "a",
    ),
    "our own label taken away": (
        ("label", "configmap", "settings", "-n", NAMESPACE, "applyset.kubernetes.io/part-of-"),
        lambda watched: (
            "applyset.kubernetes.io/part-of" in watched.live("configmap", "settings")["metadata"]["labels"]
        ),
    ),
    "a deleted object": (
        ("delete", "configmap", "settings", "-n", NAMESPACE),
        lambda watched: bool(watched.live("configmap", "settings")),
    ),
    "an object of a CRD's kind": (
        _patch("gadget", "one", {"spec": {"size": 4}}),
        lambda watched: watched.live("gadget", "one")["spec"]["size"] == 3,
    ),
    "wiped ownership": (
        _patch("configmap", "settings", {"metadata": {"managedFields": [{}]}}),
        lambda watched: any(
            entry["manager"] == "plumb" and entry["operation"] == "Apply"
            for entry in watched.live("configmap", "settings")["metadata"].get("managedFields", ())
        ),
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_somebody_changes_is_undone_without_the_interval_and_counted_once(
    watched: Watched, edit: str
) -> None:
    words, undone = EDITS[edit]
    watched.kubectl(*words)
    # That nobody owns its fields any more is mended, and is in itself no drift of a field.
    counted = int(edit != "wiped ownership")
    watched.reverted(lambda: undone(watched), f"undone: {edit}", counted=counted)


def test_an_edit_while_a_run_is_under_way_is_not_taken_for_its_own(watched: Watched) -> None:
    agent = watched.fleet.agent
    runs = watched.settled()
    agent.get("/api/v1/sync", token="sesame-sesame-sesame", body=b"{}")
    until(lambda: watched.status()["running_since"], "a run")
    for number in range(3):
        watched.kubectl(*_patch("configmap", "settings", {"data": {"greeting": f"edited {number}"}}))
    undone = EDITS["a value of a ConfigMap"][1]
    watched.settled()
    assert undone(watched)
    assert watched.runs > runs


def test_a_kind_that_comes_later_is_watched_too_and_one_that_goes_no_longer(watched: Watched) -> None:
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: reader}\nrules: []\n"
    kind = "Role.rbac.authorization.k8s.io"
    watched.fleet.repository.commit({"app/role.yaml": role})
    until(lambda: watched.live("role", "reader"), "the commit")
    until(lambda: kind in watched.kinds, "the new kind is watched")
    watched.settled()
    watched.kubectl("delete", "role", "reader", "-n", NAMESPACE)
    watched.reverted(lambda: bool(watched.live("role", "reader")), "it is there again")
    watched.fleet.repository.commit({"app/role.yaml": None})
    until(lambda: not watched.live("role", "reader"), "it is pruned")
    until(lambda: kind not in watched.kinds, "the kind is no longer watched")


def test_nothing_is_asked_or_run_while_nothing_happens(watched: Watched, sandbox: Sandbox) -> None:
    runs = watched.settled()

    def asked() -> int:
        with sandbox.audit_log.open(encoding="utf-8") as log:
            return sum('"userAgent":"plumb/' in line and NAMESPACE in line for line in log)

    before = asked()
    time.sleep(5)
    assert asked() == before
    assert watched.runs == runs


def test_a_suspended_app_is_not_touched(watched: Watched) -> None:
    agent = watched.fleet.agent
    assert agent.command("suspend", "--app", "quiet")[0] == 0
    runs = watched.settled()
    watched.kubectl(*_patch("configmap", "quiet", {"data": {"greeting": "edited"}}))
    assert watched.settled() == runs
    assert watched.live("configmap", "quiet")["data"]["greeting"] == "edited"
    assert agent.command("resume", "--app", "quiet")[0] == 0
    until(lambda: watched.live("configmap", "quiet")["data"]["greeting"] == "hello", "the resumed app")
    watched.settled()


def test_a_field_conflict_backs_off_and_is_logged(watched: Watched) -> None:
    """Somebody's loop edits a field again as soon as it was reverted."""
    agent = watched.fleet.agent
    seen = len(agent.lines())

    def edited() -> bool:
        if watched.live("configmap", "quiet")["data"]["greeting"] == "hello":
            watched.kubectl(*_patch("configmap", "quiet", {"data": {"greeting": "mine"}}))
        return any(" field conflict  " in line for line in agent.lines()[seen:])

    until(edited, "it is recognised")
    line = agent.await_line(" field conflict  ", after=seen)
    assert (
        'app=quiet object="ConfigMap watched/quiet" field=data.greeting manager=kubectl-patch reverts=3'
        in line
    )
    until(lambda: watched.live("configmap", "quiet")["data"]["greeting"] == "hello", "the last revert")
    runs = watched.settled()
    watched.kubectl(*_patch("configmap", "quiet", {"data": {"greeting": "mine"}}))
    (conflict,) = watched.status()["conflicts"]
    assert conflict["object"] == "ConfigMap watched/quiet"
    assert agent.series()['plumb_field_conflicts{cluster="here"}'] == 1
    # It waits half a minute; another app does not.
    watched.kubectl(*EDITS["a value of a ConfigMap"][0])
    until(lambda: EDITS["a value of a ConfigMap"][1](watched), "another app is set right at once")
    assert watched.live("configmap", "quiet")["data"]["greeting"] == "mine"
    until(lambda: watched.live("configmap", "quiet")["data"]["greeting"] == "hello", "the conflict goes on")
    agent.await_run(more_than=runs + 1)
    # Told once. The other app's object is edited all over this file, so that may have become a conflict by now, too.
    assert sum(" field conflict  " in line and "app=quiet" in line for line in agent.lines()[seen:]) == 1


def test_what_is_watched_is_measured(watched: Watched) -> None:
    agent = watched.fleet.agent
    series = agent.series()
    assert series['plumb_watch_objects{cluster="here"}'] >= 5
    assert 'plumb_watch_restarts_total{cluster="here"}' in series
    assert agent.resident() < 200 * 1024 * 1024
    assert watched.status()["watch"]["troubles"] == []
    assert not [line for line in agent.lines() if " error " in line]
