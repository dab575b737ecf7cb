# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the forges' table about pull requests, comments and commit statuses; sources as in api_table.py."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .api_calls import Call, ForgeAction

_REPO = "/repos/{owner}/{name}"
_PULL = f"{_REPO}/pulls/{{id}}"
_ISSUE = f"{_REPO}/issues/{{id}}"
_BODY = MappingProxyType({"body": "body"})
_TEXTS = MappingProxyType({"title": "title", "body": "body", "base": "base"})
_STATUS = MappingProxyType(
    {"state": "state", "context": "context", "description": "description", "target_url": "link"}
)

_BOTH = {
    ForgeAction.LIST_PULLS: Call("GET", f"{_REPO}/pulls", query={"state": "open"}),
    ForgeAction.FIND_PULL: Call("GET", f"{_REPO}/pulls", query={"state": "open"}),
    ForgeAction.SHOW_PULL: Call("GET", _PULL),
    ForgeAction.OPEN_PULL: Call("POST", f"{_REPO}/pulls", {**_TEXTS, "head": "head"}),
    ForgeAction.EDIT_PULL: Call("PATCH", _PULL, _TEXTS),
    ForgeAction.CLOSE_PULL: Call("PATCH", _PULL, fixed={"state": "closed"}),
    ForgeAction.ADD_LABELS: Call("POST", f"{_ISSUE}/labels", {"labels": "labels"}),
    ForgeAction.LIST_REVIEWS: Call("GET", f"{_PULL}/reviews"),
    ForgeAction.ASK_REVIEW: Call("POST", f"{_PULL}/requested_reviewers", {"reviewers": "reviewers"}),
    ForgeAction.LIST_COMMENTS: Call("GET", f"{_ISSUE}/comments"),
    ForgeAction.ADD_COMMENT: Call("POST", f"{_ISSUE}/comments", _BODY),
    ForgeAction.EDIT_COMMENT: Call("PATCH", f"{_REPO}/issues/comments/{{inner}}", _BODY),
    ForgeAction.LIST_STATUSES: Call("GET", f"{_REPO}/commits/{{id}}/statuses"),
    ForgeAction.SET_STATUS: Call("POST", f"{_REPO}/statuses/{{id}}", _STATUS),
}

GITEA_PULLS: Mapping[ForgeAction, Call] = MappingProxyType(
    _BOTH
    | {  # a label is made before it is given
        ForgeAction.LIST_LABELS: Call("GET", f"{_REPO}/labels"),
        ForgeAction.MAKE_LABEL: Call(
            "POST", f"{_REPO}/labels", {"name": "label"}, fixed={"color": "#0e8a16"}
        ),
        ForgeAction.AUTO_MERGE: Call(
            "POST", f"{_PULL}/merge", {"Do": "merge_style"}, fixed={"merge_when_checks_succeed": True}
        ),
    }
)

GITHUB_PULLS: Mapping[ForgeAction, Call] = MappingProxyType(
    _BOTH
    | {
        ForgeAction.FIND_PULL: Call(
            "GET", f"{_REPO}/pulls", query={"state": "open", "head": "{owner}:{head}"}
        ),
        ForgeAction.COMPARE: Call("GET", f"{_REPO}/compare/{{id}}"),
        ForgeAction.AUTO_MERGE: Call(
            "POST", "", {"query": "graphql", "variables": "variables"}, graphql=True
        ),
    }
)

_MR = "/projects/{project}/merge_requests"
GITLAB_PULLS: Mapping[ForgeAction, Call] = MappingProxyType(
    {
        ForgeAction.LIST_PULLS: Call("GET", _MR, query={"state": "opened"}),
        ForgeAction.FIND_PULL: Call("GET", _MR, query={"state": "opened", "source_branch": "{head}"}),
        ForgeAction.SHOW_PULL: Call("GET", f"{_MR}/{{id}}"),
        ForgeAction.OPEN_PULL: Call(
            "POST",
            _MR,
            {"title": "title", "description": "body", "target_branch": "base", "source_branch": "head"},
        ),
        ForgeAction.EDIT_PULL: Call(
            "PUT", f"{_MR}/{{id}}", {"title": "title", "description": "body", "target_branch": "base"}
        ),
        ForgeAction.CLOSE_PULL: Call("PUT", f"{_MR}/{{id}}", fixed={"state_event": "close"}),
        ForgeAction.ADD_LABELS: Call("PUT", f"{_MR}/{{id}}", {"add_labels": "labels_text"}),
        ForgeAction.FIND_USER: Call("GET", "/users", query={"username": "{user}"}),
        ForgeAction.ASK_REVIEW: Call("PUT", f"{_MR}/{{id}}", {"reviewer_ids": "reviewer_ids"}),
        # The first name is that of newer versions; each ignores the other's.
        ForgeAction.AUTO_MERGE: Call(
            "PUT", f"{_MR}/{{id}}/merge", fixed={"auto_merge": True, "merge_when_pipeline_succeeds": True}
        ),
        ForgeAction.LIST_COMMENTS: Call("GET", f"{_MR}/{{id}}/notes"),
        ForgeAction.ADD_COMMENT: Call("POST", f"{_MR}/{{id}}/notes", _BODY),
        ForgeAction.EDIT_COMMENT: Call("PUT", f"{_MR}/{{id}}/notes/{{inner}}", _BODY),
        ForgeAction.LIST_STATUSES: Call("GET", "/projects/{project}/repository/commits/{id}/statuses"),
        ForgeAction.SET_STATUS: Call("POST", "/projects/{project}/statuses/{id}", _STATUS),
    }
)

_OF_BOTH = {
    "number": "number",
    "head": "head.ref",
    "head_commit": "head.sha",
    "head_project": "head.repo.full_name",
    "base": "base.ref",
    "base_commit": "base.sha",
    "base_project": "base.repo.full_name",
    "body": "body",
    "author": "user.login",
    "label": "name",
    "reviewers": "requested_reviewers",
    "reviewer": "login",
    "context": "context",
    "description": "description",
    "link": "target_url",
}
OF_GITEA = MappingProxyType(
    {**_OF_BOTH, "merge_base": "merge_base", "merge_style": "default_merge_style", "state": "status"}
)
OF_GITHUB = MappingProxyType(
    {**_OF_BOTH, "merge_base": "merge_base_commit.sha", "node": "node_id", "state": "state"}
)
OF_GITLAB = MappingProxyType(
    {
        "number": "iid",
        "head": "source_branch",
        "head_commit": "sha",
        "head_project": "source_project_id",
        "base": "target_branch",
        "base_project": "target_project_id",
        "merge_base": "diff_refs.base_sha",
        "body": "description",
        "note": "body",
        "author": "author.username",
        "reviewers": "reviewers",
        "reviewer": "username",
        "context": "name",
        "state": "status",
        "description": "description",
        "link": "target_url",
    }
)
