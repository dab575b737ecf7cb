# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of Secrets, and the tokens that an agent works with, show nowhere around it (row 59 of the list of faults).

What a run says of Secrets is in test_secrets.py. Here it is all that a running agent makes: its log, what it serves,
its files and those of its runs while they run, arguments and environments of its processes, events; a check at -vvvv.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from ansible_collections.plumb.gitops.tests.support.agent.agent_on_git import FollowedGit, followed_git
from ansible_collections.plumb.gitops.tests.support.ansible.fleet import RECONCILE
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.faults.hidden_values import OF_GIT, Hidden, broken_secrets
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, secret


@dataclass(slots=True)
class SearchedAgent:
    """An agent, what may show nowhere, and where it was looked for."""

    fleet: FollowedGit
    hidden: Hidden
    own: set[Path]  # the files that are to hold a token
    hits: list[str] = field(default_factory=list)
    looked: set[str] = field(default_factory=set)

    def search(self, place: str, content: bytes) -> None:
        self.looked.add(place)
        if self.hidden.shows(content):
            self.hits.append(place)

    def files(self, *folders: Path) -> None:
        """Look into all files below, but for Git's own content and the files that hold a token."""
        walked = (where for folder in folders for where in os.walk(folder))  # it minds no folder that goes
        for file in (Path(where, name) for where, _folders, names in walked for name in names):
            if OF_GIT.intersection(file.relative_to(self.fleet.folder).parts) or file in self.own:
                continue
            try:
                if file.is_file():  # and no pipe, which reading would empty
                    self.search(str(file), file.read_bytes())
            except OSError:  # it is gone meanwhile
                continue

    def processes(self) -> None:
        """Look at arguments and environment of all that the agent has started."""
        for pid in self.fleet.agent.tree():
            for name in ("cmdline", "environ"):
                try:
                    self.search(name, Path(f"/proc/{pid}/{name}").read_bytes())
                except OSError:
                    continue

    @contextmanager
    def meanwhile(self) -> Iterator[None]:
        """Look at the files and processes of runs again and again while the body is at work."""
        over = threading.Event()

        def watch() -> None:
            while not over.is_set():
                self.files(self.fleet.agent.runtime)
                self.processes()
                time.sleep(0.02)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def everywhere(self, kubectl: Kubectl) -> None:
        """Look at all that there is now."""
        agent = self.fleet.agent
        for path in ("/healthz", "/readyz", "/metrics", "/api/v1/status"):
            status, text = agent.get(path, token=self.fleet.token)
            assert status == 200
            self.search(path, text.encode())
        self.search("status", agent.command("status", "--json")[1].encode())
        self.search("events", kubectl("get", "events", "-n", self.fleet.namespace, "-o", "json").encode())
        self.files(self.fleet.folder)

    def run(self, files: Mapping[str, str]) -> str:
        """Push these files and await the run of that commit; its line."""
        commit = self.fleet.push(files)
        return self.fleet.agent.await_line(f"fleet@{commit[:7]}")


@pytest.fixture(scope="module")
def watched(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchedAgent]:
    """An agent whose Git wants a token, which has a token of its own, and a kubeconfig with the admin's."""
    hidden, folder = Hidden(), tmp_path_factory.mktemp("agent-secrets")
    git_token = hidden.value()
    with followed_git(sandbox, folder, git_token=git_token) as fleet:
        files = {fleet.folder / "git-token": git_token, fleet.folder / "http-token": hidden.value()}
        for file, token in files.items():
            file.write_text(token, encoding="utf-8")
            file.chmod(0o600)
        users = yaml.safe_load(sandbox.kubeconfig.read_text(encoding="utf-8"))["users"]
        hidden.values.append(users[0]["user"]["token"])
        fleet.push({"c.yaml": config_map("c")})
        fleet.follow(plumb_sources=[fleet.source(token_file=str(fleet.folder / "git-token"))])
        fleet.agent.start()
        fleet.agent.await_run()
        yield SearchedAgent(fleet, hidden, set(files))


def test_row_59_a_secret_made_changed_drifted_and_pruned_shows_nowhere_around_the_agent(
    watched: SearchedAgent, kubectl: Kubectl
) -> None:
    fleet, value = watched.fleet, watched.hidden.value
    with watched.meanwhile():
        line = watched.run({"s.yaml": secret("s", {"password": value(), "user": value()})})
        assert "changed=2" in line  # it is new, and the ConfigMap goes
        assert "failed=0" in watched.run({"s.yaml": secret("s", {"password": value()})})
        seen = len(fleet.agent.lines())
        edited = json.dumps({"stringData": {"password": value(), "added": value()}})
        kubectl("patch", "secret", "s", "-n", fleet.namespace, "-p", edited, "--field-manager=kubectl-edit")
        fleet.sync()  # it may have been seen, and undone, before
        assert any("drifted=1" in line for line in fleet.agent.lines()[seen:])
        watched.everywhere(kubectl)
        assert "changed=2" in watched.run({"c.yaml": config_map("c")})
    assert kubectl.get("secret", "s", fleet.namespace) is None
    _assert_nothing_shown(watched)


def test_row_59_secrets_and_tokens_that_fail_show_nowhere_around_the_agent(
    watched: SearchedAgent, kubectl: Kubectl
) -> None:
    fleet = watched.fleet
    broken = broken_secrets(watched.hidden.value)
    apps = [fleet.app(name=name, path=name, wait=False) for name in broken]
    source = fleet.source(token_file=str(fleet.folder / "git-token"))
    seen = len(fleet.agent.lines())
    with watched.meanwhile():
        fleet.upstream.commit({name: {"s.yaml": text} for name, text in broken.items()})
        fleet.follow(plumb_sources=[source], plumb_apps=apps)
        fleet.agent.await_line("inventory changed", after=seen)
        line = fleet.sync()
        assert " error " in line
        (status,) = json.loads(fleet.agent.get("/api/v1/status", token=fleet.token)[1])["clusters"]
        assert {app["name"] for app in status["apps"] if app["failed"]} == broken.keys()
        fleet.server.token = "another"
        assert "source fleet" in fleet.sync()
        fleet.server.token = (fleet.folder / "git-token").read_text(encoding="utf-8")
        watched.everywhere(kubectl)
    _assert_nothing_shown(watched)


def test_row_59_a_check_of_what_the_agent_follows_shows_nothing_at_vvvv(
    watched: SearchedAgent, kubectl: Kubectl
) -> None:
    """Whoever looks into a failure runs the agent's own inventory by hand, as loudly as Ansible can."""
    fleet, value = watched.fleet, watched.hidden.value
    broken = broken_secrets(value)
    fleet.upstream.commit(
        {"app": {"s.yaml": secret("s", {"password": value()})}}
        | {name: {"s.yaml": text} for name, text in broken.items()}
    )
    fleet.follow(
        plumb_sources=[fleet.source(token_file=str(fleet.folder / "git-token"))],
        plumb_apps=[fleet.app(), *(fleet.app(name=name, path=name) for name in broken)],
    )
    words: Sequence[str] = ("-i", str(fleet.agent.words["inventory"]), "-vvvv", "--check", "--diff")
    done = fleet.play.playbook(RECONCILE, *words)
    assert done.code == 2
    assert f"{fleet.namespace}/s" in done.output
    watched.search("check", done.output.encode())
    watched.everywhere(kubectl)
    _assert_nothing_shown(watched)


def _assert_nothing_shown(watched: SearchedAgent) -> None:
    assert watched.hits == []
    for place in (
        "cmdline",
        "environ",
        "/metrics",
        "/api/v1/status",
        "events",
        str(watched.fleet.folder / "log"),
    ):
        assert place in watched.looked
    assert any("/run/run-" in place for place in watched.looked), "no file of a run while it ran"
    assert any("/state/reports/" in place for place in watched.looked)
    assert (watched.fleet.folder / "cache").stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in watched.fleet.folder.glob("cache/renderings/*"))
    watched.fleet.is_well()
