# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent as it runs: a real API server, a real forge, and nobody who calls a playbook."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.controller.loops.token_renewal import AgentCredentials, renew
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.tests.support.agent.agent_fleet import AgentFleet as Fleet
from ansible_collections.plumb.gitops.tests.support.agent.process import (
    AgentProcess,
    command_of,
    running,
    until,
)
from ansible_collections.plumb.gitops.tests.support.ansible.report_schema import check_report
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.silent_server import SilentServer

NAMESPACE = "agent"
PASSWORD = "correct-horse-battery"


def config_map(greeting: str, name: str = "settings") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{greeting: {greeting}}}\n"


SECRET = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: key}}\nstringData: {{password: {PASSWORD}}}\n"


@pytest.fixture(scope="module")
def fleet(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One agent for the tests of this file that leave it running; it polls each second and is due once an hour."""
    fleet = Fleet(sandbox, tmp_path_factory.mktemp("agent"), "agent-fleet")
    fleet.repository.commit({"app/config.yaml": config_map("hello"), "app/secret.yaml": SECRET})
    (fleet.agent.folder / "ansible.cfg").write_text("[defaults]\ninventory = /nonexistent\nforks = none\n")
    plugins = fleet.agent.folder / "evil"
    plugins.mkdir()
    canary = fleet.agent.folder / "canary"
    (plugins / "evil.py").write_text(f"open({str(canary)!r}, 'w')\n")
    fleet.agent.environment = {
        "ANSIBLE_CALLBACK_PLUGINS": str(plugins),
        "ANSIBLE_CALLBACKS_ENABLED": "evil",
        "ANSIBLE_CONFIG": str(fleet.agent.folder / "ansible.cfg"),
        "K8S_AUTH_HOST": "https://nowhere.example",
    }
    fleet.agent.configure(runtime_dir=str(fleet.agent.folder / "run"), keep_reports=4)
    with running(fleet.agent) as agent:
        agent.await_run()
        yield fleet


def greeting(kubectl: Kubectl, name: str = "settings") -> str:
    live = kubectl.get("configmap", name, NAMESPACE)
    return live["data"]["greeting"] if live else ""


def test_it_brings_the_cluster_to_what_git_says_and_says_so_in_a_line(fleet: Fleet, kubectl: Kubectl) -> None:
    first = fleet.agent.runs()[0]
    assert " info " in first
    assert "reconciled  cluster=here revision=fleet@" in first
    assert "failed=0" in first
    assert "cause=started" in first
    assert greeting(kubectl)


def test_a_hostile_environment_and_working_directory_are_not_looked_at(fleet: Fleet) -> None:
    assert fleet.agent.runs()
    assert not (fleet.agent.folder / "canary").exists()


def test_a_push_starts_a_run_at_once_and_nothing_else_does(fleet: Fleet, kubectl: Kubectl) -> None:
    agent = fleet.agent
    before = len(agent.runs())
    until(lambda: not agent.at_work(), "only polls run")
    polls = time.monotonic() + 4
    while time.monotonic() < polls:  # some polls of a remote where nothing moved
        assert not any("fork_server" in command_of(pid) for pid in agent.at_work())
        time.sleep(0.05)
    assert len(agent.runs()) == before
    commit = fleet.repository.commit({"app/config.yaml": config_map("pushed")})
    line = agent.await_run(more_than=before)
    assert 'cause="fleet moved"' in line
    assert f"revision=fleet@{commit[:7]} changed=1" in line
    assert greeting(kubectl) == "pushed"


def test_an_app_is_suspended_resumed_and_synced_bycommand_of(fleet: Fleet, kubectl: Kubectl) -> None:
    agent = fleet.agent
    fleet.repository.commit({"app/config.yaml": config_map("before")})
    until(lambda: greeting(kubectl) == "before", "the commit before")
    assert agent.command("suspend", "--cluster", "here", "--app", "app") == (0, "suspend: app app of here\n")
    runs = len(agent.runs())
    fleet.repository.commit({"app/config.yaml": config_map("after")})
    agent.await_run(more_than=runs)
    assert greeting(kubectl) == "before"
    code, output = agent.command("sync", "--app", "app")
    assert code == 1
    assert "suspended. Resume it first" in output
    assert re.search(r"^here/app +suspended ", agent.command("status")[1], re.MULTILINE)
    assert agent.command("resume")[0] == 0
    until(lambda: greeting(kubectl) == "after", "the resumed app")
    kubectl("patch", "configmap", "settings", "-n", NAMESPACE, "-p", '{"data": {"greeting": "edited"}}')
    code, output = agent.command("sync", "--app", "app", "--wait")
    assert code == 0, output
    assert greeting(kubectl) == "after"
    code, output = agent.command("sync", "--cluster", "heer")
    assert code == 1
    assert "Did you mean here?" in output


def test_http_wants_the_token_for_what_is_not_health_or_metrics(fleet: Fleet) -> None:
    get = fleet.agent.get
    assert get("/healthz") == (200, "ok\n")
    assert get("/readyz") == (200, "ok\n")
    assert get("/api/v1/status")[0] == 401
    assert get("/api/v1/sync", token="sesam", body=b"{}")[0] == 401
    assert get("/api/v1/sync", token="sesame-sesame-sesame", body=b"[]")[0] == 400
    assert get("/api/v1/sync", token="sesame-sesame-sesame", body=b'{"clutser": "here"}')[0] == 400
    assert (
        get("/api/v1/sync", token="sesame-sesame-sesame", body=b'{"app": "' + b"a" * 10_000 + b'"}')[0] == 413
    )
    status, text = get("/api/v1/status", token="sesame-sesame-sesame")
    assert status == 200
    (cluster,) = json.loads(text)["clusters"]
    assert cluster["last_run"]["result"] == "succeeded"
    assert [app["name"] for app in cluster["apps"]] == ["app"]


def test_no_secret_is_in_the_runners_files_nor_in_what_is_kept(fleet: Fleet) -> None:
    agent = fleet.agent
    hidden = (PASSWORD.encode(), base64.b64encode(PASSWORD.encode()), b"sesame-sesame-sesame")
    runs, looked = len(agent.runs()), 0
    agent.get("/api/v1/sync", token="sesame-sesame-sesame", body=b"{}")
    while len(agent.runs()) == runs:
        for file, content in _contents(agent.runtime):
            looked += 1
            assert not any(word in content for word in hidden), file
    assert looked
    assert len(list(agent.runtime.iterdir())) == 1, "the folder of what forks the runs"
    for file in agent.state.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # the run is told of before the oldest report is dropped
            assert file.is_dir() or not any(word in file.read_bytes() for word in hidden), file
            assert file.stat().st_mode & 0o077 == 0, file


def test_reports_are_bounded_and_measured(fleet: Fleet, kubectl: Kubectl) -> None:
    agent = fleet.agent
    kubectl("patch", "configmap", "settings", "-n", NAMESPACE, "-p", '{"data": {"greeting": "edited"}}')
    for _run in range(3):
        assert agent.command("sync", "--wait")[0] == 0
    reports = list((agent.state / "reports" / "here").iterdir())
    assert len(reports) == 4
    for report in reports:
        check_report(json.loads(report.read_text(encoding="utf-8")))
    series = agent.series()
    assert series['plumb_runs_total{cluster="here",result="succeeded"}'] == len(agent.runs())
    assert series['plumb_run_seconds_count{cluster="here"}'] == len(agent.runs())
    assert series['plumb_objects{cluster="here"}'] == 2
    assert series['plumb_drift_total{cluster="here"}'] >= 1
    assert series['plumb_last_successful_run_age_seconds{cluster="here"}'] < 60
    assert sum(name.startswith("plumb_revision_info") for name in series) == 1
    assert series["plumb_leader"] == 1
    assert agent.resident() < 120 * 1024 * 1024


def test_a_wrong_file_is_refused_and_a_right_one_taken(fleet: Fleet, kubectl: Kubectl) -> None:
    agent = fleet.agent
    seen = len(agent.lines())
    fleet.write(plumb_apsp=[])
    agent.send(signal.SIGHUP)
    line = agent.await_line("reload refused", after=seen)
    assert "did you mean 'plumb_apps'?" in line
    agent.configure(intervall="1s")
    assert "Did you mean interval?" in agent.await_line("reload refused", "intervall", after=seen)
    assert agent.command("status")[0] == 2  # the commands read the same file
    assert agent.get("/healthz")[0] == 200
    del agent.words["intervall"]
    agent.configure()
    fleet.repository.commit({"more/config.yaml": config_map("more", "more")})
    fleet.write(plumb_apps=[fleet.app(), fleet.app(name="more", path="more")])
    agent.await_line('cause="inventory changed"', after=seen)
    assert greeting(kubectl, "more") == "more"
    copies = agent.state / "inventory"
    until(
        lambda: len(list(copies.glob("*/inventory.yml"))) == 1,
        "the copy of what is no longer in force is gone",
    )


def test_drift_is_reverted_at_the_interval(fleet: Fleet, kubectl: Kubectl) -> None:
    agent = fleet.agent
    agent.configure(interval="3s")
    agent.await_line("in force", "interval=3.0s")
    kubectl("patch", "configmap", "settings", "-n", NAMESPACE, "-p", '{"data": {"greeting": "edited"}}')
    agent.await_line("drifted=1", "cause=interval")
    assert greeting(kubectl) != "edited"
    agent.configure(interval="1h")
    agent.await_line("in force", "interval=1h")


def test_sigterm_ends_a_run_at_once_and_a_restart_goes_on(fleet: Fleet) -> None:
    agent = fleet.agent
    last = max((agent.state / "reports" / "here").iterdir()).name
    agent.get("/api/v1/sync", token="sesame-sesame-sesame", body=b"{}")
    until(lambda: any("runner_shim" in command_of(pid) for pid in agent.tree()), "a run")
    tree = agent.tree()
    assert agent.end() == 0
    assert not any(map(command_of, tree))
    assert list(agent.runtime.iterdir()) == []
    assert not list(agent.state.rglob(".*"))
    seen, runs = len(agent.lines()), len(agent.runs())
    agent.start()
    assert last in agent.await_line("last run", after=seen)
    assert "cause=started" in agent.await_run(more_than=runs)


def test_a_cluster_that_hangs_holds_up_no_other_and_its_run_is_ended_whole(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    fleet = Fleet(sandbox, tmp_path, "agent-hangs")
    fleet.repository.commit({"app/config.yaml": config_map("hello", "other")})
    agent = fleet.agent
    with SilentServer() as server:
        stuck = {
            "plumb_kubeconfig": None,
            "plumb_host": f"https://127.0.0.1:{server.port}",
            "plumb_api_key": "none",
        }
        app = fleet.app(name="hangs")
        fleet.write({"here": {}, "stuck": stuck}, plumb_apps=[app])
        agent.configure(interval="2s", run_timeout="20s", runtime_dir=str(agent.folder / "run"))
        with running(agent):
            agent.await_run(more_than=1)  # while the other one hangs
            tree = until(lambda: _tree_of_run(agent, server, 1), "a run asks the silent API server")
            assert "ended after 20s, its deadline" in agent.await_run("stuck")
            until(lambda: not any(map(command_of, tree)), "the run and all it started")
            agent.await_run("stuck", more_than=1)
            # Once more, and now the agent itself is killed.
            taken = server.connections
            tree = until(lambda: _tree_of_run(agent, server, taken + 1), "a run asks the silent API server")
            agent.end(signal.SIGKILL)
            until(lambda: not any(map(command_of, tree)), "all that the agent started")
            assert list(agent.runtime.iterdir())
            seen = len(agent.lines())
            agent.start()
            agent.await_line("last run", "cluster=here result=succeeded", after=seen)
            left = [folder.name for folder in agent.runtime.iterdir()]
            agent.await_run(more_than=len(agent.runs()))
            assert len(left) <= 3  # one for each cluster, and that of what they are forked from


def test_many_short_intervals_leave_memory_descriptors_and_files_flat(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """PLUMB_SOAK is the number of runs, each a whole one of no app; many more are in tests/unit/controller."""
    wanted = int(os.environ.get("PLUMB_SOAK", "10"))
    agent = AgentProcess(tmp_path / "agent")
    hosts: dict[str, Any] = {name: {} for name in ("one", "two")}
    agent.inventory(hosts, plumb_kubeconfig=str(sandbox.kubeconfig), plumb_cache_dir=str(tmp_path / "cache"))
    agent.configure(interval="10ms", keep_reports=2, runtime_dir=str(agent.folder / "run"))

    def count() -> int:
        return sum(len(agent.runs(name)) for name in hosts)

    def measured() -> tuple[int, int, int]:
        files = sum(1 for file in agent.folder.rglob("*") if agent.runtime not in file.parents)
        return agent.resident(), len(list(Path(f"/proc/{agent.pid}/fd").iterdir())), files

    with running(agent):
        until(lambda: count() >= min(wanted // 2, 100), "the first runs", 600)
        memory, descriptors, files = measured()
        until(lambda: count() >= wanted, "the soak", 3600)
        after = measured()
        assert after[0] - memory < 4 * 1024 * 1024
        assert after[1] <= descriptors + 8  # those of the runs that are under way
        assert after[2] <= files + 4  # a file that is being written
        assert not any(" error " in line for line in agent.lines())


def _contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The files below a folder, as far as they are still there. A pipe holds nothing, and who opens it would wait."""
    for where, _folders, names in os.walk(folder):
        for file in (Path(where, name) for name in names):
            try:
                if file.is_file():
                    yield file, file.read_bytes()
            except OSError:
                continue


def _tree_of_run(agent: AgentProcess, server: SilentServer, connections: int) -> list[int]:
    """The agent's process tree, once the server has taken so many connections, and a run is in it."""
    tree = agent.at_work() if server.connections >= connections else []
    return tree if any("runner_shim" in command_of(pid) for pid in tree) else []


def test_of_two_agents_one_works_and_the_other_takes_over(sandbox: Sandbox, tmp_path: Path) -> None:
    first = Fleet(sandbox, tmp_path / "first", "agent-pair")
    first.repository.commit({"app/config.yaml": config_map("hello", "pair")})
    agents = [first.agent, AgentProcess(tmp_path / "second")]
    agents[1].configure(inventory=first.agent.words["inventory"])
    first.write(plumb_apps=[first.app(name="pair")])
    election = {
        "kubeconfig": str(sandbox.kubeconfig),
        "namespace": "default",
        "name": "pair",
        "duration": "4s",
    }
    for agent in agents:
        agent.configure(leader_election={**election, "retry": "1s"}, interval="2s")
    with running(agents[0]) as working:
        working.await_line("leading")
        working.await_run()
        with running(agents[1]) as other:
            other.await_line("in force")
            assert working.series()["plumb_leader"] == 1
            working.await_run(more_than=len(working.runs()) + 1)
            assert other.series()["plumb_leader"] == 0
            assert other.runs() == []
            assert other.get("/readyz") == (200, "ok\n")
            assert working.end() == 0
            other.await_run()
            assert other.series()["plumb_leader"] == 1


def test_a_token_is_renewed_when_half_of_its_life_is_over(
    sandbox: Sandbox, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    kubectl("create", "serviceaccount", "agent", "-n", namespace)
    allowed = ("--verb=create", "--resource=serviceaccounts/token", "--resource-name=agent")
    kubectl("create", "role", "renews", "-n", namespace, *allowed)
    kubectl(
        "create",
        "rolebinding",
        "renews",
        "-n",
        namespace,
        "--role=renews",
        f"--serviceaccount={namespace}:agent",
    )
    token = tmp_path / "token"
    token.write_text(kubectl("create", "token", "agent", "-n", namespace, "--duration=10m"))
    config = yaml.safe_load(sandbox.kubeconfig.read_text(encoding="utf-8"))
    config["users"] = [{"name": entry["name"], "user": {"tokenFile": "token"}} for entry in config["users"]]
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    access, now, old = AgentCredentials(file, ""), time.time(), token.read_text()
    assert renew(access, now) == ""
    assert token.read_text() == old
    assert renew(access, now + 310) == f"{namespace}/agent"
    assert token.read_text() != old
    assert token.stat().st_mode & 0o777 == 0o600
    assert f"system:serviceaccount:{namespace}:agent" in Kubectl(file)("auth", "whoami")
    with pytest.raises(InputError, match="it has expired"):
        renew(access, now + 1300)
