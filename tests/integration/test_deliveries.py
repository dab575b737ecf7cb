# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an agent tells others is delivered outside of its runs (row 68): slow, silent and failing receivers, hooks."""

from __future__ import annotations

import json
import signal
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.tests.support.agent.agent_fleet import AgentFleet
from ansible_collections.plumb.gitops.tests.support.agent.agent_on_git import FollowedGit, followed_git
from ansible_collections.plumb.gitops.tests.support.agent.process import running, until
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.faults.proxy import (
    Effect,
    ProxyResponse,
    proxy_before_forge,
)
from ansible_collections.plumb.gitops.tests.support.faults.slow_receiver import (
    Answer,
    SlowReceiver,
    slow_receiver,
)
from ansible_collections.plumb.gitops.tests.support.git.forge import ForgeApi
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map

SLOW = (Answer.DRIPPING_HEADER, Answer.DRIPPING_BODY, Answer.SILENT)


@dataclass(slots=True)
class Reporting:
    """An agent that notifies receivers, and the receivers by name."""

    fleet: FollowedGit
    folder: Path
    receivers: Mapping[str, SlowReceiver]

    def follow(self, **variables: Any) -> None:
        """Put an inventory in force that names the receivers."""
        notifications = []
        for name, receiver in self.receivers.items():
            file = self.folder / f"{name}-address"
            file.write_text(receiver.url, encoding="utf-8")
            notifications.append(
                {"name": name, "severity": "info", "webhook_url_file": str(file), "timeout": "3s"}
            )
        self.fleet.follow(plumb_notifications=notifications, **variables)

    def cluster(self) -> dict[str, Any]:
        """Return what the agent's status says of the cluster."""
        _status, text = self.fleet.agent.get("/api/v1/status", token=self.fleet.token)
        cluster: dict[str, Any]
        (cluster,) = json.loads(text)["clusters"]
        return cluster

    def deliveries(self) -> list[dict[str, Any]]:
        """Return what the agent's status says of what waits."""
        waiting: list[dict[str, Any]] = self.cluster()["deliveries"]
        return waiting

    def idle(self) -> bool:
        """Return whether nothing waits to be delivered."""
        return not any(each["waiting"] for each in self.deliveries())

    def hook(self, name: str, *tasks: Mapping[str, Any]) -> str:
        """Return a file of tasks that first write their name to `events`."""
        note = {
            "name": "Write it down",
            "ansible.builtin.shell": {"cmd": f"echo {name} >> {self.folder}/events"},
            "changed_when": True,
        }
        file = self.folder / f"{name}.yml"
        file.write_text(yaml.safe_dump([note, *tasks]), encoding="utf-8")
        return str(file)

    def events(self) -> list[str]:
        """Return what hooks wrote down."""
        file = self.folder / "events"
        return file.read_text(encoding="utf-8").split() if file.exists() else []


@pytest.fixture
def reporting(sandbox: Sandbox, tmp_path: Path) -> Iterator[Reporting]:
    with ExitStack() as stack:
        receivers = {name: stack.enter_context(slow_receiver()) for name in ("team", "slow")}
        fleet = stack.enter_context(followed_git(sandbox, tmp_path))
        yield Reporting(fleet, tmp_path, receivers)


@pytest.mark.parametrize("answer", SLOW)
def test_68_a_slow_receiver_holds_up_neither_runs_nor_others(reporting: Reporting, answer: Answer) -> None:
    fleet, slow, team = reporting.fleet, reporting.receivers["slow"], reporting.receivers["team"]
    slow.answer = answer
    fleet.push({"a.yaml": config_map("a")})
    reporting.follow()
    fleet.agent.start()
    fleet.agent.await_run()
    until(lambda: slow.requests, "the slow receiver is asked")
    until(lambda: team.titles == ["here: 1 changed"], "the other one is told")
    runs = len(fleet.agent.runs())
    fleet.push({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    fleet.agent.await_run(more_than=runs)
    until(lambda: len(team.titles) == 2, "the other one is told of the next commit, too")
    (waiting,) = until(
        lambda: [each for each in reporting.deliveries() if each["why"]], "the status shows why"
    )
    assert waiting["receiver"] == "slow"
    assert waiting["waiting"] == 2
    assert waiting["since"]
    assert waiting["next_try"]
    # By the deadline of the exchange, or by that of the whole delivery, where each byte begins it anew.
    assert "notification slow: sending a notification" in waiting["why"] or "of a delivery" in waiting["why"]
    fleet.agent.await_line("not reported", "receiver=slow")
    series = 'plumb_deliveries_waiting{cluster="here"}'
    until(lambda: fleet.agent.series()[series] == 2, "only the slow one's wait")
    fleet.is_well()


def test_68_what_failed_is_delivered_once_after_a_restart(reporting: Reporting) -> None:
    fleet, slow, team = reporting.fleet, reporting.receivers["slow"], reporting.receivers["team"]
    slow.answer = Answer.UNAVAILABLE
    fleet.push({"a.yaml": config_map("a")})
    reporting.follow()
    fleet.agent.start()
    fleet.agent.await_line("not reported", "receiver=slow", "503")
    fleet.agent.end(signal.SIGKILL)
    assert slow.messages == []
    slow.answer = Answer.AT_ONCE
    fleet.agent.start()
    until(lambda: slow.titles == ["here: 1 changed"], "it is told after all")
    fleet.agent.await_line("reported again", "receiver=slow")
    until(reporting.idle, "nothing waits")
    fleet.sync()
    until(reporting.idle, "nothing waits")
    assert slow.titles == team.titles == ["here: 1 changed"]
    folder = fleet.agent.state / "deliveries" / "here"
    until(lambda: [file.name for file in folder.iterdir()] == ["queues"], "no record is left")


def dripping(until_event: threading.Event) -> Effect:
    """Answer with a body of which a byte comes every half second."""

    def bytes_of_body() -> Iterator[bytes]:
        while not until_event.wait(0.5):
            yield b" "

    return lambda _asked, _forward: ProxyResponse(
        200, {"Content-Type": "application/json"}, b"", bytes_of_body()
    )


def test_68_statuses_are_set_when_a_forge_that_drips_is_well_again(sandbox: Sandbox, tmp_path: Path) -> None:
    name, ended = f"drips-{uuid.uuid4().hex[:8]}", threading.Event()
    with proxy_before_forge(sandbox, tmp_path) as proxy:
        fleet = AgentFleet(sandbox, tmp_path, name, f"t-{uuid.uuid4().hex[:10]}")
        address = fleet.repository.url.replace(sandbox.forge_url, proxy.url)
        token = str(fleet.repository.token_file)
        forge = {"kind": "gitea", "url": proxy.url, "token_file": token, "timeout": "3s"}
        fleet.write(plumb_sources=[fleet.source(url=address)], plumb_forge=forge, plumb_commit_status=True)
        api = ForgeApi(sandbox, f"{sandbox.forge_user}/{name}")

        def states(commit: str) -> list[str]:
            answer = api.repo(f"/commits/{commit}/statuses")
            return [status["status"] for status in sorted(answer, key=lambda status: status["id"])]

        first = fleet.repository.commit({"app/a.yml": config_map("a")})
        with running(fleet.agent) as agent:
            until(lambda: states(first)[-1:] == ["success"], "a commit that is well gets its status")
            fault = proxy.fault("GET", r"^/api/v1/.*statuses", dripping(ended), times=3)
            second = fleet.repository.commit({"app/b.yml": config_map("b")})
            until(lambda: fault.met, "the forge is asked, and drips")
            third = fleet.repository.commit({"app/c.yml": config_map("c")})
            until(lambda: any(third[:7] in line for line in agent.runs()), "the next commit is applied")
            agent.end(signal.SIGKILL)
            agent.start()
            ended.set()
            fault.times = 0
            until(lambda: states(third)[-1:] == ["success"], "it is set after all")
            status, _text = agent.get("/healthz")
            assert status == 200
        assert states(third).count("success") == 1
        assert states(second).count("success") <= 1


def test_66_a_hook_that_hangs_holds_up_no_revert(reporting: Reporting, kubectl: Kubectl) -> None:
    fleet, folder = reporting.fleet, reporting.folder
    wait = {
        "name": "Wait to be let go on",
        "ansible.builtin.wait_for": {"path": str(folder / "go"), "timeout": 600},
    }
    hooks = {
        "before_sync": reporting.hook("before", wait),
        "on_drift": reporting.hook("drift"),
        "after_sync": reporting.hook("after", wait),
    }
    (folder / "go").touch()
    fleet.push({"a.yaml": config_map("a")})
    reporting.follow(plumb_hooks=hooks)
    fleet.agent.configure(watch=True)
    fleet.agent.start()
    fleet.agent.await_run()
    until(lambda: reporting.events() == ["before", "after"], "both hooks ran")
    until(reporting.idle, "nothing waits")

    (folder / "go").unlink()
    fleet.push({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    until(lambda: reporting.events() == ["before", "after", "before"], "the hook of the commit hangs")
    runs = len(fleet.agent.runs())
    kubectl("delete", "configmap", "a", "-n", fleet.namespace)
    line = fleet.agent.await_run(more_than=runs)
    assert "changed=1 drifted=1" in line
    assert "change seen" in line
    until(lambda: reporting.events()[3:] == ["drift"], "the drift is told, the hooks of a sync are not run")
    assert reporting.cluster()["before_sync_since"]
    assert "configmap/b" not in kubectl("get", "configmap", "-n", fleet.namespace, "-o", "name")
    (folder / "go").touch()
    fleet.agent.await_run(more_than=runs + 1)
    until(lambda: reporting.events()[3:] == ["drift", "after"], "the sync is made, and its hook after it")
    fleet.is_well()


def test_66_a_hook_that_fails_or_hangs_fails_its_sync(reporting: Reporting, kubectl: Kubectl) -> None:
    fleet = reporting.fleet
    hang = {"name": "Hang", "ansible.builtin.command": {"cmd": "sleep 600"}, "changed_when": False}
    fleet.push({"a.yaml": config_map("a")})
    reporting.follow(plumb_hooks={"before_sync": reporting.hook("before", hang)}, plumb_hook_timeout="5s")
    fleet.agent.start()
    line = fleet.agent.await_line("hook failed")
    assert "its deadline (plumb_hook_timeout)" in line
    assert "configmap/a" not in kubectl("get", "configmap", "-n", fleet.namespace, "-o", "name")
    assert reporting.cluster()["last_run"]["result"] == "deadline"
    refuse = {"name": "Refuse", "ansible.builtin.fail": {"msg": "not on a Friday"}}
    reporting.follow(plumb_hooks={"before_sync": reporting.hook("refusing", refuse)})
    fleet.agent.await_line("hook failed", "not on a Friday")
    assert not fleet.agent.runs()
    reporting.follow(plumb_hooks={"after_sync": reporting.hook("after", refuse)})
    assert "changed=1" in fleet.agent.await_run()
    fleet.agent.await_line("hook failed", "receiver=hooks", "not on a Friday")
    (hooks,) = [each for each in reporting.deliveries() if each["receiver"] == "hooks"]
    assert (hooks["waiting"], hooks["failed"]) == (0, 1), "it is not repeated, and shown"
