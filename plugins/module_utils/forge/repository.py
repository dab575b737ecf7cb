# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository on a forge: find it, make it, give it a first commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..model.errors import InputError
from ..source.first_commit import FirstCommit, check_first_commit, is_empty, push_first_commit
from .api_calls import ForgeAction
from .client import ForgeClient


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRepository:
    """What a repository should be. What is there already is left as it is."""

    create: bool
    private: bool = True
    description: str = ""
    first: FirstCommit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository as the forge describes it. In a check it may be one that would be created."""

    exists: bool
    url: str  # for Git over HTTP
    ssh_url: str = ""
    page: str = ""
    branch: str = ""
    private: bool = True
    created: bool = False
    commit: str = ""  # the first commit, if it was made now
    files: tuple[str, ...] = field(default=())  # what it holds, or in a check would hold

    @property
    def changed(self) -> bool:
        return self.created or bool(self.files)


def ensure_repository(client: ForgeClient, wanted: WantedRepository, *, check: bool) -> Repository:
    """Find the repository, create it if that is wanted, and give an empty one its first commit. Safe to repeat.

    In a check nothing is written, but all is asked: whether the token works, whether there is such an owner.
    Raises ForgeError, InputError, SourceError.
    """
    if wanted.first is not None:
        check_first_commit(wanted.first)
    found = client.ask(ForgeAction.FIND, missing=True)
    if found.status == 404:
        return _create(client, wanted, check=check)
    return _with_first_commit(client, _read(client, found.content), wanted, check=check)


def find_repository(client: ForgeClient) -> Repository:
    """The repository, which has to be there. Raises ForgeError."""
    return _read(client, client.ask(ForgeAction.FIND).content)


def whose_token(client: ForgeClient) -> str:
    """The name of the account that the token belongs to. Raises ForgeError where the token does not work."""
    login = client.read(client.ask(ForgeAction.WHO).content, "login")
    if not login:
        raise InputError(
            f"forge {client.place.base}",
            ForgeAction.WHO.value,
            f"the answer is not that of {client.place.forge.title}",
            "See that forge and url belong together.",
        )
    return login


def _create(client: ForgeClient, wanted: WantedRepository, *, check: bool) -> Repository:
    place = client.place
    login = whose_token(client)
    if not wanted.create:
        client.ask(ForgeAction.FIND)  # says that it is not there
    own = login.lower() == place.owner.lower()
    # Where an owner goes by a number (GitLab), it is needed for a user's own repositories, too.
    by_number = "owner_id" in place.forge.calls[ForgeAction.CREATE_OWN].sends.values()
    owner = client.ask(ForgeAction.OWNER).content if by_number or not own else None
    files = tuple(sorted(wanted.first.files)) if wanted.first else ()
    if check:
        return Repository(
            exists=False,
            url=place.clone_url,
            branch=place.branch,
            private=wanted.private,
            created=True,
            files=files,
        )
    values: dict[str, Any] = {
        "name": place.name,
        "description": wanted.description,
        "private": wanted.private,
        "visibility": "private" if wanted.private else "public",
        "branch": place.branch,
        "owner_id": int(client.read(owner, "id") or 0),
    }
    made = client.ask(ForgeAction.CREATE_OWN if own else ForgeAction.CREATE_FOR, values)
    repository = _read(client, made.content, created=True)
    return _with_first_commit(client, repository, wanted, check=False)


def _with_first_commit(
    client: ForgeClient, found: Repository, wanted: WantedRepository, *, check: bool
) -> Repository:
    if wanted.first is None or not is_empty(client.place.git):
        return found
    commit = "" if check else push_first_commit(client.place.git, wanted.first)
    return Repository(
        exists=True,
        url=found.url,
        ssh_url=found.ssh_url,
        page=found.page,
        branch=client.place.branch,
        private=found.private,
        created=found.created,
        commit=commit,
        files=tuple(sorted(wanted.first.files)),
    )


def _read(client: ForgeClient, content: Any, *, created: bool = False) -> Repository:
    if not isinstance(content, dict):
        raise InputError(
            client.place.subject,
            ForgeAction.FIND.value,
            f"the answer is not that of {client.place.forge.title}",
            "See that forge and url belong together.",
        )
    return Repository(
        exists=True,
        url=client.place.clone_url,
        ssh_url=client.read(content, "ssh_url"),
        page=client.read(content, "page"),
        branch=client.read(content, "branch"),
        private=client.holds(content, "private"),
        created=created,
    )
