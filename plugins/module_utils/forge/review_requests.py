# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to people for a review of a pull request, one for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .api_calls import ForgeAction
from .client import ForgeClient
from .errors import ForgeError


def request_reviews(
    client: ForgeClient, number: str, pull: Mapping[str, Any], reviewers: tuple[str, ...]
) -> None:
    """Request a review of each person who has got no request and has not reviewed yet. Raises ForgeError."""
    author = client.read(pull, "author").lower()
    asked = _user_names(client, client.value(pull, "reviewers"))
    missing = [name for name in reviewers if name.lower() not in {*asked, author}]
    if missing and client.can(ForgeAction.LIST_REVIEWS):
        done = {
            client.read(review, "author").lower()
            for review in client.list_items(ForgeAction.LIST_REVIEWS, identity=number)
        }
        missing = [name for name in missing if name.lower() not in done]
    if not missing:
        return
    values: dict[str, Any] = {"reviewers": missing}
    if client.can(ForgeAction.FIND_USER):  # where people have numbers, the list replaces the former one
        values["reviewer_ids"] = [
            *_user_ids(client.value(pull, "reviewers")),
            *(_user_id(client, name) for name in missing),
        ]
    client.request(ForgeAction.ASK_REVIEW, values, identity=number)


def _user_names(client: ForgeClient, people: Any) -> set[str]:
    return {client.read(person, "reviewer").lower() for person in people or () if isinstance(person, dict)}


def _user_ids(people: Any) -> list[int]:
    return [int(person["id"]) for person in people or () if isinstance(person, dict) and "id" in person]


def _user_id(client: ForgeClient, name: str) -> int:
    users = client.request(ForgeAction.FIND_USER, query={"user": name}).content
    for user in users if isinstance(users, list) else ():
        if client.read(user, "reviewer").lower() == name.lower():
            return int(client.read(user, "id"))
    raise ForgeError(
        client.repository.subject,
        ForgeAction.ASK_REVIEW.value,
        f"there is no user {name}",
        "Name reviewers as the forge's pages do, without an @.",
    )
