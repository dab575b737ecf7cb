# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull requests, comments and statuses on a real Gitea, through the client that the modules use."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.forge.client import ForgeClient
from ansible_collections.plumb.gitops.plugins.module_utils.forge.comment import ensure_comment
from ansible_collections.plumb.gitops.plugins.module_utils.forge.commit_status import (
    State,
    Status,
    newest_status,
    set_status,
)
from ansible_collections.plumb.gitops.plugins.module_utils.forge.open_pulls import base_of, open_pulls
from ansible_collections.plumb.gitops.plugins.module_utils.forge.pull_request import (
    PullRequest,
    close_superseded,
    find_or_open,
)
from ansible_collections.plumb.gitops.plugins.module_utils.forge.repository_address import ForgeRepository
from ansible_collections.plumb.gitops.tests.support.agent.process import until
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import ForgeApi, Repository, new_repository

BRANCH = "plumb/images/shop"


@dataclass(slots=True)
class GiteaPulls:
    """A repository on the sandbox's forge: a clone, the place as the client knows it, and its API."""

    sandbox: Sandbox
    repository: Repository
    place: ForgeRepository
    api: ForgeApi
    base: str

    def repo(self, path: str, method: str = "GET", body: Any = None) -> Any:
        return self.api.repo(path, method, body)

    def push(self, branch: str, text: str) -> str:
        """A commit on a branch of its own."""
        self.repository._git("checkout", "-q", "-B", branch, self.base)
        (self.repository.folder / "app.yml").write_text(text, encoding="utf-8")
        self.repository._git("commit", "-q", "-a", "-m", f"Change on {branch}")
        self.repository._git("push", "-q", "-f", self.repository._push_url, f"HEAD:{branch}")
        return self.repository._git("rev-parse", "HEAD").strip()


@pytest.fixture
def gitea(sandbox: Sandbox, tmp_path: Path) -> GiteaPulls:
    name = f"pulls-{uuid.uuid4().hex[:8]}"
    repository = new_repository(sandbox, name, tmp_path / "clone")
    base = repository.commit({"app.yml": "image: shop:1\n"})
    place = ForgeRepository(
        kind="gitea",
        url=sandbox.forge_url,
        owner=sandbox.forge_user,
        name=name,
        token_file=repository.token_file,
    )
    gitea = GiteaPulls(sandbox, repository, place, ForgeApi(sandbox, place.title), base)
    until(lambda: not gitea.repo("")["empty"], "Gitea to have taken the first push in", 30)
    return gitea


@pytest.fixture
def client(gitea: GiteaPulls) -> Iterator[ForgeClient]:
    with ForgeClient(gitea.place) as client:
        yield client


def wanted(**more: Any) -> PullRequest:
    defaults = {
        "head": BRANCH,
        "base": "main",
        "title": "Update shop",
        "body": "1 -> 2",
        "labels": ("images",),
    }
    return PullRequest(**{**defaults, **more})


def test_the_same_branch_keeps_its_pull_request(gitea: GiteaPulls, client: ForgeClient) -> None:
    user = f"mira-{uuid.uuid4().hex[:6]}"
    account = {"username": user, "email": f"{user}@example.com", "password": "not-a-secret-1"}
    gitea.api.request("/admin/users", "POST", {**account, "must_change_password": False})
    gitea.repo(f"/collaborators/{user}", "PUT", {"permission": "write"})
    gitea.push(BRANCH, "image: shop:2\n")
    made = find_or_open(client, gitea.place, wanted(reviewers=(user,)))
    assert made.created
    assert made.warnings == ()
    pull = gitea.repo(f"/pulls/{made.number}")
    assert (pull["html_url"], pull["title"], pull["body"]) == (made.url, "Update shop", "1 -> 2")
    assert [label["name"] for label in pull["labels"]] == ["images"]
    assert [reviewer["login"] for reviewer in pull["requested_reviewers"]] == [user]

    gitea.push(BRANCH, "image: shop:3\n")
    again = find_or_open(client, gitea.place, wanted(title="Update shop to 3", labels=("images", "urgent")))
    assert (again.number, again.created, again.warnings) == (made.number, False, ())
    pull = gitea.repo(f"/pulls/{made.number}")
    assert pull["title"] == "Update shop to 3"
    assert {label["name"] for label in pull["labels"]} == {"images", "urgent"}
    assert len(gitea.repo("/pulls?state=all")) == 1


def test_an_overtaken_pull_request_is_closed_and_others_stay(gitea: GiteaPulls, client: ForgeClient) -> None:
    numbers = {}
    for branch in ("plumb/images/old", "plumb/images/new", "feature"):
        gitea.push(branch, f"image: {branch}\n")
        numbers[branch] = find_or_open(client, gitea.place, wanted(head=branch)).number
    closed = close_superseded(client, gitea.place, "plumb/images/new", "plumb/images/")
    assert closed == (numbers["plumb/images/old"],)
    assert {other["number"] for other in gitea.repo("/pulls?state=open")} == {
        numbers["plumb/images/new"],
        numbers["feature"],
    }


def test_the_forge_merges_by_itself_once_the_status_is_good(gitea: GiteaPulls, client: ForgeClient) -> None:
    rule = {"rule_name": "main", "enable_status_check": True, "status_check_contexts": ["ci"]}
    gitea.repo("/branch_protections", "POST", rule)
    head = gitea.push(BRANCH, "image: shop:2\n")
    made = find_or_open(client, gitea.place, wanted(auto_merge=True))
    assert made.warnings == ()
    assert not gitea.repo(f"/pulls/{made.number}")["merged"]
    assert find_or_open(client, gitea.place, wanted(auto_merge=True)).warnings == ()  # ordered already
    assert set_status(client, Status(commit=head, context="ci", state=State.SUCCESS))
    until(lambda: gitea.repo(f"/pulls/{made.number}")["merged"], "the merge", 60)


def test_one_comment_is_kept_beside_those_of_others(gitea: GiteaPulls, client: ForgeClient) -> None:
    gitea.push(BRANCH, "image: shop:2\n")
    number = find_or_open(client, gitea.place, wanted()).number
    gitea.repo(f"/issues/{number}/comments", "POST", {"body": "Looks good."})
    assert ensure_comment(client, number, "preview prod", "one | `two`\n")
    assert not ensure_comment(client, number, "preview prod", "one | `two`\n")
    assert ensure_comment(client, number, "preview prod", "three")
    bodies = [comment["body"] for comment in gitea.repo(f"/issues/{number}/comments")]
    assert bodies == ["Looks good.", "<!-- plumb: preview prod -->\nthree"]


def test_open_pull_requests_have_their_head_and_where_they_began(
    gitea: GiteaPulls, client: ForgeClient
) -> None:
    head = gitea.push(BRANCH, "image: shop:2\n")
    made = find_or_open(client, gitea.place, wanted())
    gitea.repository._git("checkout", "-q", "-B", "main", gitea.base)
    gitea.repository.commit({"other.yml": "a: 1\n"})  # the branch it goes to has moved on
    (pull,) = open_pulls(client)
    assert (pull.number, pull.head, pull.branch, pull.fork) == (made.number, head, "main", False)
    assert base_of(client, pull) == gitea.base


def test_a_status_is_set_on_change_only(gitea: GiteaPulls, client: ForgeClient) -> None:
    status = Status(commit=gitea.base, context="plumb/prod/shop", state=State.PENDING, description="waits")
    assert set_status(client, status)
    assert not set_status(client, status)
    good = replace(status, state=State.SUCCESS, description="4 objects", link="https://plumb.example.com/")
    assert set_status(client, good)
    assert set_status(client, replace(good, context="plumb/prod/other"))
    assert not set_status(client, good)
    assert newest_status(client, gitea.base, "plumb/prod/shop") == good
    assert set_status(client, replace(good, state=State.FAILURE, description="it does not render"))
    assert gitea.repo(f"/commits/{gitea.base}/status")["state"] == "failure"
    assert len(gitea.repo(f"/commits/{gitea.base}/statuses")) == 4
