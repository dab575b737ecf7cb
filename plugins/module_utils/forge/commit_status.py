# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a commit: what became of it where it was to be applied."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from ..model.errors import InputError, printable
from .api_calls import ForgeAction
from .client import ForgeClient
from .errors import ForgeError

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class State(Enum):
    """What a status says."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One status of one commit; `context` tells it from others, `link` (https, may be empty) leads to more."""

    commit: str
    context: str
    state: State
    description: str = ""
    link: str = ""


def is_news(before: Status | None, now: Status) -> bool:
    """Whether `now` says what `before` did not: another commit or state, or another reason of a failure."""
    if before is None or (before.commit, before.state) != (now.commit, now.state):
        return True
    return now.state is State.FAILURE and before.description != now.description


def as_shown(client: ForgeClient, status: Status) -> Status:
    """The status as this kind of forge can show it: its description is cut to what fits."""
    _check(status)
    return Status(
        commit=status.commit,
        context=status.context,
        state=status.state,
        description=printable(status.description, client.place.forge.longest_status),
        link=status.link,
    )


def set_status(client: ForgeClient, status: Status) -> bool:
    """Set it unless it is the newest of its commit and context; whether it was set. Raises ForgeError, InputError."""
    shown = as_shown(client, status)
    if newest_status(client, status.commit, status.context) == shown:
        return False
    values = {
        "state": client.place.forge.states[shown.state.value],
        "context": shown.context,
        "description": shown.description,
    }
    values |= {"link": shown.link} if shown.link else {}
    try:
        client.ask(ForgeAction.SET_STATUS, values, identity=shown.commit)
    except ForgeError as error:
        if "transition" not in error.reason:  # GitLab's word for a state that it is in already
            raise
        return False
    return True


def newest_status(client: ForgeClient, commit: str, context: str) -> Status | None:
    """The newest status of the commit with this context, as the forge has it. Raises ForgeError."""
    forge = client.place.forge
    ours = {theirs: state for state, theirs in forge.states.items()}
    found = [
        one
        for one in client.all(ForgeAction.LIST_STATUSES, identity=commit)
        if client.read(one, "context") == context
    ]
    newest = max(found, key=lambda one: int(client.read(one, "id") or 0), default=None)
    said = ours.get(client.read(newest, "state")) if newest is not None else None
    if newest is None or said is None:
        return None
    return Status(
        commit=commit,
        context=context,
        state=State(said),
        description=client.read(newest, "description"),
        link=client.read(newest, "link"),
    )


def _check(status: Status) -> None:
    if not _COMMIT.fullmatch(status.commit):
        raise InputError(
            f"status {status.context}",
            ForgeAction.SET_STATUS.value,
            f"{status.commit[:80]!r} is no commit's id",
        )
    if status.link and not status.link.startswith(("https://", "http://")):
        raise InputError(
            f"status {status.context}",
            ForgeAction.SET_STATUS.value,
            "its link is no address",
            "Write it like https://plumb.example.com.",
        )
