# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that the server refused for their content: not sent again until something changes, then at a slow pace.

A refusal is remembered under the digest of the whole request, so another manifest is another request. It holds while
the live object that it was made on and the server's rules (server_rules.py) are as they were, and while our own writes
change nothing: they may be what the object needs. What else it depends on nobody can know, so it is tried again after
two minutes, then at growing intervals up to an hour. Without the memory a request is tried once more.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..errors import (
    BadRequest,
    Forbidden,
    Invalid,
    ManagerConflict,
    NamespaceTerminating,
    RequestError,
    ServerFailure,
    TooLarge,
)
from .api_status import ApiResponse, Conflict, StatusCause
from .transport import Request

_FIRST_RETRY = 120.0  # seconds; doubled with each refusal
_LONGEST_RETRY = 3600.0
_REMEMBERED = 2 * 24 * 3600.0  # seconds for which a refusal that no run uses any more is remembered
_NOTE_USE_AFTER = 6 * 3600.0  # seconds after which it is noted that one is still used
_MOST = 20_000
_ERRORS = {error.__name__: error for error in (BadRequest, Forbidden, Invalid, ServerFailure, TooLarge)}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was refused; times in seconds since 1970."""

    error: str  # a key of _ERRORS
    words: tuple[str, str, str, str]  # subject, operation, reason, next step
    answer: Mapping[str, Any]
    environment: str
    times: int  # in a row, with nothing changed
    retry_at: float
    used: float

    def to_error(self) -> RequestError:
        """Return the error of the refusal."""
        values = dict(self.answer)
        values["causes"] = tuple(StatusCause(**cause) for cause in values["causes"])
        values["conflicts"] = tuple(Conflict(**conflict) for conflict in values["conflicts"])
        return _ERRORS[self.error](*self.words, answer=ApiResponse(**values))


def request_key(request: Request, basis: str) -> str:
    """Return the digest of a request, the same for its dry-run; `basis` is what else the answer depends on."""
    query = sorted((name, value) for name, value in request.query.items() if name != "dryRun")
    head = repr((request.method, request.path, query, request.content_type, basis))
    return hashlib.sha256(head.encode() + b"\0" + (request.body or b"")).hexdigest()[:32]


def is_lasting(error: RequestError) -> bool:
    """Return whether the same request can only be refused again while nothing changes."""
    if type(error).__name__ not in _ERRORS or isinstance(error, NamespaceTerminating | ManagerConflict):
        return False
    return not isinstance(error, ServerFailure) or error.permanent


@dataclass(slots=True)
class RefusedRequests:
    """The refusals that a run knows. Thread-safe. Without `believe` every request is sent, and its result recorded."""

    known: dict[str, Refusal] = field(default_factory=dict)
    believe: bool = True
    now: Callable[[], float] = time.time
    _wrote: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key: str) -> Refusal | None:
        """Return the refusal of this request, unless it is time to try again."""
        refusal = self.known.get(key)
        if refusal is None or not self.believe:
            return None
        return refusal if 0 < refusal.retry_at - self.now() <= 1.3 * _LONGEST_RETRY else None

    def mark_used(self, key: str) -> None:
        """Note that a refusal is still used."""
        now = self.now()
        with self._lock:
            if now - self.known[key].used > _NOTE_USE_AFTER:
                self.known[key] = replace(self.known[key], used=now)

    def note(self, key: str, error: RequestError, environment: str) -> None:
        """Remember a refusal."""
        before, now = self.known.get(key), self.now()
        times = before.times + 1 if before is not None and before.environment == environment else 1
        pause = min(_LONGEST_RETRY, _FIRST_RETRY * 2.0 ** min(times - 1, 30))
        refusal = Refusal(
            error=type(error).__name__,
            words=(error.subject, error.operation, error.reason, error.next_step),
            answer=asdict(error.answer),
            environment=environment,
            times=times,
            retry_at=now + pause * random.uniform(0.8, 1.2),  # noqa: S311 - no secret
            used=now,
        )
        with self._lock:
            self.known[key] = refusal

    def succeeded(self, key: str, *, wrote: bool) -> None:
        """Note that a request succeeded."""
        self._wrote = self._wrote or wrote
        with self._lock:
            self.known.pop(key, None)

    def after_run(self, *, rights: bool) -> dict[str, Refusal]:
        """Return what to remember after this run; without `rights` no refusal for missing rights.

        After a run that wrote something all are due, since that may be what they needed.
        """
        now = self.now()
        remembered = {
            key: replace(refusal, retry_at=0.0, times=0) if self._wrote else refusal
            for key, refusal in self.known.items()
            if now - refusal.used < _REMEMBERED and (rights or not refusal.answer["rights_missing"])
        }
        return dict(list(remembered.items())[-_MOST:])


def to_content(known: Mapping[str, Refusal]) -> dict[str, Any]:
    """Return the refusals as JSON types."""
    return {key: asdict(refusal) for key, refusal in known.items()}


def from_content(content: Mapping[str, Any]) -> dict[str, Refusal]:
    """Return the refusals of JSON types. Raises TypeError, ValueError, KeyError or AttributeError for anything else."""
    refusals = {}
    for key, values in content.items():
        words = tuple(map(str, values["words"]))
        refusal = Refusal(**{**values, "words": words})
        refusal.to_error()
        refusals[key] = refusal
    return refusals
