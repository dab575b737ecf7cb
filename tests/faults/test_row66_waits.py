# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 66: what does not become healthy, or is not gone, holds up nothing else of the agent."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.tests.support.agent.agent_fleet import AgentFleet
from ansible_collections.plumb.gitops.tests.support.agent.process import running, until
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import ForgeApi
from ansible_collections.plumb.gitops.tests.support.git.silent_server import SilentServer
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, manifest

NAMESPACE = "row66"
TOKEN = "sesame-sesame-sesame"
RELEASE = ("-n", NAMESPACE, "--type", "merge", "-p", '{"metadata":{"finalizers":null}}')
NUMBERS = itertools.count()
APPS = ("good", "sick", "web", "late", "held")


def deployment(name: str, *, sick: bool) -> str:
    labels = {"app": name}
    annotations = {"sandbox.plumb.gitops/outcome": "image-pull-error"} if sick else {}
    container = {"name": "main", "image": f"example.com/{name}:1"}
    template = {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {"containers": [container]},
    }
    return manifest(
        "apps/v1", "Deployment", name, spec={"selector": {"matchLabels": labels}, "template": template}
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """An agent that watches, with an app that is not healthy and others that have nothing to do with it."""

    fleet: AgentFleet
    kubectl: Kubectl

    def cluster(self) -> dict[str, Any]:
        _code, text = self.fleet.agent.get("/api/v1/status", token=TOKEN)
        cluster: dict[str, Any] = json.loads(text)["clusters"][0]
        return cluster

    def state(self, app: str) -> str:
        return str(self.cluster()["app_states"].get(app, {}).get("state", ""))

    def await_state(self, app: str, state: str) -> None:
        until(lambda: self.state(app) == state, f"app {app} is {state}")

    def value(self, name: str = "good") -> str:
        return str((self.kubectl.get("configmap", name, NAMESPACE) or {}).get("data", {}).get("key", ""))

    def waits(self, app: str) -> list[dict[str, Any]]:
        return [wait for wait in self.cluster()["health"] if wait["app"] == app]

    def edit_is_reverted(self) -> None:
        """Edit an object of the good app, and see it reverted by a run that the watch started."""
        runs = len(self.fleet.agent.runs())
        patch = json.dumps({"data": {"key": "edited"}})
        self.kubectl("patch", "configmap", "good", "-n", NAMESPACE, "--type", "merge", "-p", patch)
        line = self.fleet.agent.await_run(more_than=runs)
        assert 'cause="change seen" apps=good' in line
        assert self.value() == "1"


@pytest.fixture
def waiting(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Waiting]:
    fleet = AgentFleet(sandbox, tmp_path_factory.mktemp("row66"), f"row-66-{next(NUMBERS)}", NAMESPACE)
    fleet.repository.commit(
        {
            "good/all.yaml": config_map("good", {"key": "1"}),
            "sick/all.yaml": deployment("sick", sick=True),
            "web/all.yaml": config_map("web", {"key": "1"}),
            "late/all.yaml": deployment("late", sick=True),
            "held/all.yaml": config_map("held", {"key": "1"}, finalizers=["row66.example.com/held"]),
        }
    )
    options: dict[str, dict[str, Any]] = {
        "sick": {"timeout": "10m"},
        "web": {"depends_on": ["sick"]},
        "late": {"timeout": "4s"},
        "held": {"recreate": True},
    }
    apps = [fleet.app(name=name, path=name, **options.get(name, {})) for name in APPS]
    fleet.write(plumb_apps=apps)
    fleet.agent.configure(watch=True, interval="10m")
    kubectl = Kubectl(sandbox.kubeconfig)
    with running(fleet.agent) as agent:
        agent.await_run()
        yield Waiting(fleet, kubectl)
    if kubectl.get("configmap", "held", NAMESPACE):
        kubectl("patch", "configmap", "held", *RELEASE)
    kubectl("delete", "namespace", NAMESPACE)


def test_row_66_an_app_that_does_not_become_healthy_holds_up_no_other(waiting: Waiting) -> None:
    waiting.await_state("good", "in sync")
    assert waiting.state("sick") == "in progress"
    assert "Deployment row66/sick" in waiting.cluster()["app_states"]["sick"]["waits_for"]
    assert waiting.state("web") == "waiting for dependency"
    assert waiting.value("web") == ""  # what depends on it is not applied

    waiting.edit_is_reverted()
    waiting.fleet.repository.commit({"good/all.yaml": config_map("good", {"key": "2"})})
    until(lambda: waiting.value() == "2", "the commit of the other app")
    assert waiting.state("sick") == "in progress"

    (before,) = waiting.waits("sick")
    waiting.fleet.agent.end()
    waiting.fleet.agent.start()
    runs = len(waiting.fleet.agent.runs())
    waiting.fleet.agent.await_run(more_than=runs)
    (after,) = waiting.waits("sick")
    assert (after["began"], after["until"]) == (before["began"], before["until"])

    waiting.fleet.repository.commit({"sick/all.yaml": deployment("sick", sick=False)})
    waiting.await_state("sick", "in sync")
    waiting.await_state("web", "in sync")
    assert waiting.value("web") == "1"
    healthy, superseded = waiting.waits("sick")
    assert (healthy["result"], superseded["result"]) == ("healthy", "superseded")
    assert superseded["report"] == before["report"] != healthy["report"]


def test_row_66_an_app_whose_time_is_over_is_unhealthy_until_it_recovers(waiting: Waiting) -> None:
    waiting.await_state("late", "unhealthy")
    line = waiting.fleet.agent.await_line("not healthy", "app=late")
    assert "Deployment row66/late" in line
    assert "ErrImagePull" in line or "ImagePullBackOff" in line  # why, from its Pod
    waiting.fleet.repository.commit({"late/all.yaml": deployment("late", sick=False)})
    waiting.await_state("late", "in sync")
    assert [wait["result"] for wait in waiting.waits("late")] == ["healthy", "failed"]


def test_row_66_a_finalizer_that_nobody_clears_holds_up_no_other(waiting: Waiting) -> None:
    waiting.await_state("held", "in sync")
    kept = {"finalizers": ["row66.example.com/held"]}
    immutable = manifest("v1", "ConfigMap", "held", metadata=kept, data={"key": "1"}, immutable=True)
    waiting.fleet.repository.commit({"held/all.yaml": immutable})
    until(lambda: (waiting.kubectl.get("configmap", "held", NAMESPACE) or {}).get("immutable"), "immutable")
    waiting.fleet.repository.commit({"held/all.yaml": immutable.replace('"1"', '"2"')})
    waiting.await_state("held", "in progress")
    assert "being deleted" in waiting.cluster()["app_states"]["held"]["waits_for"]
    waiting.edit_is_reverted()
    assert waiting.state("held") == "in progress"
    waiting.kubectl("patch", "configmap", "held", *RELEASE)
    until(lambda: waiting.value("held") == "2", "it is created again")
    waiting.await_state("held", "in sync")

    waiting.fleet.repository.commit({"held/all.yaml": config_map("other", {"key": "1"})})  # it is pruned
    waiting.await_state("held", "in progress")
    assert waiting.value("other") == "1"
    assert "ConfigMap row66/held" in waiting.cluster()["app_states"]["held"]["waits_for"]
    waiting.edit_is_reverted()
    waiting.kubectl("patch", "configmap", "held", *RELEASE)
    waiting.await_state("held", "in sync")
    assert waiting.kubectl.get("configmap", "held", NAMESPACE) is None


def test_row_66_a_cluster_that_hangs_gives_its_turn_to_others(sandbox: Sandbox, tmp_path: Path) -> None:
    """With one turn at a time, and the cluster that hangs is the first to have it."""
    fleet = AgentFleet(sandbox, tmp_path, f"row-66-{next(NUMBERS)}", "row66-turns")
    fleet.repository.commit({"app/all.yaml": config_map("good", {"key": "1"})})
    with SilentServer() as silent:
        config = yaml.safe_load(sandbox.kubeconfig.read_text(encoding="utf-8"))
        for cluster in config["clusters"]:
            cluster["cluster"]["server"] = f"https://127.0.0.1:{silent.port}"
        (tmp_path / "hanging").write_text(yaml.safe_dump(config), encoding="utf-8")
        fleet.write(hosts={"a-hangs": {"plumb_kubeconfig": str(tmp_path / "hanging")}, "here": {}})
        fleet.agent.configure(max_runs=1)
        with running(fleet.agent) as agent:
            agent.await_run("here")
            assert not agent.runs("a-hangs")
    Kubectl(sandbox.kubeconfig)("delete", "namespace", "row66-turns", "--wait=false")


def test_row_66_a_commit_is_pending_until_its_app_is_healthy(sandbox: Sandbox, tmp_path: Path) -> None:
    """The status of a commit follows the health of what was applied, and not the end of the run."""
    name = f"row-66-{next(NUMBERS)}"
    fleet = AgentFleet(sandbox, tmp_path, name, "row66-status")
    forge = {"kind": "gitea", "url": sandbox.forge_url, "token_file": str(fleet.repository.token_file)}
    fleet.write(
        plumb_apps=[fleet.app(timeout="10m")],
        plumb_forge={**forge, "allow_http": True},
        plumb_commit_status=True,
    )
    api = ForgeApi(sandbox, f"{sandbox.forge_user}/{name}")

    def newest(commit: str) -> tuple[str, str]:
        statuses = sorted(api.repo(f"/commits/{commit}/statuses"), key=lambda status: status["id"])
        return (statuses[-1]["status"], statuses[-1]["description"]) if statuses else ("", "")

    sick = fleet.repository.commit({"app/all.yaml": deployment("web", sick=True)})
    fleet.agent.configure(watch=True, interval="10m")
    with running(fleet.agent) as agent:
        agent.await_run()
        until(lambda: "Deployment row66-status/web" in newest(sick)[1], "the status says what is waited for")
        assert newest(sick)[0] == "pending"
        mended = fleet.repository.commit({"app/all.yaml": deployment("web", sick=False)})
        until(lambda: newest(mended)[0] == "success", "the status of the commit that mends it")
        assert newest(sick)[0] == "pending"  # it never came to anything
    Kubectl(sandbox.kubeconfig)("delete", "namespace", "row66-status", "--wait=false")
