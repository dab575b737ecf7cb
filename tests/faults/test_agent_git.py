# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running agent whose Git fails, or whose Git and environment are hostile (rows 42, 50 and 56 of the list of faults).

The engine's part of these rows is in test_git_down.py, test_hostile_content.py and tests/unit/source. One agent goes
through all of it here, with a hostile environment from its start, and is as well afterwards as before.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.tests.support.agent.agent_on_git import FollowedGit, followed_git
from ansible_collections.plumb.gitops.tests.support.agent.process import until
from ansible_collections.plumb.gitops.tests.support.cluster.audit_log import Audit
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.faults.hostile_repository import (
    Canary,
    environment,
    evil_kubeconfig,
    for_ansible,
    shipped,
)
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer, Reply, Request
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map

CONFIG = "clusters/here.yml"


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Canary:
    return Canary(tmp_path_factory.mktemp("canary"))


@pytest.fixture(scope="module")
def fleet(
    sandbox: Sandbox, canary: Canary, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FollowedGit]:
    """An agent that polls each second, is due once an hour, and follows an app and a config in Git."""
    with followed_git(sandbox, tmp_path_factory.mktemp("agent-git")) as made:
        place = canary.file.parent
        made.agent.environment = environment(canary, place) | for_ansible(canary, place / "home")
        (made.agent.folder / "ansible.cfg").write_text("[defaults]\nforks = none\n", encoding="utf-8")
        made.push({"all.yaml": config_map("c")}, clusters={"here.yml": "plumb_apps: []\n"})
        made.follow(
            plumb_sources=[made.source(timeout="3s")],
            plumb_config={"source": "fleet", "path": CONFIG},
        )
        made.agent.start()
        assert "failed=0" in made.agent.await_run()
        yield made


def in_git(fleet: FollowedGit, value: str, *names: str) -> dict[str, Any]:
    """The app's files with ConfigMaps of these names and a value that only this commit has."""
    return {"all.yaml": "".join(config_map(name, {"a": value}) for name in names)}


def value_of(kubectl: Kubectl, fleet: FollowedGit, name: str = "c") -> str:
    live = kubectl.get("configmap", name, fleet.namespace)
    return str(live["data"]["a"]) if live else ""


def _unavailable(server: GitServer) -> Callable[[], None]:
    server.intercept = lambda _request: Reply(503)
    return lambda: None


def _cut(server: GitServer) -> Callable[[], None]:
    server.cut_after = 40
    return lambda: None


def _slow(server: GitServer) -> Callable[[], None]:
    """Answers come only when somebody lets them; the returned function does."""
    gate = threading.Event()

    def hold(_request: Request) -> Reply | None:
        gate.wait(60)
        return None

    server.intercept = hold
    return gate.set


@pytest.mark.parametrize("fail", [_unavailable, _cut, _slow], ids=["down", "truncated", "slow"])
def test_row_42_while_git_fails_the_agent_keeps_the_last_verified_revision_and_is_well(
    fleet: FollowedGit, kubectl: Kubectl, sandbox: Sandbox, fail: Callable[[GitServer], Callable[[], None]]
) -> None:
    before = fleet.push(in_git(fleet, f"before {fail.__name__}", "c", "left"), clusters=_no_apps())
    until(lambda: value_of(kubectl, fleet, "left") == f"before {fail.__name__}", "the commit before")
    until(lambda: _commit_told(fleet) == before, "the end of its run")
    audit = Audit(sandbox.audit_log)
    let_go = fail(fleet.server)
    try:
        after = fleet.push(in_git(fleet, f"after {fail.__name__}", "c", "new"), clusters=_no_apps())
        audit.writes()
        line = fleet.sync()
        assert " error " in line
        assert "source fleet" in line
        assert audit.writes() == []
        assert value_of(kubectl, fleet) == value_of(kubectl, fleet, "left") == f"before {fail.__name__}"
        kubectl("patch", "configmap", "c", "-n", fleet.namespace, "-p", '{"data": {"a": "edited"}}')
        assert "drifted=1" in fleet.sync(), "Git is not needed to see drift from it"
        assert value_of(kubectl, fleet) == f"before {fail.__name__}"
        assert _commit_told(fleet) == before
        fleet.is_well()
    finally:
        fleet.server.intercept, fleet.server.cut_after = (lambda _request: None), None
        let_go()
    until(lambda: value_of(kubectl, fleet, "new") == f"after {fail.__name__}", "the commit meanwhile")
    until(lambda: _commit_told(fleet) == after, "the end of its run")
    assert kubectl.get("configmap", "left", fleet.namespace) is None


def _no_apps() -> dict[str, str]:
    return {"here.yml": "plumb_apps: []\n"}


def _commit_told(fleet: FollowedGit) -> str:
    """The only commit that the metrics name."""
    (name,) = [name for name in fleet.agent.series() if name.startswith("plumb_revision_info")]
    return name.partition('commit="')[2].partition('"')[0]


def test_row_50_what_a_repository_ships_and_a_hostile_environment_run_nothing(
    fleet: FollowedGit, kubectl: Kubectl, canary: Canary
) -> None:
    root = shipped(canary)
    beside = {name: content for name, content in root.items() if not name.endswith((".yml", ".yaml"))}
    app = {"all.yaml": config_map("c", {"a": "shipped"}), "kustomization.yaml": "resources: [all.yaml]\n"}
    commit = fleet.push({**beside, **app}, **root, clusters=_no_apps())
    until(lambda: _commit_told(fleet) == commit, "the run of the commit")
    assert value_of(kubectl, fleet) == "shipped"
    assert "failed=0" in fleet.sync()
    assert not canary.sings()
    fleet.is_well()


def _untrusted(fleet: FollowedGit, folder: Path) -> Mapping[str, Any]:
    """What a config in Git may not say, by what the agent says of it: one word for each rule of interface/config.py."""
    more = fleet.app(name="more", path="more")
    other = {"name": "other", "url": fleet.server.url("fleet.git"), "branch": "main"}
    return {
        "'plumb_kubeconfig' is unknown": {"plumb_apps": [more], "plumb_kubeconfig": str(folder / "evil.kubeconfig")},
        "token_file names a file of this machine": {
            "plumb_sources": [{**other, "token_file": str(folder / "secret")}], "plumb_apps": [more],
        },
        "option 'validate_certs' is unknown": {
            "plumb_sources": [{**other, "validate_certs": False}], "plumb_apps": [more],
        },
        "allow_http": {
            "plumb_sources": [{**other, "url": "http://git.example.com/x.git"}], "plumb_apps": [more],
        },
    }  # fmt: skip


def test_row_56_a_config_in_git_names_no_kubeconfig_no_file_and_no_insecure_way(
    fleet: FollowedGit, kubectl: Kubectl, canary: Canary
) -> None:
    folder = canary.file.parent
    (folder / "evil.kubeconfig").write_text(evil_kubeconfig(str(folder / "evil")), encoding="utf-8")
    (folder / "secret").write_text("hunter-of-this-machine", encoding="utf-8")
    evil = {"config.yaml": config_map("more"), ".kube": {"config": evil_kubeconfig(str(folder / "evil"))}}
    for number, (message, config) in enumerate(_untrusted(fleet, folder).items()):
        commit = fleet.push(
            in_git(fleet, f"beside {number}", "c"),
            clusters={"here.yml": yaml.safe_dump(config)},
            more=evil,
        )
        line = fleet.agent.await_line(" error ", f"fleet@{commit[:7]}")
        assert message in line, line
        assert value_of(kubectl, fleet) == f"beside {number}", "the last good config is at work"
        assert kubectl.get("configmap", "more", fleet.namespace) is None
    assert not canary.sings()
    assert not any("hunter-of-this-machine" in json.dumps(line) for line in fleet.agent.lines())
    assert all(not request.authorization for request in fleet.server.requests)
    fleet.is_well()
