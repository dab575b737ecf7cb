# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pull request (GitLab: merge request) for a branch: one for each branch, however often it is asked for.

What is there is found by its branch, so a forge that fails after it did what it was asked costs no second one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..http.retry import TryAgain, retry
from ..model.errors import InputError, PlumbError
from .api_calls import ForgeAction
from .auto_merge import merge_later
from .client import ForgeClient
from .errors import ForgeError
from .repository_address import ForgeRepository
from .review_requests import ask_for_reviews

_TRIES = 3
_PAUSE = 1.0  # seconds before the second try; it doubles
_TAKEN = frozenset({409, 422})  # somebody opened it just now


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """What is wanted. `head` and `base` are branches of the same repository; `body` is Markdown."""

    head: str
    base: str
    title: str
    body: str = ""
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()  # by user name
    auto_merge: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """The pull request, and what of it the forge did not take (`warnings`): the next time it is asked for again."""

    number: int
    url: str
    created: bool
    warnings: tuple[str, ...] = ()


def find_or_open(client: ForgeClient, place: ForgeRepository, wanted: PullRequest) -> Opened:
    """The open pull request of the branch `head`, with what is wanted; it is opened if there is none. Safe to repeat.

    Labels and reviewers are added, never taken away. A label, a reviewer or an automatic merge that the forge refuses
    is a warning: the pull request is there. Raises ForgeError where it is not, after three tries at a forge that is not
    well; InputError for a client of another place.
    """
    _check_place(client, place)
    found, created = _find_or_open(client, wanted)
    number = client.read(found, "number")
    if not created:
        _update(client, number, found, wanted)
    warnings = [
        *_attempt(lambda: _label(client, number, found, wanted.labels)),
        *_attempt(lambda: ask_for_reviews(client, number, found, wanted.reviewers)),
    ]
    if wanted.auto_merge:
        warnings += _attempt(lambda: merge_later(client, number, found))
    return Opened(int(number), client.read(found, "page"), created, tuple(warnings))


def close_overtaken(
    client: ForgeClient, place: ForgeRepository, keep: str | Collection[str], prefix: str
) -> tuple[int, ...]:
    """Close the open pull requests of branches that begin with `prefix` and are none of `keep`; their numbers.

    `prefix` says which branches are ours, so an empty one is refused. Pull requests from forks are left alone.
    Raises ForgeError, InputError.
    """
    _check_place(client, place)
    if not prefix.strip("/"):
        raise InputError(
            place.subject,
            ForgeAction.CLOSE_PULL.value,
            "the prefix of the branches is empty, so every pull request would be meant",
            "Name what the branches begin with, such as plumb/images/.",
        )
    kept = {keep} if isinstance(keep, str) else set(keep)
    closed: list[int] = []
    for pull in tuple(own_pulls(client, ForgeAction.LIST_PULLS)):
        head = client.read(pull, "head")
        if head.startswith(prefix) and head not in kept:
            number = client.read(pull, "number")
            client.ask(ForgeAction.CLOSE_PULL, identity=number)
            closed.append(int(number))
    return tuple(closed)


def own_pulls(client: ForgeClient, action: ForgeAction, head: str = "") -> Iterator[Mapping[str, Any]]:
    """The open pull requests whose branch is in the repository itself, not in a fork."""
    for pull in client.all(action, query={"head": head} if head else None):
        if not is_from_fork(client, pull):
            yield pull


def is_from_fork(client: ForgeClient, pull: Mapping[str, Any]) -> bool:
    """Whether the branch is in another repository than the one it is to be merged into, or in one that is gone."""
    head, base = client.read(pull, "head_project"), client.read(pull, "base_project")
    return not head or head.lower() != base.lower()


def _find_or_open(client: ForgeClient, wanted: PullRequest) -> tuple[Mapping[str, Any], bool]:
    """Return the pull request and whether it was opened by us; it is looked for again before each try to open it."""
    asked = False

    def attempt(last: bool) -> tuple[Mapping[str, Any], bool]:
        nonlocal asked
        try:
            pull = _find(client, wanted)
            if pull is not None:
                return pull, asked  # what was asked for may have been done though the answer said otherwise
            asked = True
            return _open(client, wanted), True
        except ForgeError as error:
            if last or not (error.is_passing or error.status in _TAKEN):
                raise
            raise TryAgain from error

    return retry(attempt, tries=_TRIES, pause=_PAUSE)


def _find(client: ForgeClient, wanted: PullRequest) -> Mapping[str, Any] | None:
    pulls = own_pulls(client, ForgeAction.FIND_PULL, wanted.head)
    return next((pull for pull in pulls if client.read(pull, "head") == wanted.head), None)


def _open(client: ForgeClient, wanted: PullRequest) -> Mapping[str, Any]:
    values = {"head": wanted.head, "base": wanted.base, "title": wanted.title, "body": wanted.body}
    made = client.ask(ForgeAction.OPEN_PULL, values).content
    if not client.read(made, "number").isdigit():
        raise ForgeError(
            client.place.subject,
            ForgeAction.OPEN_PULL.value,
            f"the answer is not that of {client.place.forge.title}",
            "See that kind and url of the forge belong together.",
        )
    opened: Mapping[str, Any] = made
    return opened


def _update(client: ForgeClient, number: str, found: Mapping[str, Any], wanted: PullRequest) -> None:
    values = {"title": wanted.title, "body": wanted.body, "base": wanted.base}
    differs = {
        name: value for name, value in values.items() if _lines(client.read(found, name)) != _lines(value)
    }
    if differs:
        client.ask(ForgeAction.EDIT_PULL, differs, identity=number)


def _lines(text: str) -> list[str]:
    """Forges turn ends of lines about."""
    return text.strip().splitlines()


def _label(client: ForgeClient, number: str, found: Mapping[str, Any], labels: tuple[str, ...]) -> None:
    missing = sorted(set(labels) - set(label_names(client, found)))
    if not missing:
        return
    if client.can(ForgeAction.MAKE_LABEL):
        known = {client.read(one, "label") for one in client.all(ForgeAction.LIST_LABELS)}
        for label in missing:
            if label not in known:
                client.ask(ForgeAction.MAKE_LABEL, {"label": label})
    client.ask(ForgeAction.ADD_LABELS, {"labels": missing, "labels_text": ",".join(missing)}, identity=number)


def label_names(client: ForgeClient, pull: Mapping[str, Any]) -> list[str]:
    """The labels of a pull request: forges list them by name, or as maps with one."""
    given = pull.get("labels")
    found = given if isinstance(given, list) else []
    return [one if isinstance(one, str) else client.read(one, "label") for one in found]


def _attempt(work: Any) -> list[str]:
    """What the work warns of, or why it failed."""
    try:
        said = work()
    except PlumbError as error:
        return [str(error)]
    return list(said or ())


def _check_place(client: ForgeClient, place: ForgeRepository) -> None:
    if client.place != replace(place, branch=client.place.branch):
        raise InputError(
            place.subject,
            ForgeAction.FIND_PULL.value,
            f"the client is that of {client.place.title}",
            "Open a client for the place itself.",
        )
