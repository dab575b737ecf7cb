# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pull request (GitLab: merge request) for a branch: one for each branch, however often this is called.

An open one is looked up by its branch, so a forge that opens one and answers with an error does not get a second one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..http.retry import TryAgain, retry
from ..model.errors import InputError, PlumbError
from .api_calls import ForgeAction
from .auto_merge import enable_auto_merge
from .client import ForgeClient
from .errors import ForgeError
from .repository_address import ForgeRepository
from .review_requests import request_reviews

_TRIES = 3
_PAUSE = 1.0  # seconds before the second try
_TAKEN = frozenset({409, 422})  # somebody else opened it just now


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """A pull request to open. `head` and `base` are branches of the same repository; `body` is Markdown."""

    head: str
    base: str
    title: str
    body: str = ""
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()  # by user name
    auto_merge: bool = False


@dataclass(frozen=True, slots=True)
class OpenedPullRequest:
    """An open pull request; `warnings` say what of it the forge refused, which the next call tries again."""

    number: int
    url: str
    created: bool
    warnings: tuple[str, ...] = ()


def find_or_open(client: ForgeClient, repository: ForgeRepository, wanted: PullRequest) -> OpenedPullRequest:
    """Return the open pull request of the branch `head`, as wanted; it is opened if there is none. Safe to repeat.

    Labels and reviewers are added, never taken away. A label, a reviewer or an automatic merge that the forge refuses
    is a warning, since the pull request is open. Raises ForgeError where it is not, after three tries at a forge that
    fails; InputError for a client of another repository.
    """
    _check_client(client, repository)
    pull, created = _find_or_open(client, wanted)
    number = client.read(pull, "number")
    if not created:
        _update(client, number, pull, wanted)
    warnings = [
        *_warnings_of(lambda: _label(client, number, pull, wanted.labels)),
        *_warnings_of(lambda: request_reviews(client, number, pull, wanted.reviewers)),
    ]
    if wanted.auto_merge:
        warnings += _warnings_of(lambda: enable_auto_merge(client, number, pull))
    return OpenedPullRequest(int(number), client.read(pull, "page"), created, tuple(warnings))


def close_superseded(
    client: ForgeClient, repository: ForgeRepository, keep: str | Collection[str], prefix: str
) -> tuple[int, ...]:
    """Close the open pull requests of branches that begin with `prefix` and are none of `keep`; return their numbers.

    `prefix` says which branches are ours, so an empty one is refused. Pull requests from forks are left alone.
    Raises ForgeError, InputError.
    """
    _check_client(client, repository)
    if not prefix.strip("/"):
        raise InputError(
            repository.subject,
            ForgeAction.CLOSE_PULL.value,
            "the prefix of the branches is empty, so it would fit every pull request",
            "Name what the branches begin with, such as plumb/images/.",
        )
    heads = {keep} if isinstance(keep, str) else set(keep)
    closed: list[int] = []
    for pull in tuple(own_pulls(client, ForgeAction.LIST_PULLS)):
        head = client.read(pull, "head")
        if head.startswith(prefix) and head not in heads:
            number = client.read(pull, "number")
            client.request(ForgeAction.CLOSE_PULL, identity=number)
            closed.append(int(number))
    return tuple(closed)


def own_pulls(client: ForgeClient, action: ForgeAction, head: str = "") -> Iterator[Mapping[str, Any]]:
    """Yield the open pull requests whose branch is in the repository itself, not in a fork."""
    for pull in client.list_items(action, query={"head": head} if head else None):
        if not is_from_fork(client, pull):
            yield pull


def is_from_fork(client: ForgeClient, pull: Mapping[str, Any]) -> bool:
    """Return whether the branch is in another repository than its base, or in one that is gone."""
    head, base = client.read(pull, "head_project"), client.read(pull, "base_project")
    return not head or head.lower() != base.lower()


def _find_or_open(client: ForgeClient, wanted: PullRequest) -> tuple[Mapping[str, Any], bool]:
    """Return the pull request and whether it was opened by us; it is looked up again before each try to open it."""
    opening = False

    def attempt(last: bool) -> tuple[Mapping[str, Any], bool]:
        nonlocal opening
        try:
            pull = _find(client, wanted)
            if pull is not None:
                return pull, opening  # it may have been opened though the answer was an error
            opening = True
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
    made = client.request(ForgeAction.OPEN_PULL, values).content
    if not client.read(made, "number").isdigit():
        raise ForgeError(
            client.repository.subject,
            ForgeAction.OPEN_PULL.value,
            f"the answer is not that of {client.repository.forge.title}",
            "See that kind and url of the forge belong together.",
        )
    opened: Mapping[str, Any] = made
    return opened


def _update(client: ForgeClient, number: str, pull: Mapping[str, Any], wanted: PullRequest) -> None:
    values = {"title": wanted.title, "body": wanted.body, "base": wanted.base}
    differs = {
        name: value for name, value in values.items() if _lines(client.read(pull, name)) != _lines(value)
    }
    if differs:
        client.request(ForgeAction.EDIT_PULL, differs, identity=number)


def _lines(text: str) -> list[str]:
    """Return the lines of a text, since forges change the ends of lines."""
    return text.strip().splitlines()


def _label(client: ForgeClient, number: str, pull: Mapping[str, Any], labels: tuple[str, ...]) -> None:
    missing = sorted(set(labels) - set(label_names(client, pull)))
    if not missing:
        return
    if client.can(ForgeAction.MAKE_LABEL):
        known = {client.read(entry, "label") for entry in client.list_items(ForgeAction.LIST_LABELS)}
        for label in missing:
            if label not in known:
                client.request(ForgeAction.MAKE_LABEL, {"label": label})
    client.request(
        ForgeAction.ADD_LABELS, {"labels": missing, "labels_text": ",".join(missing)}, identity=number
    )


def label_names(client: ForgeClient, pull: Mapping[str, Any]) -> list[str]:
    """Return the labels of a pull request: forges list them by name, or as maps with one."""
    value = pull.get("labels")
    labels = value if isinstance(value, list) else []
    return [label if isinstance(label, str) else client.read(label, "label") for label in labels]


def _warnings_of(work: Any) -> list[str]:
    """Return what the work warns of, or why it failed."""
    try:
        warnings = work()
    except PlumbError as error:
        return [str(error)]
    return list(warnings or ())


def _check_client(client: ForgeClient, repository: ForgeRepository) -> None:
    if client.repository != replace(repository, branch=client.repository.branch):
        raise InputError(
            repository.subject,
            ForgeAction.FIND_PULL.value,
            f"the client is that of {client.repository.title}",
            "Open a client for this repository.",
        )
