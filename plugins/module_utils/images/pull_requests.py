# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull requests as an update of images needs them. What a forge is, this package does not know: it gets one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class PullRequestScope(Enum):
    """What a pull request is for: all images of an update, or one image."""

    UPDATE = "update"
    IMAGE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestOptions:
    """The options of an update for its pull requests."""

    per: PullRequestScope = PullRequestScope.UPDATE
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    auto_merge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A pull request that is to be open: from branch `head` into `base`."""

    head: str
    base: str
    title: str
    body: str
    manner: PullRequestOptions


@dataclass(frozen=True, slots=True)
class Proposed:
    """A pull request that is open; `created` if it was not before. `warnings` are what of it the forge refused."""

    number: int
    url: str
    created: bool
    warnings: tuple[str, ...] = ()


class PullRequests(Protocol):
    """A forge's pull requests on the repository that an update writes to."""

    def find_or_open(self, proposal: Proposal) -> Proposed:
        """Open a pull request, or bring the open one of the same head up to date. Raises PlumbError."""

    def close_superseded(self, keep: Sequence[str], prefix: str) -> None:
        """Close those whose head begins with `prefix`, except for the heads to keep. Raises PlumbError."""
