# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions of a forge's API, and the description of a kind of forge; the rows are in api_table*.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any


class ForgeAction(Enum):
    """What a forge can do. A kind of forge that has no row for an action cannot do it."""

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
    FIND_PULL = "looking for the pull request"
    LIST_PULLS = "listing the open pull requests"
    SHOW_PULL = "looking at the pull request"
    COMPARE = "looking for what the pull request is based on"
    OPEN_PULL = "opening the pull request"
    EDIT_PULL = "changing the pull request"
    CLOSE_PULL = "closing the pull request"
    LIST_LABELS = "listing the labels"
    MAKE_LABEL = "creating the label"
    ADD_LABELS = "labelling the pull request"
    FIND_USER = "looking up the reviewer"
    LIST_REVIEWS = "listing the reviews of the pull request"
    ASK_REVIEW = "asking for reviews of the pull request"
    AUTO_MERGE = "having the pull request merged once it may be"
    LIST_COMMENTS = "listing the comments on the pull request"
    ADD_COMMENT = "commenting on the pull request"
    EDIT_COMMENT = "changing the comment on the pull request"
    LIST_STATUSES = "listing the statuses of the commit"
    SET_STATUS = "setting the status of the commit"


@dataclass(frozen=True, slots=True)
class Call:
    """A request. Its path has `{owner}`, `{name}`, `{project}` (both, as one word), `{id}` and `{inner}`, to be quoted.

    `sends` are the fields of its body: the forge's name, and ours (see the callers); `fixed` are fields
    that are always the same; `query` is filled in as the path is, and may contain `{head}` or `{user}` too.
    """

    method: str
    path: str
    sends: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    fixed: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    query: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    graphql: bool = False  # below the address of GraphQL instead


@dataclass(frozen=True, slots=True)
class ForgeResponse:
    """A forge's answer: its status, and its JSON (None where there is none)."""

    status: int
    content: Any


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A call filled in with values; `body` becomes JSON."""

    method: str
    address: str
    body: Any
    query: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forge:
    """One kind of forge."""

    title: str
    api: str  # what follows the forge's address
    elsewhere: Mapping[str, str]  # addresses whose API has one of its own
    authorization: tuple[str, str]  # the header, and its value with {token}
    headers: Mapping[str, str]
    page: Mapping[str, str]  # the query of a list; {page} counts from 1
    calls: Mapping[ForgeAction, Call]
    reads: Mapping[str, str]  # our name of a field, and the forge's; dots lead into maps
    # Our name of a yes or no; the forge's field, and its value for yes.
    means: Mapping[str, tuple[str, object]]
    graphql: str = ""  # what follows the forge's address for GraphQL
    nested_owners: bool = False  # whether an owner may be a path: group/subgroup
    # Of a commit: ours, theirs.
    states: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    longest_status: int = 255  # characters of a status's description
