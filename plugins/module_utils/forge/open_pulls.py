# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The open pull requests of a repository, with the commits that a preview compares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .api_calls import ForgeAction
from .client import ForgeClient
from .pull_request import is_from_fork

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPull:
    """An open pull request. Texts are by whoever opened it; `head` is the commit that it ends at."""

    number: int
    title: str
    author: str
    branch: str  # that it is to be merged into
    head: str
    fork: bool  # whether the branch is in another repository
    url: str


def open_pulls(client: ForgeClient) -> tuple[OpenPull, ...]:
    """Return the open pull requests by number, without those whose branch is gone. Raises ForgeError."""
    pulls = [_read(client, pull) for pull in client.list_items(ForgeAction.LIST_PULLS)]
    return tuple(sorted((pull for pull in pulls if pull is not None), key=lambda pull: pull.number))


def base_of(client: ForgeClient, pull: OpenPull) -> str:
    """Return the commit that the pull request began at: what both branches have in common. Raises ForgeError.

    Empty where the forge does not say it.
    """
    if client.can(ForgeAction.COMPARE):
        branch = client.request(ForgeAction.SHOW_PULL, identity=str(pull.number)).content
        tip = client.read(branch, "base_commit")
        content = client.request(ForgeAction.COMPARE, identity=f"{tip}...{pull.head}").content
    else:
        content = client.request(ForgeAction.SHOW_PULL, identity=str(pull.number)).content
    commit = client.read(content, "merge_base")
    return commit if _COMMIT.fullmatch(commit) else ""


def _read(client: ForgeClient, pull: Mapping[str, Any]) -> OpenPull | None:
    number, head = client.read(pull, "number"), client.read(pull, "head_commit")
    if not number.isdigit() or not _COMMIT.fullmatch(head):
        return None
    return OpenPull(
        number=int(number),
        title=client.read(pull, "title"),
        author=client.read(pull, "author"),
        branch=client.read(pull, "base"),
        head=head,
        fork=is_from_fork(client, pull),
        url=client.read(pull, "page"),
    )
