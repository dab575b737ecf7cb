# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pull requests of an update of images, on the inventory's forge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...forge.client import ForgeClient
from ...forge.pull_request import PullRequest, close_superseded, find_or_open
from ...forge.repository_address import ForgeRepository, repository_at
from ...images.pull_requests import Proposal, Proposed, PullRequests
from ...images.specs import UpdateSpec
from ...model.errors import InputError
from ..inventory.source_repositories import forge_repository


@dataclass(frozen=True, slots=True)
class _ForgePullRequests:
    """A forge's pull requests on one repository."""

    client: ForgeClient
    repository: ForgeRepository

    def find_or_open(self, proposal: Proposal) -> Proposed:
        manner = proposal.manner
        wanted = PullRequest(
            head=proposal.head,
            base=proposal.base,
            title=proposal.title,
            body=proposal.body,
            labels=manner.labels,
            reviewers=manner.reviewers,
            auto_merge=manner.auto_merge,
        )
        opened = find_or_open(self.client, self.repository, wanted)
        return Proposed(opened.number, opened.url, opened.created, opened.warnings)

    def close_superseded(self, keep: Sequence[str], prefix: str) -> None:
        close_superseded(self.client, self.repository, keep, prefix)


@contextmanager
def pull_requests(options: Mapping[str, Any], spec: UpdateSpec) -> Iterator[PullRequests | None]:
    """Yield where an update opens its pull requests, or None where it opens none. Raises InputError, ForgeError."""
    if spec.pull_request is None:
        yield None
        return
    if not options["forge"]:
        why = "no forge is named that it could be opened on"
        raise InputError(
            spec.subject, "opening a pull request", why, "Set plumb_forge, or leave pull_request out."
        )
    name = repository_at(options["forge"]["url"], spec.source.url)
    if name is None:
        why = f"source {spec.source.name} is not on the forge that plumb_forge names"
        raise InputError(
            spec.subject, "opening a pull request", why, "Correct plumb_forge, or the source's url."
        )
    repository = forge_repository(options, name)
    with ForgeClient(repository) as client:
        yield _ForgePullRequests(client, repository)
