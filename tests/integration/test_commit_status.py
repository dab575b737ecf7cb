# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`plumb.gitops.reconcile` says on the commit what became of it: a real Gitea, a real API server, real Ansible."""

from __future__ import annotations

import socket
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.tests.support.ansible.fleet import Fleet
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import ForgeApi, Repository, new_repository

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {0}}}\ndata: {{n: '{1}'}}\n"


@dataclass(slots=True)
class ReportedCommit:
    """A fleet whose source is on the forge, and the forge's API for looking."""

    fleet: Fleet
    repository: Repository
    api: ForgeApi
    forge: dict[str, Any]

    def statuses(self, commit: str) -> list[tuple[str, str, str]]:
        """Context, state and description of each status of the commit, oldest first."""
        answer = self.api.repo(f"/commits/{commit}/statuses")
        ordered = sorted(answer, key=lambda status: status["id"])
        return [(status["context"], status["status"], status["description"]) for status in ordered]

    def run(self, *words: str, **variables: Any) -> Any:
        defaults = {"plumb_forge": self.forge, "plumb_commit_status": True, **variables}
        return self.fleet.run(*words, **defaults)


@pytest.fixture
def reported(sandbox: Sandbox, play: Play, namespace: str, tmp_path: Path) -> ReportedCommit:
    name = f"status-{uuid.uuid4().hex[:8]}"
    repository = new_repository(sandbox, name, tmp_path / "clone")
    git = {"url": repository.url, "token_file": str(repository.token_file)}
    fleet = Fleet(play, sandbox, git, namespace, tmp_path)
    forge = {"kind": "gitea", "url": sandbox.forge_url, "token_file": str(repository.token_file)}
    return ReportedCommit(fleet, repository, ForgeApi(sandbox, f"{sandbox.forge_user}/{name}"), forge)


def test_a_commit_gets_its_statuses_on_change_only(reported: ReportedCommit) -> None:
    commit = reported.repository.commit({"app/a.yml": MAP.format("a", 1)})
    page = "https://plumb.example.com/"
    checked = reported.run("--check")
    assert checked.code == 0, checked.output
    assert reported.statuses(commit) == []

    done = reported.run(plumb_page_url=page)
    assert done.code == 0, done.output
    context = "plumb/here/app"
    good = [
        (context, "pending", "is to be applied"),
        (context, "success", "1 object as Git says, 1 changed"),
    ]
    assert reported.statuses(commit) == good
    assert reported.api.repo(f"/commits/{commit}/status")["statuses"][0]["target_url"] == page

    assert reported.run().code == 0
    assert reported.statuses(commit) == good
    for file in (reported.fleet.folder / "cache" / "statuses").iterdir():
        file.write_text("{}", encoding="utf-8")  # lost: the forge knows
    assert reported.run().code == 0
    assert reported.statuses(commit) == good

    broken = reported.repository.commit({"app/b.yml": "kind: ConfigMap\n"}, "Break it")
    assert reported.run().code != 0
    (_pending, failed) = reported.statuses(broken)
    assert failed[:2] == (context, "failure")
    assert "b.yml" in failed[2]
    assert reported.run().code != 0
    assert len(reported.statuses(broken)) == 2


def test_a_run_that_cannot_reach_the_cluster_is_said_too(reported: ReportedCommit) -> None:
    commit = reported.repository.commit({"app/a.yml": MAP.format("a", 1)})
    nowhere = {"plumb_kubeconfig": None, "plumb_host": "https://127.0.0.1:9", "plumb_api_key": "none"}
    done = reported.run(**nowhere, plumb_ca_cert=str(reported.fleet.sandbox.ca_file))
    assert done.code == 2, done.output
    states = reported.statuses(commit)
    assert [state for _context, state, _text in states] == ["pending", "failure"]
    assert "127.0.0.1" in states[1][2]


def test_a_forge_that_is_down_fails_no_sync(reported: ReportedCommit) -> None:
    reported.repository.commit({"app/a.yml": MAP.format("a", 1)})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    source = reported.fleet.source(url=reported.repository.url)
    down = {**reported.forge, "url": f"http://127.0.0.1:{port}"}
    moved = {**source, "url": source["url"].replace(reported.forge["url"], down["url"])}
    result = reported.fleet.play.module(
        "commit_status",
        {
            "forge": down,
            "sources": [moved],
            "pulled": [{"name": "fleet", "revision": {"commit": "a" * 40}}],
            "apps": [reported.fleet.app()],
            "cluster": "here",
        },
    ).result
    assert not result.get("failed")
    (warning,) = result["warnings"]
    assert "no connection" in warning
    assert "See that url, ca_file and proxy are right" in warning
    wrong = reported.fleet.folder / "wrong-token"
    wrong.write_text("not-the-token", encoding="utf-8")
    refused = reported.run(plumb_forge={**reported.forge, "token_file": str(wrong)})
    assert refused.code == 0, refused.output
    assert "does not accept the token" in refused.output


def test_the_words_are_checked_before_anything_is_done(reported: ReportedCommit) -> None:
    played = reported.run(plumb_forge=None)
    assert played.code != 0
    assert "there is no plumb_forge" in played.output
