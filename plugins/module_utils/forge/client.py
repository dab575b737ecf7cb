# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of a forge's API: one session, a deadline for each exchange, bounded answers, the token in a header only.

Redirects are followed for reads, and only where they stay on the same scheme, host and port. The environment's netrc
and CA bundles are not used; its proxies are, except for the loopback interface.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from ..http.deadline import Deadline, DeadlinePassed, run_within
from ..http.optional_imports import get_environ_proxies, requests
from ..http.response import is_worth_another_try, read_body, why_unanswered
from ..http.retry import RETRIED, TryAgain, requested_wait, retry
from ..http.session import REDIRECTS, open_session
from ..model.errors import InputError, printable
from ..source.git.address import parse_address
from ..source.git.credentials import read_token
from .api_calls import Call, ForgeAction, ForgeResponse, PreparedCall
from .errors import ForgeError, forge_error
from .repository_address import ForgeRepository, check_repository

if TYPE_CHECKING:
    from requests import Response

_MAX_ANSWER = 8 << 20  # bytes
_MAX_PAGES = 100
_MAX_REDIRECTS = 3
_TRIES = 3  # of a read
_PAUSE = 0.25  # seconds before the second try
_LONGEST_WAIT = 10.0  # seconds; a forge whose Retry-After is longer is not waited for
_MASK = "********"
_OF_TOKENS = frozenset({ForgeAction.LIST_TOKENS, ForgeAction.ADD_TOKEN, ForgeAction.REMOVE_TOKEN})
_FILLED = frozenset({"head", "user"})  # values of a query that only fill in the table's


class ForgeClient:
    """A session with one forge about one repository; a context manager. Raises InputError for what cannot be used."""

    def __init__(self, repository: ForgeRepository) -> None:
        check_repository(repository)
        self.repository = repository
        self._token = read_token(repository.git, repository.token_file)
        header, value = repository.forge.authorization
        self._session = open_session(
            repository.subject, "loading the client of the forge", ca_file=repository.ca_file
        )
        self._session.headers.update({**repository.forge.headers, header: value.format(token=self._token)})
        self._session.proxies.update(_proxies(repository))

    def __enter__(self) -> ForgeClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session.close()

    def can(self, action: ForgeAction) -> bool:
        """Return whether this kind of forge has a way to do it."""
        return action in self.repository.forge.calls

    def request(
        self,
        action: ForgeAction,
        values: Mapping[str, Any] | None = None,
        *,
        identity: str = "",
        inner: str = "",
        missing: bool = False,
        query: Mapping[str, str] | None = None,
    ) -> ForgeResponse:
        """Send the request of an action and return the answer.

        `values` are those that the body is made of, by our names; `identity` and `inner` are `{id}` and `{inner}` of
        the path; `query` fills in and adds to that of the table. Raises ForgeError for a refusal, except for a 404
        where `missing` is allowed; InputError for an action that this kind of forge lacks. Redirects and retries have
        the repository's timeout together.
        """
        sent = self._prepare(action, values or {}, identity, inner, query or {})
        answer = self._answer(action, sent, Deadline.after(self.repository.timeout))
        if answer.status // 100 == 2 or (missing and answer.status == 404):
            return answer
        raise self._refusal(action, answer)

    def _prepare(
        self,
        action: ForgeAction,
        known: Mapping[str, Any],
        identity: str,
        inner: str,
        query: Mapping[str, str],
    ) -> PreparedCall:
        call = self._call(action)
        sent = {theirs: known[ours] for theirs, ours in call.sends.items() if ours in known}
        body = {**call.fixed, **sent} or None
        return PreparedCall(call.method, self._address(call, identity, inner), body, self._query(call, query))

    def _answer(self, action: ForgeAction, sent: PreparedCall, deadline: Deadline) -> ForgeResponse:
        try:
            return run_within(deadline, lambda: self._exchange(action, sent, deadline))
        except DeadlinePassed as exc:
            raise ForgeError(
                self._subject_of(action),
                action.value,
                str(exc),
                "See that the forge answers from here; raise timeout if it is only slow.",
            ) from exc

    def _refusal(self, action: ForgeAction, answer: ForgeResponse) -> ForgeError:
        return forge_error(
            self._subject_of(action), action.value, answer.status, self._message(answer.content)
        )

    def list_items(
        self, action: ForgeAction, *, identity: str = "", query: Mapping[str, str] | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """Yield every item of a list, page by page. The arguments are those of `request`.

        Some lists have no pages (Gitea's comments): then the same items come again, which ends the list. All pages have
        the repository's timeout together, without what the caller does in between.
        """
        before: Any = None
        deadline = Deadline.after(self.repository.timeout)
        for page in range(1, _MAX_PAGES + 1):
            paged = {key: value.format(page=page) for key, value in self.repository.forge.page.items()}
            answer = self._answer(
                action, self._prepare(action, {}, identity, "", {**(query or {}), **paged}), deadline
            )
            if answer.status // 100 != 2:
                raise self._refusal(action, answer)
            items = answer.content
            if not isinstance(items, list):
                raise self._unusable_answer(action, "it is not a list")
            if not items or items[0] == before:
                return
            before = items[0]
            began = time.monotonic()
            yield from (item for item in items if isinstance(item, dict))
            deadline = deadline.later(time.monotonic() - began)
        raise self._unusable_answer(action, f"it has more than {_MAX_PAGES} pages")

    def read(self, content: Any, ours: str) -> str:
        """Return a field of an answer as text, by our name; empty where there is none."""
        value = self.value(content, ours)
        return "" if value is None else str(value)

    def value(self, content: Any, ours: str) -> Any:
        """Return a field of an answer as it is, by our name; None where there is none."""
        value = content
        for key in self.repository.forge.reads.get(ours, "").split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def holds(self, content: Mapping[str, Any], ours: str) -> bool:
        """Return a yes or no of an answer, by our name."""
        theirs, yes = self.repository.forge.means[ours]
        return bool(content.get(theirs) == yes)

    def _call(self, action: ForgeAction) -> Call:
        call = self.repository.forge.calls.get(action)
        if call is None:
            raise InputError(
                f"forge {self.repository.forge.title}",
                action.value,
                "its API has no way to do this",
                "Use a deploy key (key_file)." if action in _OF_TOKENS else "",
            )
        return call

    def _address(self, call: Call, identity: str, inner: str) -> str:
        repository = self.repository
        names = {"owner": repository.owner, "name": repository.name, "project": repository.title}
        names |= {"id": identity, "inner": inner}
        path = call.path.format(**{key: quote(value, safe="") for key, value in names.items()})
        return (repository.graphql if call.graphql else repository.api) + path

    def _query(self, call: Call, values: Mapping[str, str]) -> Mapping[str, str] | None:
        """Return the query of the table with our values in it, and the other values."""
        names = {"owner": self.repository.owner, **values}
        filled = {key: value.format(**names) for key, value in call.query.items()}
        return {**filled, **{key: value for key, value in values.items() if key not in _FILLED}} or None

    def _exchange(self, action: ForgeAction, sent: PreparedCall, deadline: Deadline) -> ForgeResponse:
        for _again in range(_MAX_REDIRECTS + 1):
            answer, location = self._send(action, sent, deadline)
            if not location:
                return answer
            sent = replace(sent, address=self._next(action, sent, location), query=None)
        raise self._unusable_answer(action, "it redirects in a circle")

    def _send(self, action: ForgeAction, sent: PreparedCall, deadline: Deadline) -> tuple[ForgeResponse, str]:
        """Return the answer, and where it redirects to; a read is tried again where that may help."""

        def attempt(last: bool) -> tuple[ForgeResponse, str]:
            try:
                with self._session.request(
                    sent.method,
                    sent.address,
                    json=sent.body,
                    params=sent.query,
                    timeout=deadline.socket_timeout,
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    wait = requested_wait(response.status_code, response.headers)
                    bearable = (wait or 0.0) <= min(_LONGEST_WAIT, deadline.left)
                    if response.status_code in RETRIED and not last and bearable:
                        raise TryAgain(wait)
                    return self._read_answer(action, response)
            except requests.RequestException as exc:
                if last or not is_worth_another_try(exc):
                    raise self._unanswered(action, exc) from exc
                raise TryAgain from exc

        tries = _TRIES if sent.method == "GET" else 1
        return retry(attempt, tries=tries, pause=_PAUSE, until=deadline.until)

    def _read_answer(self, action: ForgeAction, response: Response) -> tuple[ForgeResponse, str]:
        raw = read_body(
            response,
            limit=_MAX_ANSWER,
            error=lambda why: self._unusable_answer(action, why),
        )
        location = response.headers.get("Location", "") if response.status_code in REDIRECTS else ""
        return ForgeResponse(response.status_code, _json(raw)), location

    def _unanswered(self, action: ForgeAction, exc: Exception) -> ForgeError:
        return ForgeError(
            self._subject_of(action),
            action.value,
            self._masked(why_unanswered(exc)),
            "See that url, ca_file and proxy are right, and that the forge answers from here.",
        )

    def _next(self, action: ForgeAction, sent: PreparedCall, location: str) -> str:
        target = urljoin(sent.address, location)
        old, new = urlsplit(sent.address), urlsplit(target)
        if sent.method == "GET" and (old.scheme, old.netloc) == (new.scheme, new.netloc):
            return target
        raise ForgeError(
            self._subject_of(action),
            action.value,
            f"it redirects to {printable(new.scheme, 10)}://{printable(new.hostname or '', 100)}{new.path}",
            "Redirects are not followed with a token: set the address and name that the forge uses now.",
        )

    def _subject_of(self, action: ForgeAction) -> str:
        return f"forge {self.repository.base}" if action is ForgeAction.WHO else self.repository.subject

    def _unusable_answer(self, action: ForgeAction, reason: str) -> ForgeError:
        return ForgeError(
            self._subject_of(action),
            action.value,
            f"the answer cannot be used: {reason}",
            "See that url is the forge's.",
        )

    def _message(self, content: Any) -> str:
        """Return the message of a refusal, by the names that forges use for it, without the token."""
        if not isinstance(content, dict):
            return ""
        message = next(
            (content[key] for key in ("message", "error_description", "error") if content.get(key)), ""
        )
        detail = content.get("errors")
        text = message if isinstance(message, str) else json.dumps(message)
        return printable(self._masked(f"{text} {json.dumps(detail)}" if detail else text), 300)

    def _masked(self, text: str) -> str:
        return text.replace(self._token, _MASK)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw.strip() else None
    except (ValueError, RecursionError):
        return None


def _proxies(repository: ForgeRepository) -> Mapping[str, str]:
    if repository.proxy:
        return {"http": repository.proxy, "https": repository.proxy}
    return {} if parse_address(repository.git).loopback else dict(get_environ_proxies(repository.api))
