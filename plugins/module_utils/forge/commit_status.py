# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a commit: the result of applying it."""

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
    """The state of a status."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One status of one commit; `context` is its name, `link` (https, may be empty) leads to more."""

    commit: str
    context: str
    state: State
    description: str = ""
    link: str = ""


def is_new_status(before: Status | None, now: Status) -> bool:
    """Return whether `now` differs from `before`: another commit or state, or another reason of a failure."""
    if before is None or (before.commit, before.state) != (now.commit, now.state):
        return True
    return now.state is State.FAILURE and before.description != now.description


def shown_status(client: ForgeClient, status: Status) -> Status:
    """Return the status as this kind of forge can show it: its description is cut to what fits."""
    _check(status)
    return Status(
        commit=status.commit,
        context=status.context,
        state=status.state,
        description=printable(status.description, client.repository.forge.longest_status),
        link=status.link,
    )


def set_status(client: ForgeClient, status: Status) -> bool:
    """Set a status unless the commit has it; return whether it was set. Raises ForgeError, InputError."""
    shown = shown_status(client, status)
    if newest_status(client, status.commit, status.context) == shown:
        return False
    values = {
        "state": client.repository.forge.states[shown.state.value],
        "context": shown.context,
        "description": shown.description,
    }
    values |= {"link": shown.link} if shown.link else {}
    try:
        client.request(ForgeAction.SET_STATUS, values, identity=shown.commit)
    except ForgeError as error:
        if "transition" not in error.reason:  # GitLab's message for a state that it has already
            raise
        return False
    return True


def newest_status(client: ForgeClient, commit: str, context: str) -> Status | None:
    """Return the newest status of the commit with this context, as the forge has it. Raises ForgeError."""
    forge = client.repository.forge
    ours = {theirs: state for state, theirs in forge.states.items()}
    statuses = [
        status
        for status in client.list_items(ForgeAction.LIST_STATUSES, identity=commit)
        if client.read(status, "context") == context
    ]
    newest = max(statuses, key=lambda status: int(client.read(status, "id") or 0), default=None)
    state = ours.get(client.read(newest, "state")) if newest is not None else None
    if newest is None or state is None:
        return None
    return Status(
        commit=commit,
        context=context,
        state=State(state),
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
