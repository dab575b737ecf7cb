# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull requests, comments and statuses against GitHub and GitLab as their documents describe them: real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.forge import pull_request
from ansible_collections.plumb.gitops.plugins.module_utils.forge.client import ForgeClient
from ansible_collections.plumb.gitops.plugins.module_utils.forge.comment import ensure_comment
from ansible_collections.plumb.gitops.plugins.module_utils.forge.commit_status import (
    State,
    Status,
    newest_status,
    set_status,
)
from ansible_collections.plumb.gitops.plugins.module_utils.forge.errors import ForgeError
from ansible_collections.plumb.gitops.plugins.module_utils.forge.open_pulls import base_of, open_pulls
from ansible_collections.plumb.gitops.plugins.module_utils.forge.pull_request import (
    PullRequest,
    close_superseded,
    find_or_open,
)
from ansible_collections.plumb.gitops.plugins.module_utils.forge.repository_address import ForgeRepository
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.tests.support.git.forge_contract import TOKEN
from ansible_collections.plumb.gitops.tests.support.git.forge_contract_merges import GitLabPulls
from ansible_collections.plumb.gitops.tests.support.git.forge_contract_pulls import BASE, HEAD, GitHubPulls
from ansible_collections.plumb.gitops.tests.support.git.git_server import Reply, Request

Forge = GitHubPulls | GitLabPulls
WANTED = PullRequest(
    head="plumb/images",
    base="main",
    title="Update shop to 1.4.2",
    body="shop: 1.4.1 -> 1.4.2\n\nNotes.",
    labels=("images", "automatic"),
    reviewers=("mira",),
)


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Forge]:
    kinds: dict[str, type[GitHubPulls] | type[GitLabPulls]] = {"github": GitHubPulls, "gitlab": GitLabPulls}
    server = kinds[request.param](tmp_path / "served")
    with server.git:
        server.make(f"{server.groups[0]}/fleet", private=True, description="")
        yield server


@pytest.fixture
def place(forge: Forge, tmp_path: Path) -> ForgeRepository:
    file = tmp_path / "forge-token"
    file.write_text(TOKEN, encoding="utf-8")
    kind = "github" if isinstance(forge, GitHubPulls) else "gitlab"
    url = forge.git.url("").rstrip("/")
    return ForgeRepository(
        kind=kind, url=url, owner=forge.groups[0], name="fleet", token_file=file, timeout=20
    )


@pytest.fixture
def client(place: ForgeRepository) -> Iterator[ForgeClient]:
    with ForgeClient(place) as client:
        yield client


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull_request, "_PAUSE", 0.001)
    monkeypatch.setattr(
        "ansible_collections.plumb.gitops.plugins.module_utils.forge.auto_merge._PAUSE", 0.001
    )


def asked(forge: Forge, *methods: str) -> list[str]:
    return [path for method, path, _body in forge.asked if method in methods]


def labels(pull: dict) -> list[str]:
    return [label if isinstance(label, str) else label["name"] for label in pull["labels"]]


def test_a_branch_has_one_pull_request_that_follows_what_is_wanted(
    forge: Forge, place: ForgeRepository, client: ForgeClient
) -> None:
    made = find_or_open(client, place, WANTED)
    assert made.created
    assert made.warnings == ()
    (pull,) = forge.records.pulls
    assert made.url == pull.get("html_url", pull.get("web_url"))
    assert sorted(labels(pull)) == ["automatic", "images"]
    written = len(asked(forge, "POST", "PATCH", "PUT"))

    again = find_or_open(client, place, WANTED)
    assert (again.number, again.created) == (made.number, False)
    assert len(asked(forge, "POST", "PATCH", "PUT")) == written  # nothing new, nothing written

    newer = replace(
        WANTED, title="Update shop to 1.4.3", labels=("images", "urgent"), reviewers=("mira", "ove")
    )
    assert find_or_open(client, place, newer).number == made.number
    (pull,) = forge.records.pulls
    assert pull["title"] == "Update shop to 1.4.3"
    assert sorted(labels(pull)) == ["automatic", "images", "urgent"]
    people = pull["requested_reviewers"] if "requested_reviewers" in pull else pull["reviewers"]
    assert [person.get("login") or person["username"] for person in people] == ["mira", "ove"]


@pytest.mark.parametrize("done", [True, False])
def test_a_forge_that_fails_after_the_push_costs_no_second_pull_request(
    forge: Forge, place: ForgeRepository, client: ForgeClient, *, done: bool
) -> None:
    """Row 46: the answer is a 502 whether the forge did it or not; the same branch keeps one pull request."""
    answer = forge.git.intercept
    failed: list[Reply | None] = []

    def intercept(request: Request) -> Reply | None:
        is_opening = request.method == "POST" and request.path.endswith(("/pulls", "/merge_requests"))
        if not is_opening or failed:
            return answer(request)
        failed.append(answer(request) if done else None)
        return Reply(502, {}, b"<html>bad gateway</html>")

    forge.git.intercept = intercept
    opened = find_or_open(client, place, WANTED)
    assert failed
    assert opened.created
    assert [pull["title"] for pull in forge.records.pulls] == [WANTED.title]
    assert sorted(labels(forge.records.pulls[0])) == ["automatic", "images"]


def test_a_forge_that_stays_ill_is_said_and_the_next_run_goes_on(
    forge: Forge, place: ForgeRepository, client: ForgeClient
) -> None:
    answer = forge.git.intercept
    tries: list[str] = []

    def intercept(request: Request) -> Reply | None:
        if request.method != "POST":
            return answer(request)
        tries.append(request.path)
        return Reply(503)

    forge.git.intercept = intercept
    with pytest.raises(ForgeError, match="opening the pull request: the forge failed"):
        find_or_open(client, place, WANTED)
    assert len(tries) == 3
    forge.git.intercept = answer
    assert find_or_open(client, place, WANTED).created


def test_what_the_forge_does_not_take_of_it_is_a_warning(
    forge: Forge, place: ForgeRepository, client: ForgeClient
) -> None:
    forge.auto_merge_allowed = False
    opened = find_or_open(client, place, replace(WANTED, reviewers=("nobody-here",), auto_merge=True))
    assert opened.created
    assert len(opened.warnings) == 2
    assert "asking for reviews" in opened.warnings[0]
    assert "having the pull request merged" in opened.warnings[1]
    assert TOKEN not in str(opened)


def test_a_merge_is_ordered_where_it_is_wanted(
    forge: Forge, place: ForgeRepository, client: ForgeClient
) -> None:
    opened = find_or_open(client, place, replace(WANTED, auto_merge=True))
    assert opened.warnings == ()
    assert len(forge.records.ordered) == 1


def test_who_has_reviewed_or_is_the_author_is_not_asked_again(
    forge: Forge, place: ForgeRepository, client: ForgeClient
) -> None:
    find_or_open(client, place, WANTED)
    (pull,) = forge.records.pulls
    if isinstance(forge, GitHubPulls):  # a review takes the request away there
        pull["requested_reviewers"] = []
        forge.records.reviews[1] = [{"user": {"login": "mira"}, "state": "APPROVED"}]
    before = len(asked(forge, "POST", "PUT"))
    assert find_or_open(client, place, replace(WANTED, reviewers=("mira", "alma"))).warnings == ()
    assert len(asked(forge, "POST", "PUT")) == before


def test_only_our_own_overtaken_pull_requests_are_closed(
    forge: Forge, place: ForgeRepository, client: ForgeClient
) -> None:
    for head in ("plumb/images/shop-1", "plumb/images/shop-2", "feature/plumb/images/x"):
        forge.add_pull(place.title, head)
    forge.add_pull(place.title, "plumb/images/shop-0", fork="mallory/fleet")
    closed = close_superseded(client, place, {"plumb/images/shop-2"}, "plumb/images/")
    assert closed == (1,)
    assert [pull["state"].startswith("open") for pull in forge.records.pulls] == [False, True, True, True]
    with pytest.raises(InputError, match="prefix"):
        close_superseded(client, place, (), "")


def test_a_pull_request_from_a_fork_is_not_taken_for_ours(
    forge: Forge, place: ForgeRepository, client: ForgeClient
) -> None:
    forge.add_pull(place.title, WANTED.head, fork="platform/other")
    assert pull_request._find(client, WANTED) is None


def test_one_comment_of_ours_is_kept(forge: Forge, client: ForgeClient, place: ForgeRepository) -> None:
    number = find_or_open(client, place, WANTED).number
    forge.records.comments.append(
        {"id": 7, "on": number, "body": "<!-- plumb: preview prod -->\nhello", "user": {"login": "mallory"}}
        | {"author": {"username": "mallory"}}
    )
    assert ensure_comment(client, number, "preview prod", "one")
    assert not ensure_comment(client, number, "preview prod", "one")
    assert ensure_comment(client, number, "preview prod", "two")
    assert ensure_comment(client, number, "preview prod-eu", "other")
    bodies = [comment["body"].split("\n", 1)[1] for comment in forge.records.comments]
    assert bodies == ["hello", "two", "other"]


def test_open_pull_requests_are_read_with_their_commits(
    forge: Forge, client: ForgeClient, place: ForgeRepository
) -> None:
    forge.add_pull(place.title, "feature")
    forge.add_pull(place.title, "feature", fork="mallory/fleet")
    own, fork = open_pulls(client)
    assert (own.number, own.head, own.branch, own.author, own.fork) == (1, HEAD, "main", "alma", False)
    assert fork.fork
    assert base_of(client, own) == BASE


def test_a_status_is_set_on_change_only(forge: Forge, client: ForgeClient) -> None:
    status = Status(commit=HEAD, context="plumb/prod/shop", state=State.PENDING, description="x" * 400)
    assert newest_status(client, HEAD, status.context) is None
    assert set_status(client, status)
    assert not set_status(client, status)
    good = replace(status, state=State.SUCCESS, description="4 objects", link="https://plumb.example.com/")
    assert set_status(client, replace(good, context="plumb/prod/other"))
    assert set_status(client, good)
    assert not set_status(client, good)
    assert newest_status(client, HEAD, status.context) == good
    assert set_status(client, replace(good, state=State.FAILURE, description="it does not render"))
    with pytest.raises(InputError, match="no commit's id"):
        set_status(client, replace(good, commit="main"))
