# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Automatic merge: the forge merges a pull request by itself, as soon as its checks and reviews allow it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..http.retry import TryAgain, retry
from ..model.errors import printable
from .api_calls import ForgeAction
from .client import ForgeClient
from .errors import ForgeError

_TRIES = 6
_PAUSE = 0.5  # seconds; a forge looks for conflicts first, and refuses meanwhile
_MERGED_OR_ORDERED = 409  # Gitea's status where it was asked for before
_NOT_YET = frozenset({405, 422})
_MUTATION = (
    "mutation($pull: ID!, $method: PullRequestMergeMethod!) {"
    " enablePullRequestAutoMerge(input: {pullRequestId: $pull, mergeMethod: $method}) { clientMutationId } }"
)
# GitHub's ways to merge, in order of preference: the repository's setting that allows it, and its name.
_METHODS = (
    ("allow_merge_commit", "MERGE"),
    ("allow_squash_merge", "SQUASH"),
    ("allow_rebase_merge", "REBASE"),
)


def enable_auto_merge(client: ForgeClient, number: str, pull: Mapping[str, Any]) -> None:
    """Have the forge merge the pull request once it may, unless that was asked for already. Raises ForgeError."""
    if pull.get("auto_merge") or pull.get("merge_when_pipeline_succeeds"):
        return
    values = _values(client, pull)

    def attempt(last: bool) -> None:
        try:
            answer = client.request(ForgeAction.AUTO_MERGE, values, identity=number)
        except ForgeError as error:
            if error.status == _MERGED_OR_ORDERED:
                return
            if error.status not in _NOT_YET or last:
                raise
            raise TryAgain(_PAUSE) from error
        _check_graphql(client, answer.content)

    retry(attempt, tries=_TRIES, pause=_PAUSE)


def _values(client: ForgeClient, pull: Mapping[str, Any]) -> dict[str, Any]:
    repository = client.request(ForgeAction.FIND).content
    settings = repository if isinstance(repository, dict) else {}
    method = next((name for key, name in _METHODS if settings.get(key, True)), "MERGE")
    return {
        "merge_style": client.read(settings, "merge_style") or "merge",
        "graphql": _MUTATION,
        "variables": {"pull": client.read(pull, "node"), "method": method},
    }


def _check_graphql(client: ForgeClient, content: Any) -> None:
    """Raise ForgeError for a refusal, which GraphQL sends with status 200."""
    errors = content.get("errors") if isinstance(content, dict) else None
    if errors:
        messages = [str(error.get("message", "")) for error in errors if isinstance(error, dict)]
        raise ForgeError(
            client.repository.subject,
            ForgeAction.AUTO_MERGE.value,
            printable("; ".join(messages) or json.dumps(errors), 300),
            "Allow it in the repository's settings, and have a branch rule that asks for something first.",
        )
