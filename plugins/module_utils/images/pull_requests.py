# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull requests as an update of images wants them. What a forge is, this room does not know: it is given one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Per(Enum):
    """What a pull request is for: all images of an update, or each of its own."""

    UPDATE = "update"
    IMAGE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How an update asks for its pull requests."""

    per: Per = Per.UPDATE
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
    manner: Manner


@dataclass(frozen=True, slots=True)
class Proposed:
    """A pull request that is open; `created` if it was not before. `warnings` are what the forge did not take."""

    number: int
    url: str
    created: bool
    warnings: tuple[str, ...] = ()


class PullRequests(Protocol):
    """A forge's pull requests on the repository that an update writes to."""

    def find_or_open(self, proposal: Proposal) -> Proposed:
        """Have this one open and as it is said here; one of the same head is reused. Raises PlumbError."""

    def close_overtaken(self, keep: Sequence[str], prefix: str) -> None:
        """Close those whose head begins with `prefix`, but for the heads to keep. Raises PlumbError."""
