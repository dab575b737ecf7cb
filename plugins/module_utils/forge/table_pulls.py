# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the forges' table about pull requests, comments and commit statuses; sources as in table.py."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .call import Action, Call

_REPO = "/repos/{owner}/{name}"
_PULL = f"{_REPO}/pulls/{{id}}"
_ISSUE = f"{_REPO}/issues/{{id}}"
_BODY = MappingProxyType({"body": "body"})
_TEXTS = MappingProxyType({"title": "title", "body": "body", "base": "base"})
_STATUS = MappingProxyType(
    {"state": "state", "context": "context", "description": "description", "target_url": "link"}
)

_BOTH = {
    Action.LIST_PULLS: Call("GET", f"{_REPO}/pulls", query={"state": "open"}),
    Action.FIND_PULL: Call("GET", f"{_REPO}/pulls", query={"state": "open"}),
    Action.SHOW_PULL: Call("GET", _PULL),
    Action.OPEN_PULL: Call("POST", f"{_REPO}/pulls", {**_TEXTS, "head": "head"}),
    Action.EDIT_PULL: Call("PATCH", _PULL, _TEXTS),
    Action.CLOSE_PULL: Call("PATCH", _PULL, fixed={"state": "closed"}),
    Action.ADD_LABELS: Call("POST", f"{_ISSUE}/labels", {"labels": "labels"}),
    Action.LIST_REVIEWS: Call("GET", f"{_PULL}/reviews"),
    Action.ASK_REVIEW: Call("POST", f"{_PULL}/requested_reviewers", {"reviewers": "reviewers"}),
    Action.LIST_COMMENTS: Call("GET", f"{_ISSUE}/comments"),
    Action.ADD_COMMENT: Call("POST", f"{_ISSUE}/comments", _BODY),
    Action.EDIT_COMMENT: Call("PATCH", f"{_REPO}/issues/comments/{{inner}}", _BODY),
    Action.LIST_STATUSES: Call("GET", f"{_REPO}/commits/{{id}}/statuses"),
    Action.SET_STATUS: Call("POST", f"{_REPO}/statuses/{{id}}", _STATUS),
}

GITEA_PULLS: Mapping[Action, Call] = MappingProxyType(
    _BOTH
    | {  # a label is made before it is given
        Action.LIST_LABELS: Call("GET", f"{_REPO}/labels"),
        Action.MAKE_LABEL: Call("POST", f"{_REPO}/labels", {"name": "label"}, fixed={"color": "#0e8a16"}),
        Action.AUTO_MERGE: Call(
            "POST", f"{_PULL}/merge", {"Do": "merge_style"}, fixed={"merge_when_checks_succeed": True}
        ),
    }
)

GITHUB_PULLS: Mapping[Action, Call] = MappingProxyType(
    _BOTH
    | {
        Action.FIND_PULL: Call("GET", f"{_REPO}/pulls", query={"state": "open", "head": "{owner}:{head}"}),
        Action.COMPARE: Call("GET", f"{_REPO}/compare/{{id}}"),
        Action.AUTO_MERGE: Call("POST", "", {"query": "graphql", "variables": "variables"}, graphql=True),
    }
)

_MR = "/projects/{project}/merge_requests"
GITLAB_PULLS: Mapping[Action, Call] = MappingProxyType(
    {
        Action.LIST_PULLS: Call("GET", _MR, query={"state": "opened"}),
        Action.FIND_PULL: Call("GET", _MR, query={"state": "opened", "source_branch": "{head}"}),
        Action.SHOW_PULL: Call("GET", f"{_MR}/{{id}}"),
        Action.OPEN_PULL: Call(
            "POST",
            _MR,
            {"title": "title", "description": "body", "target_branch": "base", "source_branch": "head"},
        ),
        Action.EDIT_PULL: Call(
            "PUT", f"{_MR}/{{id}}", {"title": "title", "description": "body", "target_branch": "base"}
        ),
        Action.CLOSE_PULL: Call("PUT", f"{_MR}/{{id}}", fixed={"state_event": "close"}),
        Action.ADD_LABELS: Call("PUT", f"{_MR}/{{id}}", {"add_labels": "labels_text"}),
        Action.FIND_USER: Call("GET", "/users", query={"username": "{user}"}),
        Action.ASK_REVIEW: Call("PUT", f"{_MR}/{{id}}", {"reviewer_ids": "reviewer_ids"}),
        # The first name is that of newer versions; each ignores the other's.
        Action.AUTO_MERGE: Call(
            "PUT", f"{_MR}/{{id}}/merge", fixed={"auto_merge": True, "merge_when_pipeline_succeeds": True}
        ),
        Action.LIST_COMMENTS: Call("GET", f"{_MR}/{{id}}/notes"),
        Action.ADD_COMMENT: Call("POST", f"{_MR}/{{id}}/notes", _BODY),
        Action.EDIT_COMMENT: Call("PUT", f"{_MR}/{{id}}/notes/{{inner}}", _BODY),
        Action.LIST_STATUSES: Call("GET", "/projects/{project}/repository/commits/{id}/statuses"),
        Action.SET_STATUS: Call("POST", "/projects/{project}/statuses/{id}", _STATUS),
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
