# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking people to review a pull request, each of them once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .api_calls import ForgeAction
from .client import ForgeClient
from .errors import ForgeError


def ask_for_reviews(
    client: ForgeClient, number: str, pull: Mapping[str, Any], reviewers: tuple[str, ...]
) -> None:
    """Ask those who were not asked and have not reviewed yet. Raises ForgeError."""
    author = client.read(pull, "author").lower()
    asked = _names(client, client.value(pull, "reviewers"))
    missing = [name for name in reviewers if name.lower() not in {*asked, author}]
    if missing and client.can(ForgeAction.LIST_REVIEWS):
        done = {
            client.read(one, "author").lower()
            for one in client.all(ForgeAction.LIST_REVIEWS, identity=number)
        }
        missing = [name for name in missing if name.lower() not in done]
    if not missing:
        return
    values: dict[str, Any] = {"reviewers": missing}
    if client.can(
        ForgeAction.FIND_USER
    ):  # where people go by numbers, those who were asked before are said again
        values["reviewer_ids"] = [
            *_ids(client.value(pull, "reviewers")),
            *(_id(client, one) for one in missing),
        ]
    client.ask(ForgeAction.ASK_REVIEW, values, identity=number)


def _names(client: ForgeClient, people: Any) -> set[str]:
    return {client.read(one, "reviewer").lower() for one in people or () if isinstance(one, dict)}


def _ids(people: Any) -> list[int]:
    return [int(one["id"]) for one in people or () if isinstance(one, dict) and "id" in one]


def _id(client: ForgeClient, name: str) -> int:
    found = client.ask(ForgeAction.FIND_USER, query={"user": name}).content
    for one in found if isinstance(found, list) else ():
        if client.read(one, "reviewer").lower() == name.lower():
            return int(client.read(one, "id"))
    raise ForgeError(
        client.place.subject,
        ForgeAction.ASK_REVIEW.value,
        f"there is no user {name}",
        "Name reviewers as the forge's pages do, without an @.",
    )
