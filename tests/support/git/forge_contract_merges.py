# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge requests, notes and commit statuses of GitLab, as its public API documents describe them.

Written from https://docs.gitlab.com/api (merge_requests, notes, commits), not from the client that it tests.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.plumb.gitops.tests.support.git.forge_contract import GitLab, Route, _json
from ansible_collections.plumb.gitops.tests.support.git.forge_contract_pulls import (
    BASE,
    HEAD,
    RepositoryRecords,
    query_of,
)
from ansible_collections.plumb.gitops.tests.support.git.git_server import Reply, Request


class GitLabPulls(GitLab):
    """GitLab's merge requests, notes and commit statuses."""

    users = ("alma", "mira", "ove")
    auto_merge_allowed = True

    def __init__(self, root: Any) -> None:
        super().__init__(root)
        self.records = RepositoryRecords()

    def routes(self) -> tuple[Route, ...]:
        """Return the requests that it knows."""
        project = r"/api/v4/projects/(?P<project>[^/]+)"
        mr = rf"{project}/merge_requests/(?P<number>\d+)"
        return (
            ("GET", f"{project}/merge_requests", self._list),
            ("POST", f"{project}/merge_requests", self._open),
            ("GET", mr, self._show),
            ("PUT", mr, self._edit),
            ("PUT", f"{mr}/merge", self._merge),
            ("GET", "/api/v4/users", self._users),
            ("GET", f"{mr}/notes", self._notes),
            ("POST", f"{mr}/notes", self._note),
            ("PUT", rf"{mr}/notes/(?P<note>\d+)", self._edit_note),
            ("GET", rf"{project}/repository/commits/(?P<commit>[^/]+)/statuses", self._statuses),
            ("POST", rf"{project}/statuses/(?P<commit>[^/]+)", self._status),
            *super().routes(),
        )

    def add_pull(self, project: str, head: str, *, fork: str = "", **more: Any) -> dict[str, Any]:
        """Open a merge request, of a fork where that is named."""
        number = len(self.records.pulls) + 1
        pull = {
            "id": 1000 + number,
            "iid": number,
            "state": "opened",
            "web_url": f"https://git.example.com/{project}/-/merge_requests/{number}",
            "title": "A change",
            "description": None,
            "author": {"username": self.user, "id": 1},
            "labels": [],
            "reviewers": [],
            "merge_when_pipeline_succeeds": False,
            "source_branch": head,
            "target_branch": "main",
            "sha": HEAD,
            "source_project_id": 99 if fork else self.project_of(project).number,
            "target_project_id": self.project_of(project).number,
        } | more
        self.records.pulls.append(pull)
        return pull

    def _pull(self, number: str) -> dict[str, Any]:
        matches = [pull for pull in self.records.pulls if pull["iid"] == int(number)]
        if not matches:
            raise KeyError(number)
        return matches[0]

    def _list(self, request: Request, _body: Any, project: str) -> Reply:
        self.project_of(project)
        query = query_of(request)
        shown = [
            pull
            for pull in self.records.pulls
            if pull["state"] == query.get("state", "all")
            and query.get("source_branch", pull["source_branch"]) == pull["source_branch"]
        ]
        return self.page(request, shown)

    def _open(self, _request: Request, body: dict[str, Any], project: str) -> Reply:
        if any(
            p["state"] == "opened" and p["source_branch"] == body["source_branch"] for p in self.records.pulls
        ):
            return _json(
                409, {"message": ["Another open merge request already exists for this source branch: !1"]}
            )
        made = self.add_pull(project, body["source_branch"], title=body["title"])
        made["description"], made["target_branch"] = body.get("description"), body["target_branch"]
        return _json(201, made)

    def _show(self, _request: Request, _body: Any, project: str, number: str) -> Reply:
        refs = {"base_sha": BASE, "head_sha": HEAD, "start_sha": "a" * 40}
        return _json(200, {**self._pull(number), "diff_refs": refs})

    def _edit(self, _request: Request, body: dict[str, Any], project: str, number: str) -> Reply:
        pull = self._pull(number)
        assert set(body) <= {
            "title",
            "description",
            "target_branch",
            "state_event",
            "add_labels",
            "reviewer_ids",
        }
        for key in ("title", "description", "target_branch"):
            pull[key] = body.get(key, pull[key])
        pull["labels"] += [name for name in body.get("add_labels", "").split(",") if name]
        if "reviewer_ids" in body:
            names = dict(enumerate(self.users, 1))
            pull["reviewers"] = [{"id": user, "username": names[user]} for user in body["reviewer_ids"]]
        if body.get("state_event") == "close":
            pull["state"] = "closed"
        return _json(200, pull)

    def _users(self, request: Request, _body: Any) -> Reply:
        wanted = query_of(request)["username"]
        users = [{"id": n, "username": name} for n, name in enumerate(self.users, 1) if name == wanted]
        return _json(200, users)

    def _merge(self, _request: Request, body: dict[str, Any], project: str, number: str) -> Reply:
        if not self.auto_merge_allowed:
            return _json(405, {"message": "405 Method Not Allowed"})
        self.records.ordered.append(body)
        self._pull(number)["merge_when_pipeline_succeeds"] = True
        return _json(200, self._pull(number))

    def _notes(self, request: Request, _body: Any, project: str, number: str) -> Reply:
        return self.page(request, [note for note in self.records.comments if note["on"] == int(number)])

    def _note(self, _request: Request, body: dict[str, Any], project: str, number: str) -> Reply:
        made = {
            "id": self.number(),
            "body": body["body"],
            "author": {"username": self.user},
            "on": int(number),
        }
        self.records.comments.append(made)
        return _json(201, made)

    def _edit_note(
        self, _request: Request, body: dict[str, Any], project: str, number: str, note: str
    ) -> Reply:
        (comment,) = [
            other
            for other in self.records.comments
            if other["id"] == int(note) and other["on"] == int(number)
        ]
        comment["body"] = body["body"]
        return _json(200, comment)

    def _statuses(self, request: Request, _body: Any, project: str, commit: str) -> Reply:
        newest = {status["name"]: status for status in self.records.statuses if status["of"] == commit}
        return self.page(request, list(newest.values()))

    def _status(self, _request: Request, body: dict[str, Any], project: str, commit: str) -> Reply:
        if body["state"] not in {"pending", "running", "success", "failed", "canceled", "skipped"}:
            return _json(400, {"error": "state does not have a valid value"})
        name = body.get("name") or body.get("context") or "default"
        before = [
            status for status in self.records.statuses if status["of"] == commit and status["name"] == name
        ]
        if before and before[-1]["status"] == body["state"]:
            event = {"pending": "enqueue", "success": "success", "failed": "drop"}[body["state"]]
            message = f"Cannot transition status via :{event} from :{body['state']}"
            return _json(400, {"message": message})
        made = {
            "id": self.number(),
            "of": commit,
            "name": name,
            "status": body["state"],
            "description": body.get("description"),
            "target_url": body.get("target_url"),
        }
        self.records.statuses.append(made)
        return _json(201, made)
