# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull requests, comments and commit statuses of GitHub, as its public API documents describe them.

Written from https://docs.github.com/rest (pulls, issues, commits/statuses), not from the client that it tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ansible_collections.plumb.gitops.tests.support.git.forge_contract import GitHub, Route, _json
from ansible_collections.plumb.gitops.tests.support.git.git_server import Reply, Request

HEAD = "5" * 40
BASE = "b" * 40


@dataclass(slots=True)
class RepositoryRecords:
    """What such a forge keeps of one repository, as its answers show it."""

    pulls: list[dict[str, Any]] = field(default_factory=list)
    reviews: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    ordered: list[Any] = field(default_factory=list)  # merges


def query_of(request: Request) -> dict[str, str]:
    """Return the query of a request, the first value of each name."""
    return {key: values[0] for key, values in parse_qs(urlsplit(request.path).query).items()}


class GitHubPulls(GitHub):
    """GitHub's."""

    users = ("alma", "mira", "ove")
    auto_merge_allowed = True

    def __init__(self, root: Any) -> None:
        super().__init__(root)
        self.records = RepositoryRecords()

    def routes(self) -> tuple[Route, ...]:
        """Return the requests that it knows."""
        repo = r"/api/v3/repos/(?P<project>[^/]+/[^/]+)"
        pull, issue = rf"{repo}/pulls/(?P<number>\d+)", rf"{repo}/issues/(?P<number>\d+)"
        return (
            ("GET", f"{repo}/pulls", self._list),
            ("POST", f"{repo}/pulls", self._open),
            ("GET", pull, lambda _r, _b, project, number: _json(200, self._pull(number))),
            ("PATCH", pull, self._edit),
            ("POST", f"{issue}/labels", self._label),
            ("GET", f"{pull}/reviews", self._reviews),
            ("POST", f"{pull}/requested_reviewers", self._ask),
            ("GET", rf"{repo}/compare/(?P<basehead>[^/]+)", self._compare),
            ("GET", f"{issue}/comments", self._comments),
            ("POST", f"{issue}/comments", self._comment),
            ("PATCH", rf"{repo}/issues/comments/(?P<number>\d+)", self._edit_comment),
            ("GET", rf"{repo}/commits/(?P<commit>[^/]+)/statuses", self._statuses),
            ("POST", rf"{repo}/statuses/(?P<commit>[^/]+)", self._status),
            ("POST", "/api/graphql", self._graphql),
            *super().routes(),
        )

    def add_pull(self, project: str, head: str, *, fork: str = "", **more: Any) -> dict[str, Any]:
        """Open a pull request, of a fork where that is named."""
        number = len(self.records.pulls) + 1
        pull = {
            "id": 1000 + number,
            "node_id": f"PR_{number}",
            "number": number,
            "state": "open",
            "html_url": f"https://git.example.com/{project}/pull/{number}",
            "title": "A change",
            "body": None,
            "user": {"login": self.user, "id": 1},
            "labels": [],
            "requested_reviewers": [],
            "auto_merge": None,
            "head": {"ref": head, "sha": HEAD, "repo": {"full_name": fork or project}},
            "base": {"ref": "main", "sha": "a" * 40, "repo": {"full_name": project}},
        } | more
        self.records.pulls.append(pull)
        return pull

    def _pull(self, number: str) -> dict[str, Any]:
        matches = [pull for pull in self.records.pulls if pull["number"] == int(number)]
        if not matches:
            raise KeyError(number)
        return matches[0]

    def _list(self, request: Request, _body: Any, project: str) -> Reply:
        self.project_of(project)
        query = query_of(request)
        owner, _colon, branch = query.get("head", "").partition(":")
        shown = [
            pull
            for pull in self.records.pulls
            if pull["state"] == query.get("state", "open")
            and (
                not branch
                or (
                    pull["head"]["ref"] == branch
                    and pull["head"]["repo"]["full_name"].startswith(f"{owner}/")
                )
            )
        ]
        return self.page(request, shown)

    def _open(self, _request: Request, body: dict[str, Any], project: str) -> Reply:
        self.project_of(project)
        assert set(body) <= {"title", "body", "head", "base"}, body
        if any(p["state"] == "open" and p["head"]["ref"] == body["head"] for p in self.records.pulls):
            message = f"A pull request already exists for {project.partition('/')[0]}:{body['head']}."
            error = {"resource": "PullRequest", "code": "custom", "message": message}
            return _json(422, {"message": "Validation Failed", "errors": [error]})
        made = self.add_pull(project, body["head"], title=body["title"], body=body.get("body"))
        made["base"]["ref"] = body["base"]
        return _json(201, made)

    def _edit(self, _request: Request, body: dict[str, Any], project: str, number: str) -> Reply:
        pull = self._pull(number)
        for key in ("title", "body", "state"):
            pull[key] = body.get(key, pull[key])
        pull["base"]["ref"] = body.get("base", pull["base"]["ref"])
        return _json(200, pull)

    def _label(self, _request: Request, body: dict[str, Any], project: str, number: str) -> Reply:
        pull = self._pull(number)
        pull["labels"] += [{"id": len(name), "name": name} for name in body["labels"]]
        return _json(200, pull["labels"])

    def _reviews(self, request: Request, _body: Any, project: str, number: str) -> Reply:
        return self.page(request, self.records.reviews.get(int(number), []))

    def _ask(self, _request: Request, body: dict[str, Any], project: str, number: str) -> Reply:
        pull = self._pull(number)
        if pull["user"]["login"] in body["reviewers"]:
            return _json(422, {"message": "Review cannot be requested from pull request author."})
        if not set(body["reviewers"]) <= set(self.users):
            return _json(422, {"message": "Reviews may only be requested from collaborators."})
        pull["requested_reviewers"] += [{"login": name, "id": 2} for name in body["reviewers"]]
        return _json(201, pull)

    def _compare(self, _request: Request, _body: Any, project: str, basehead: str) -> Reply:
        assert basehead.partition("...")[1], basehead
        return _json(200, {"status": "diverged", "merge_base_commit": {"sha": BASE}})

    def _comments(self, request: Request, _body: Any, project: str, number: str) -> Reply:
        return self.page(
            request, [comment for comment in self.records.comments if comment["on"] == int(number)]
        )

    def _comment(self, _request: Request, body: dict[str, Any], project: str, number: str) -> Reply:
        made = {"id": self.number(), "body": body["body"], "user": {"login": self.user}, "on": int(number)}
        self.records.comments.append(made)
        return _json(201, made)

    def _edit_comment(self, _request: Request, body: dict[str, Any], project: str, number: str) -> Reply:
        (comment,) = [other for other in self.records.comments if other["id"] == int(number)]
        comment["body"] = body["body"]
        return _json(200, comment)

    def _statuses(self, request: Request, _body: Any, project: str, commit: str) -> Reply:
        shown = [status for status in reversed(self.records.statuses) if status["of"] == commit]
        return self.page(request, shown)

    def _status(self, _request: Request, body: dict[str, Any], project: str, commit: str) -> Reply:
        if body["state"] not in {"error", "failure", "pending", "success"}:
            return _json(422, {"message": "Validation Failed"})
        if len(body.get("description", "")) > 140:
            return _json(422, {"message": "description is too long (maximum is 140 characters)"})
        made = {"id": self.number(), "target_url": None, "description": None, "of": commit, **body}
        self.records.statuses.append(made)
        return _json(201, made)

    def _graphql(self, _request: Request, body: dict[str, Any]) -> Reply:
        assert "enablePullRequestAutoMerge" in body["query"]
        if not self.auto_merge_allowed:
            message = "Pull request Auto merge is not allowed for this repository"
            return _json(200, {"data": None, "errors": [{"type": "UNPROCESSABLE", "message": message}]})
        self.records.ordered.append(body["variables"])
        return _json(200, {"data": {"enablePullRequestAutoMerge": {"clientMutationId": None}}})
