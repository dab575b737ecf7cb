# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GitHub and GitLab as their public API documents describe them, on loopback, with real Git behind.

Written from https://docs.github.com/rest (repos, orgs, deploy-keys; version 2022-11-28) and
https://docs.gitlab.com/api (projects, namespaces, deploy_keys, deploy_tokens), not from the client that it tests.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer, Reply, Request

TOKEN = "s3cr3t-forge-token"
GIT_HOST = "git.example.com"
Route = tuple[str, str, Callable[..., Reply]]


def _json(status: int, content: Any) -> Reply:
    return Reply(status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(content).encode())


@dataclass(slots=True)
class Project:
    """What such a forge knows of one repository."""

    number: int
    path: str
    private: bool
    description: str
    keys: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[dict[str, Any]] = field(default_factory=list)


class ForgeServer:
    """What both have in common: accounts, repositories, and Git over HTTP below the same address."""

    user = "alma"
    groups: tuple[str, ...] = ()

    def __init__(self, root: Path) -> None:
        self.root = root
        self.projects: dict[str, Project] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.git = GitServer(root, token=TOKEN)
        self.git.intercept = self._answer
        self._number = 100

    def routes(self) -> tuple[Route, ...]:
        """Return method, path's pattern and handler of each request that it knows."""
        raise NotImplementedError

    def refused(self, request: Request) -> Reply | None:
        """Return the reply to a request without the right token; None for one with it."""
        raise NotImplementedError

    def number(self) -> int:
        """Return a number that no other object has."""
        self._number += 1
        return self._number

    def project_of(self, project: str) -> Project:
        """Return the project of a path; KeyError where there is none."""
        if project not in self.projects:
            raise KeyError(project)
        return self.projects[project]

    def make(self, path: str, *, private: bool, description: str) -> Project:
        """Make a repository, and its project."""
        folder = self.root / f"{path}.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(folder)], check=True)
        subprocess.run(["git", "-C", str(folder), "config", "http.receivepack", "true"], check=True)
        self.projects[path] = Project(self.number(), path, private, description)
        return self.projects[path]

    def page(self, request: Request, items: list[dict[str, Any]]) -> Reply:
        """Return the page of items that a request is for."""
        query = parse_qs(urlsplit(request.path).query)
        size, page = int(query.get("per_page", ["30"])[0]), int(query.get("page", ["1"])[0])
        return _json(200, items[(page - 1) * size : page * size])

    def _answer(self, request: Request) -> Reply | None:
        path = urlsplit(request.path).path
        if not path.startswith("/api/"):
            return None
        body = json.loads(request.body) if request.body else None
        self.asked.append((request.method, path, body))
        if refusal := self.refused(request):
            return refusal
        for method, pattern, act in self.routes():
            match = re.fullmatch(pattern, path)
            if match and method == request.method:
                try:
                    return act(
                        request, body, **{key: unquote(value) for key, value in match.groupdict().items()}
                    )
                except KeyError:
                    return self.missing()
        return self.missing()

    def missing(self) -> Reply:
        """Return the reply of 404."""
        raise NotImplementedError


class GitHub(ForgeServer):
    """GitHub Enterprise Server: its API is below /api/v3."""

    groups = ("platform",)

    def routes(self) -> tuple[Route, ...]:
        """Return the requests that it knows."""
        project = r"/api/v3/repos/(?P<project>[^/]+/[^/]+)"
        return (
            ("GET", "/api/v3/user", lambda _request, _body: _json(200, {"login": self.user, "id": 1})),
            ("GET", "/api/v3/orgs/(?P<name>[^/]+)", self._org),
            ("POST", "/api/v3/user/repos", lambda _request, body: self._create(self.user, body)),
            (
                "POST",
                "/api/v3/orgs/(?P<name>[^/]+)/repos",
                lambda _request, body, name: self._create(name, body),
            ),
            (
                "GET",
                project,
                lambda _request, _body, project: _json(200, self._shown(self.project_of(project))),
            ),
            (
                "GET",
                f"{project}/keys",
                lambda request, _body, project: self.page(request, self.project_of(project).keys),
            ),
            ("POST", f"{project}/keys", self._add_key),
            ("DELETE", f"{project}/keys/(?P<number>[0-9]+)", self._remove_key),
        )

    def refused(self, request: Request) -> Reply | None:
        """Return 401 for a request without the token."""
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _json(
                401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"}
            )
        assert request.headers["accept"] == "application/vnd.github+json"
        assert request.headers["x-github-api-version"] == "2022-11-28"
        return None

    def missing(self) -> Reply:
        """Return the reply of 404."""
        return _json(
            404,
            {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"},
        )

    def _org(self, _request: Request, _body: Any, name: str) -> Reply:
        return _json(200, {"login": name, "id": 2}) if name in self.groups else self.missing()

    def _create(self, owner: str, body: dict[str, Any]) -> Reply:
        path = f"{owner}/{body['name']}"
        if path in self.projects:
            error = {
                "resource": "Repository",
                "code": "custom",
                "field": "name",
                "message": "name already exists on this account",
            }
            return _json(422, {"message": "Repository creation failed.", "errors": [error]})
        made = self.make(path, private=body.get("private", False), description=body.get("description", ""))
        return _json(201, self._shown(made))

    def _shown(self, project: Project) -> dict[str, Any]:
        return {
            "id": project.number,
            "full_name": project.path,
            "private": project.private,
            "visibility": "private" if project.private else "public",
            "html_url": f"https://{GIT_HOST}/{project.path}",
            "clone_url": f"https://{GIT_HOST}/{project.path}.git",
            "ssh_url": f"git@{GIT_HOST}:{project.path}.git",
            "default_branch": "main",
        }

    def _add_key(self, _request: Request, body: dict[str, Any], project: str) -> Reply:
        used = [key["key"] for other in self.projects.values() for key in other.keys]
        if body["key"] in used:
            error = {
                "resource": "PublicKey",
                "code": "custom",
                "field": "key",
                "message": "key is already in use",
            }
            return _json(422, {"message": "Validation Failed", "errors": [error]})
        key = {
            "id": self.number(),
            "key": body["key"],
            "title": body["title"],
            "verified": True,
            "created_at": "2026-12-10T15:53:42Z",
            "read_only": body.get("read_only", False),
        }
        self.project_of(project).keys.append(key)
        return _json(201, key)

    def _remove_key(self, _request: Request, _body: Any, project: str, number: str) -> Reply:
        keys = self.project_of(project).keys
        keys.remove(next(key for key in keys if key["id"] == int(number)))
        return Reply(204)


class GitLab(ForgeServer):
    """GitLab, self-managed."""

    groups = ("platform/clusters",)

    def routes(self) -> tuple[Route, ...]:
        """Return the requests that it knows."""
        project = r"/api/v4/projects/(?P<project>[^/]+)"
        return (
            ("GET", "/api/v4/user", lambda _request, _body: _json(200, {"id": 1, "username": self.user})),
            ("GET", "/api/v4/namespaces/(?P<name>[^/]+)", self._namespace),
            ("POST", "/api/v4/projects", self._create),
            (
                "GET",
                project,
                lambda _request, _body, project: _json(200, self._shown(self.project_of(project))),
            ),
            (
                "GET",
                f"{project}/deploy_keys",
                lambda request, _body, project: self.page(request, self.project_of(project).keys),
            ),
            ("POST", f"{project}/deploy_keys", self._add_key),
            ("DELETE", f"{project}/deploy_keys/(?P<number>[0-9]+)", self._remove("keys")),
            ("GET", f"{project}/deploy_tokens", self._tokens),
            ("POST", f"{project}/deploy_tokens", self._add_token),
            ("DELETE", f"{project}/deploy_tokens/(?P<number>[0-9]+)", self._remove("tokens")),
        )

    def refused(self, request: Request) -> Reply | None:
        """Return 401 for a request without the token."""
        if request.headers.get("private-token") != TOKEN:
            return _json(401, {"message": "401 Unauthorized"})
        return None

    def missing(self) -> Reply:
        """Return the reply of 404."""
        return _json(404, {"message": "404 Project Not Found"})

    def _namespace(self, _request: Request, _body: Any, name: str) -> Reply:
        names = {self.user: 1, **{group: 20 + index for index, group in enumerate(self.groups)}}
        if name not in names:
            return _json(404, {"message": "404 Namespace Not Found"})
        kind = "user" if name == self.user else "group"
        return _json(
            200, {"id": names[name], "path": name.rpartition("/")[2], "kind": kind, "full_path": name}
        )

    def _create(self, _request: Request, body: dict[str, Any]) -> Reply:
        owners = {1: self.user, **{20 + index: group for index, group in enumerate(self.groups)}}
        path = f"{owners[body.get('namespace_id', 1)]}/{body['path']}"
        if path in self.projects:
            return _json(400, {"message": {"path": ["has already been taken"]}})
        private = body.get("visibility", "private") == "private"
        return _json(
            201, self._shown(self.make(path, private=private, description=body.get("description", "")))
        )

    def _shown(self, project: Project) -> dict[str, Any]:
        return {
            "id": project.number,
            "path_with_namespace": project.path,
            "visibility": "private" if project.private else "public",
            "web_url": f"https://{GIT_HOST}/{project.path}",
            "http_url_to_repo": f"https://{GIT_HOST}/{project.path}.git",
            "ssh_url_to_repo": f"git@{GIT_HOST}:{project.path}.git",
            "default_branch": "main",
        }

    def _add_key(self, _request: Request, body: dict[str, Any], project: str) -> Reply:
        key = {
            "id": self.number(),
            "key": body["key"],
            "title": body["title"],
            "can_push": body.get("can_push", False),
            "created_at": "2026-08-29T12:44:31.550Z",
            "expires_at": None,
        }
        self.project_of(project).keys.append(key)
        return _json(201, key)

    def _tokens(self, request: Request, _body: Any, project: str) -> Reply:
        shown = [
            {key: value for key, value in token.items() if key != "token"}
            for token in self.project_of(project).tokens
        ]
        return self.page(request, shown)

    def _add_token(self, _request: Request, body: dict[str, Any], project: str) -> Reply:
        number = self.number()
        token = {
            "id": number,
            "name": body["name"],
            "username": f"gitlab+deploy-token-{number}",
            "expires_at": None,
            "token": f"gldt-{number}",
            "revoked": False,
            "expired": False,
            "scopes": body["scopes"],
        }
        self.project_of(project).tokens.append(token)
        return _json(201, token)

    def _remove(self, what: str) -> Callable[..., Reply]:
        def remove(_request: Request, _body: Any, project: str, number: str) -> Reply:
            items = getattr(self.project_of(project), what)
            items.remove(next(item for item in items if item["id"] == int(number)))
            return Reply(204)

        return remove
