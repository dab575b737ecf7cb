# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository on a forge: find it, create it, give it a first commit."""

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
        """Whether anything was, or in a check would be, changed."""
        return self.created or bool(self.files)


def ensure_repository(client: ForgeClient, wanted: WantedRepository, *, check: bool) -> Repository:
    """Find the repository, create it if that is wanted, and give an empty one its first commit. Safe to repeat.

    In a check nothing is written, but everything is read: whether the token works, whether there is such an owner.
    Raises ForgeError, InputError, SourceError.
    """
    if wanted.first is not None:
        check_first_commit(wanted.first)
    answer = client.request(ForgeAction.FIND, missing=True)
    if answer.status == 404:
        return _create(client, wanted, check=check)
    return _with_first_commit(client, _read(client, answer.content), wanted, check=check)


def find_repository(client: ForgeClient) -> Repository:
    """Return the repository, which has to be there. Raises ForgeError."""
    return _read(client, client.request(ForgeAction.FIND).content)


def token_owner(client: ForgeClient) -> str:
    """Return the name of the account that the token belongs to. Raises ForgeError where the token does not work."""
    login = client.read(client.request(ForgeAction.WHO).content, "login")
    if not login:
        raise InputError(
            f"forge {client.repository.base}",
            ForgeAction.WHO.value,
            f"the answer is not that of {client.repository.forge.title}",
            "See that forge and url belong together.",
        )
    return login


def _create(client: ForgeClient, wanted: WantedRepository, *, check: bool) -> Repository:
    address = client.repository
    login = token_owner(client)
    if not wanted.create:
        client.request(ForgeAction.FIND)  # raises that it does not exist
    own = login.lower() == address.owner.lower()
    # Where an owner goes by a number (GitLab), it is needed for a user's own repositories, too.
    by_number = "owner_id" in address.forge.calls[ForgeAction.CREATE_OWN].sends.values()
    owner = client.request(ForgeAction.OWNER).content if by_number or not own else None
    files = tuple(sorted(wanted.first.files)) if wanted.first else ()
    if check:
        return Repository(
            exists=False,
            url=address.clone_url,
            branch=address.branch,
            private=wanted.private,
            created=True,
            files=files,
        )
    values: dict[str, Any] = {
        "name": address.name,
        "description": wanted.description,
        "private": wanted.private,
        "visibility": "private" if wanted.private else "public",
        "branch": address.branch,
        "owner_id": int(client.read(owner, "id") or 0),
    }
    made = client.request(ForgeAction.CREATE_OWN if own else ForgeAction.CREATE_FOR, values)
    repository = _read(client, made.content, created=True)
    return _with_first_commit(client, repository, wanted, check=False)


def _with_first_commit(
    client: ForgeClient, repository: Repository, wanted: WantedRepository, *, check: bool
) -> Repository:
    if wanted.first is None or not is_empty(client.repository.git):
        return repository
    commit = "" if check else push_first_commit(client.repository.git, wanted.first)
    return Repository(
        exists=True,
        url=repository.url,
        ssh_url=repository.ssh_url,
        page=repository.page,
        branch=client.repository.branch,
        private=repository.private,
        created=repository.created,
        commit=commit,
        files=tuple(sorted(wanted.first.files)),
    )


def _read(client: ForgeClient, content: Any, *, created: bool = False) -> Repository:
    if not isinstance(content, dict):
        raise InputError(
            client.repository.subject,
            ForgeAction.FIND.value,
            f"the answer is not that of {client.repository.forge.title}",
            "See that forge and url belong together.",
        )
    return Repository(
        exists=True,
        url=client.repository.clone_url,
        ssh_url=client.read(content, "ssh_url"),
        page=client.read(content, "page"),
        branch=client.read(content, "branch"),
        private=client.holds(content, "private"),
        created=created,
    )
