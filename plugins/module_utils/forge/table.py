# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the forges differ: addresses, headers, paths, names of fields. All of it is data; what is done is elsewhere.

From their public API documents: https://docs.gitea.com/api, https://docs.github.com/rest (version 2022-11-28) and
https://docs.gitlab.com/api/rest (version 4). Forgejo speaks Gitea's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType


class Action(Enum):
    """What a forge is asked to do. A forge that lacks a row for one cannot do it."""

    WHO = "asking whose token it is"
    OWNER = "looking up the owner"
    FIND = "looking up the repository"
    CREATE_OWN = "creating the repository"
    CREATE_FOR = "creating the repository for its owner"
    LIST_KEYS = "listing the deploy keys"
    ADD_KEY = "adding the deploy key"
    REMOVE_KEY = "removing the deploy key"
    LIST_TOKENS = "listing the deploy tokens"
    ADD_TOKEN = "creating the deploy token"  # noqa: S105 - a name
    REMOVE_TOKEN = "removing the deploy token"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `{owner}`, `{name}`, `{project}` (both, as one word) and `{id}` in the path are filled in, quoted.

    `sends` are the fields of its body: the forge's name, and ours (see `repository.py` and `deploy_key.py`).
    """

    method: str
    path: str
    sends: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Forge:
    """One kind of forge."""

    title: str
    api: str  # what follows the forge's address
    elsewhere: Mapping[str, str]  # addresses whose API has one of its own
    authorization: tuple[str, str]  # the header, and its value with {token}
    headers: Mapping[str, str]
    page: Mapping[str, str]  # the query of a list; {page} counts from 1
    calls: Mapping[Action, Call]
    reads: Mapping[str, str]  # our name of a field, and the forge's
    means: Mapping[
        str, tuple[str, object]
    ]  # our name of a yes or no; the forge's field, and its value for yes
    nested_owners: bool = False  # whether an owner may be a path: group/subgroup


_CREATES = MappingProxyType({"name": "name", "description": "description", "private": "private"})
_KEY = MappingProxyType({"title": "title", "key": "key", "read_only": "read_only"})

# The two families share paths and names below /repos.
_REPOS = {
    Action.WHO: Call("GET", "/user"),
    Action.OWNER: Call("GET", "/orgs/{owner}"),
    Action.FIND: Call("GET", "/repos/{owner}/{name}"),
    Action.CREATE_OWN: Call("POST", "/user/repos", _CREATES),
    Action.CREATE_FOR: Call("POST", "/orgs/{owner}/repos", _CREATES),
    Action.LIST_KEYS: Call("GET", "/repos/{owner}/{name}/keys"),
    Action.ADD_KEY: Call("POST", "/repos/{owner}/{name}/keys", _KEY),
    Action.REMOVE_KEY: Call("DELETE", "/repos/{owner}/{name}/keys/{id}"),
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
    calls=_REPOS
    | {  # Gitea takes the first branch's name beforehand; the others take it from the first push
        Action.CREATE_OWN: Call("POST", "/user/repos", {**_CREATES, "default_branch": "branch"}),
        Action.CREATE_FOR: Call("POST", "/orgs/{owner}/repos", {**_CREATES, "default_branch": "branch"}),
    },
    reads=_REPOS_READ,
    means=_REPOS_MEAN,
)

GITHUB = Forge(
    title="GitHub",
    api="/api/v3",  # GitHub Enterprise Server
    elsewhere={"https://github.com": "https://api.github.com"},
    authorization=("Authorization", "Bearer {token}"),
    headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
    page={"page": "{page}", "per_page": "100"},
    calls=_REPOS,
    reads=_REPOS_READ,
    means=_REPOS_MEAN,
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
        Action.WHO: Call("GET", "/user"),
        Action.OWNER: Call("GET", "/namespaces/{owner}"),
        Action.FIND: Call("GET", "/projects/{project}"),
        Action.CREATE_OWN: _GITLAB_CREATE,
        Action.CREATE_FOR: _GITLAB_CREATE,
        Action.LIST_KEYS: Call("GET", "/projects/{project}/deploy_keys"),
        Action.ADD_KEY: Call(
            "POST",
            "/projects/{project}/deploy_keys",
            {"title": "title", "key": "key", "can_push": "can_push"},
        ),
        Action.REMOVE_KEY: Call("DELETE", "/projects/{project}/deploy_keys/{id}"),
        Action.LIST_TOKENS: Call("GET", "/projects/{project}/deploy_tokens"),
        Action.ADD_TOKEN: Call(
            "POST", "/projects/{project}/deploy_tokens", {"name": "title", "scopes": "scopes"}
        ),
        Action.REMOVE_TOKEN: Call("DELETE", "/projects/{project}/deploy_tokens/{id}"),
    },
    reads={
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
)

FORGES: Mapping[str, Forge] = MappingProxyType(
    {"gitea": GITEA, "forgejo": GITEA, "github": GITHUB, "gitlab": GITLAB}
)
# What GitLab calls the right to read a repository with a deploy token.
READ_SCOPES = ("read_repository",)
