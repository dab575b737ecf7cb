# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Row 67: Git servers that say nothing hold up nothing of the apps from others, and runs ask no Git server.

Orders of events and counts, no times: a remote that is silent at the end of a test was silent through all of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.tests.support.agent.agent_on_git import FollowedGit, followed_git
from ansible_collections.plumb.gitops.tests.support.agent.process import until
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.silent_server import SilentServer
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map

SILENT = 17
SECRET = "a secret of sixteen or more"


@dataclass(slots=True)
class Silence:
    """An agent that watches, with an app of a good source and others of sources that say nothing."""

    fleet: FollowedGit
    kubectl: Kubectl
    servers: list[SilentServer]

    def value(self, name: str = "good") -> str:
        live = self.kubectl.get("configmap", name, self.fleet.namespace)
        return str(live["data"]["a"]) if live else ""

    def sources(self) -> dict[str, dict[str, Any]]:
        _status, text = self.fleet.agent.get("/api/v1/status", token=self.fleet.token)
        return {source["name"]: source for source in json.loads(text)["sources"]}

    def push(self, value: str) -> str:
        return self.fleet.push({"all.yaml": config_map("good", {"a": value})})

    def edit_is_reverted(self, value: str) -> None:
        runs = len(self.fleet.agent.runs())
        self.kubectl(
            "patch", "configmap", "good", "-n", self.fleet.namespace, "-p", '{"data": {"a": "edited"}}'
        )
        self.fleet.agent.await_line(
            'cause="change seen"', after=0 if not runs else _lines_of(self.fleet, runs)
        )
        until(lambda: self.value() == value, "the revert")

    def follow(self, *, silent: int, needed: bool) -> None:
        """Follow the good source, and so many silent ones; whether an app is of each of them."""
        names = [f"silent-{number}" for number in range(silent)]
        sources = [
            {"name": name, "url": server.url, "branch": "main", "allow_http": True, "timeout": "10m"}
            for name, server in zip(names, self.servers, strict=False)
        ]
        apps = [self.fleet.app(name=name, source=name, path="x") for name in names if needed]
        good = self.fleet.app(name="good")
        self.fleet.follow(plumb_sources=[self.fleet.source(), *sources], plumb_apps=[good, *apps])


def _lines_of(fleet: FollowedGit, runs: int) -> int:
    """How many lines of the log there are up to the last of so many runs."""
    return fleet.agent.lines().index(fleet.agent.runs()[runs - 1]) + 1


@pytest.fixture
def silence(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Silence]:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(SilentServer()) for _number in range(SILENT)]
        fleet = stack.enter_context(followed_git(sandbox, tmp_path_factory.mktemp("row67")))
        secret = fleet.folder / "hook-secret"
        secret.write_text(SECRET, encoding="utf-8")
        hook = {"name": "fleet", "kind": "gitea", "secret_file": str(secret), "sources": ["fleet"]}
        fleet.agent.configure(
            watch=True,
            interval="1h",
            poll_interval="1s",
            http={**fleet.agent.words["http"], "webhooks": [hook]},
        )
        made = Silence(fleet, Kubectl(sandbox.kubeconfig), servers)
        made.push("1")
        yield made


@pytest.mark.parametrize(
    ("silent", "needed"),
    [(1, True), (SILENT, True), (SILENT, False)],
    ids=["one", "many", "many that no app needs"],
)
def test_row_67_silent_servers_hold_up_no_revert_and_no_commit_of_other_apps(
    silence: Silence, silent: int, needed: bool
) -> None:
    silence.follow(silent=silent, needed=needed)
    silence.fleet.agent.start()
    first = silence.fleet.agent.await_run()
    assert silence.value() == "1"
    assert ("it has not been pulled yet" in first) == needed
    until(
        lambda: silence.fleet.agent.series().get('plumb_watch_objects{cluster="here"}', 0) >= 1, "the watch"
    )
    silence.edit_is_reverted("1")
    silence.push("2")
    until(lambda: silence.value() == "2", "the commit")
    silence.edit_is_reverted("2")
    causes = [line.partition("cause=")[2] for line in silence.fleet.agent.runs()[1:]]
    assert any(cause.startswith('"fleet moved"') for cause in causes)
    assert all("apps=good" in line for line in silence.fleet.agent.runs()[1:] if needed), (
        "runs of just that app"
    )
    assert all("failed=0" in line for line in silence.fleet.agent.runs()[1:])
    states = silence.sources()
    names = [name for name in states if name.startswith("silent-")]
    assert len(names) == silent
    assert not any(states[name]["answered"] for name in names), "they were silent all the time"
    assert states["fleet"]["silent_since"] == ""
    silence.fleet.is_well()


def test_row_67_a_run_opens_no_connection_to_git_and_a_known_source_is_at_its_last_revision(
    silence: Silence,
) -> None:
    agent = silence.fleet.agent
    silence.follow(silent=0, needed=False)
    agent.configure(poll_interval="1h")
    agent.start()
    agent.await_run()
    silence.fleet.server.requests.clear()
    silence.kubectl(
        "patch", "configmap", "good", "-n", silence.fleet.namespace, "-p", '{"data": {"a": "edited"}}'
    )
    agent.await_run(more_than=1)
    assert silence.value() == "1"
    assert silence.fleet.server.requests == []
    silence.push("2")
    assert "failed=0" in silence.fleet.sync(), "who asks for a run has the sources asked first"
    assert silence.value() == "2"
    assert silence.fleet.server.requests


def test_row_67_a_restart_and_a_webhook_among_silent_servers(silence: Silence) -> None:
    agent = silence.fleet.agent
    silence.follow(silent=3, needed=True)
    agent.start()
    agent.await_run()
    assert agent.end() == 0
    asked = sum(server.connections for server in silence.servers)
    silence.push("2")
    agent.configure(poll_interval="1h")
    runs = len(agent.runs())
    agent.start()
    agent.await_run(more_than=runs)
    until(lambda: silence.value() == "2", "what was committed meanwhile")
    assert sum(server.connections for server in silence.servers) > asked, (
        "a new agent asks those that were silent"
    )
    silence.push("3")
    _deliver(silence.fleet)
    until(lambda: silence.value() == "3", "the commit that a webhook announces")


def test_row_67_a_source_and_a_path_that_are_new_are_pulled_before_the_run_that_needs_them(
    silence: Silence,
) -> None:
    agent = silence.fleet.agent
    silence.follow(silent=0, needed=False)
    silence.fleet.push(
        {"all.yaml": config_map("good", {"a": "1"})}, more={"all.yaml": config_map("more", {"a": "1"})}
    )
    agent.start()
    agent.await_run()
    runs = len(agent.runs())
    other = {**silence.fleet.source(), "name": "other"}
    apps = [
        silence.fleet.app(name="good"),
        silence.fleet.app(name="more", path="more"),
        silence.fleet.app(name="same", source="other", path="more", suspend=True),
    ]
    silence.fleet.follow(plumb_sources=[silence.fleet.source(), other], plumb_apps=apps)
    line = agent.await_run(more_than=runs)
    assert "inventory changed" in line
    assert "not been pulled" not in line
    assert silence.value("more") == "1"


def test_row_67_a_source_that_a_config_in_git_adds_is_pulled_before_the_first_run(silence: Silence) -> None:
    fleet = silence.fleet
    added = [{"name": "added", "url": fleet.server.url("fleet.git"), "branch": "main"}]
    config = {"plumb_sources": added, "plumb_apps": [fleet.app(name="more", source="added", path="more")]}
    more = {"all.yaml": config_map("more", {"a": "1"})}
    fleet.push(
        {"all.yaml": config_map("good", {"a": "1"})}, clusters={"here.yml": yaml.safe_dump(config)}, more=more
    )
    fleet.follow(plumb_config={"source": "fleet", "path": "clusters/here.yml"})
    fleet.agent.start()
    assert "failed=0" in fleet.agent.await_run()
    assert silence.value("more") == "1"


def test_row_67_sources_of_a_suspended_cluster_are_left_alone(silence: Silence) -> None:
    agent = silence.fleet.agent
    silence.follow(silent=1, needed=True)
    agent.start()
    agent.await_run()
    assert agent.command("suspend", "--cluster", "here")[0] == 0
    until(lambda: silence.sources() == {}, "no source is followed")
    silence.fleet.server.requests.clear()
    silence.push("2")
    assert silence.fleet.server.requests == []
    assert agent.command("resume")[0] == 0
    until(lambda: silence.value() == "2", "the commit meanwhile")


def _deliver(fleet: FollowedGit) -> None:
    body = json.dumps({"ref": "refs/heads/main"}).encode()
    proof = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Gitea-Signature": proof, "X-Gitea-Delivery": "1"}
    address = f"http://{fleet.agent.words['http']['listen']}/webhook/fleet"
    with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=30) as answer:
        assert answer.status == 202
