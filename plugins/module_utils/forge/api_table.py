# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the forges differ: addresses, headers, paths, names of fields. All of it is data; what is done is elsewhere.

From their public API documents: https://docs.gitea.com/api, https://docs.github.com/rest (version 2022-11-28) and
https://docs.gitlab.com/api/rest (version 4). Forgejo speaks Gitea's. Pull requests and statuses: api_table_pulls.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .api_calls import Call, Forge, ForgeAction
from .api_table_pulls import GITEA_PULLS, GITHUB_PULLS, GITLAB_PULLS, OF_GITEA, OF_GITHUB, OF_GITLAB

_CREATES = MappingProxyType({"name": "name", "description": "description", "private": "private"})
_KEY = MappingProxyType({"title": "title", "key": "key", "read_only": "read_only"})

# The two families share paths and names below /repos.
_REPOS = {
    ForgeAction.WHO: Call("GET", "/user"),
    ForgeAction.OWNER: Call("GET", "/orgs/{owner}"),
    ForgeAction.FIND: Call("GET", "/repos/{owner}/{name}"),
    ForgeAction.CREATE_OWN: Call("POST", "/user/repos", _CREATES),
    ForgeAction.CREATE_FOR: Call("POST", "/orgs/{owner}/repos", _CREATES),
    ForgeAction.LIST_KEYS: Call("GET", "/repos/{owner}/{name}/keys"),
    ForgeAction.ADD_KEY: Call("POST", "/repos/{owner}/{name}/keys", _KEY),
    ForgeAction.REMOVE_KEY: Call("DELETE", "/repos/{owner}/{name}/keys/{id}"),
}
_REPOS_READ = MappingProxyType(
    {
        "login": "login",
        "ssh_url": "ssh_url",
        "page": "html_url",
        "branch": "default_branch",
        "id": "id",
        "title": "title",
        "key": "key",
    }
)
_REPOS_MEAN = MappingProxyType({"private": ("private", True), "read_only": ("read_only", True)})

GITEA = Forge(
    title="Gitea",
    api="/api/v1",
    elsewhere={},
    authorization=("Authorization", "token {token}"),
    headers={"Accept": "application/json"},
    page={"page": "{page}", "limit": "50"},
    calls={
        **_REPOS,
        **GITEA_PULLS,
        # Gitea has to know the first branch's name before; the others take it from the first push.
        ForgeAction.CREATE_OWN: Call("POST", "/user/repos", {**_CREATES, "default_branch": "branch"}),
        ForgeAction.CREATE_FOR: Call("POST", "/orgs/{owner}/repos", {**_CREATES, "default_branch": "branch"}),
    },
    reads={**_REPOS_READ, **OF_GITEA},
    means=_REPOS_MEAN,
    states={state: state for state in ("pending", "success", "failure")},
)

GITHUB = Forge(
    title="GitHub",
    api="/api/v3",  # GitHub Enterprise Server
    elsewhere={"https://github.com": "https://api.github.com"},
    authorization=("Authorization", "Bearer {token}"),
    headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
    page={"page": "{page}", "per_page": "100"},
    calls={**_REPOS, **GITHUB_PULLS},
    reads={**_REPOS_READ, **OF_GITHUB},
    means=_REPOS_MEAN,
    graphql="/api/graphql",
    states={state: state for state in ("pending", "success", "failure")},
    longest_status=140,
)

_GITLAB_CREATE = Call(
    "POST",
    "/projects",
    {
        "name": "name",
        "path": "name",
        "description": "description",
        "visibility": "visibility",
        "namespace_id": "owner_id",
    },
)

GITLAB = Forge(
    title="GitLab",
    api="/api/v4",
    elsewhere={},
    authorization=("PRIVATE-TOKEN", "{token}"),
    headers={"Accept": "application/json"},
    page={"page": "{page}", "per_page": "100"},
    calls={
        ForgeAction.WHO: Call("GET", "/user"),
        ForgeAction.OWNER: Call("GET", "/namespaces/{owner}"),
        ForgeAction.FIND: Call("GET", "/projects/{project}"),
        ForgeAction.CREATE_OWN: _GITLAB_CREATE,
        ForgeAction.CREATE_FOR: _GITLAB_CREATE,
        ForgeAction.LIST_KEYS: Call("GET", "/projects/{project}/deploy_keys"),
        ForgeAction.ADD_KEY: Call(
            "POST",
            "/projects/{project}/deploy_keys",
            {"title": "title", "key": "key", "can_push": "can_push"},
        ),
        ForgeAction.REMOVE_KEY: Call("DELETE", "/projects/{project}/deploy_keys/{id}"),
        ForgeAction.LIST_TOKENS: Call("GET", "/projects/{project}/deploy_tokens"),
        ForgeAction.ADD_TOKEN: Call(
            "POST", "/projects/{project}/deploy_tokens", {"name": "title", "scopes": "scopes"}
        ),
        ForgeAction.REMOVE_TOKEN: Call("DELETE", "/projects/{project}/deploy_tokens/{id}"),
        **GITLAB_PULLS,
    },
    reads={
        **OF_GITLAB,
        "login": "username",
        "ssh_url": "ssh_url_to_repo",
        "page": "web_url",
        "branch": "default_branch",
        "id": "id",
        "title": "title",
        "key": "key",
        "token_name": "name",
        "token_user": "username",
        "token": "token",
    },
    means={
        "private": ("visibility", "private"),
        "read_only": ("can_push", False),
        "revoked": ("revoked", True),
        "expired": ("expired", True),
    },
    nested_owners=True,
    states={"pending": "pending", "success": "success", "failure": "failed"},
)

FORGES: Mapping[str, Forge] = MappingProxyType(
    {"gitea": GITEA, "forgejo": GITEA, "github": GITHUB, "gitlab": GITLAB}
)
# What GitLab calls the right to read a repository with a deploy token.
READ_SCOPES = ("read_repository",)
