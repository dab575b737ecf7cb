# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a request to the API server can fail.

No error carries a response's body. What a server says of a Secret is withheld as well, because it quotes values;
reasons, fields and the names of managers stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar

from ..model.errors import ClusterError, printable
from ..model.objects import GroupKind

_SECRET = GroupKind("", "Secret")
_MANAGER = re.compile(
    r'conflict with (?P<manager>"(?:[^"\\]|\\.)*")'
    r'(?: with subresource (?P<subresource>"(?:[^"\\]|\\.)*"))?(?P<update> using )?'
)


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of `Status.details.causes`: its reason, the field's path, and what the server says of it."""

    reason: str
    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an API server said in refusing: an HTTP status (0: it said nothing) and its `Status` object, if any."""

    status: int = 0
    reason: str = ""
    message: str = ""
    causes: tuple[Cause, ...] = ()
    kind: str = ""  # Status.details.kind: a plural such as `namespaces`
    name: str = ""

    def withheld(self) -> Answer:
        """The same without any text that can quote a value."""
        causes = tuple(replace(cause, message="") for cause in self.causes)
        return replace(self, message="", causes=causes)


@dataclass(frozen=True, slots=True, order=True)
class Conflict:
    """A field that another manager holds; `applied` when it does so by server-side apply."""

    manager: str
    subresource: str
    applied: bool
    field: str


class RequestError(ClusterError):
    """A failed request. `outcome_unknown` says that a write may have happened all the same."""

    next_step_text: ClassVar[str] = ""

    def __init__(
        self,
        subject: str,
        operation: str,
        why: str,
        next_step: str | None = None,
        *,
        answer: Answer | None = None,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(subject, operation, why, self.next_step_text if next_step is None else next_step)
        self.answer = answer if answer is not None else Answer()
        self.outcome_unknown = outcome_unknown

    @property
    def status(self) -> int:
        """The HTTP status; 0 where there was no answer."""
        return self.answer.status

    @property
    def status_reason(self) -> str:
        """The server's word for the failure (`Status.reason`); `reason` is ours, for people."""
        return self.answer.reason

    @property
    def causes(self) -> tuple[Cause, ...]:
        return self.answer.causes

    @property
    def message(self) -> str:
        """What the server said, on one line and cut; empty for a Secret."""
        return printable(self.answer.message)


class Unreachable(RequestError):
    """No answer: refused, reset, not resolved, a certificate that does not verify."""

    next_step_text = "Check the server's address, the network and the proxy, and run again."


class DeadlineExceeded(RequestError):
    """No answer in time. After a write, `outcome_unknown` is set."""

    next_step_text = "Run again; raise the timeout if the API server is just slow."


class Unauthorized(RequestError):
    """401: the credentials are missing, wrong or expired."""

    next_step_text = "Renew the credentials that the kubeconfig or the token file holds."


class Forbidden(RequestError):
    """403: the account may not do this, or an admission rule says no."""

    next_step_text = "Grant the account this right (RBAC), or see the policy that the message names."


class NamespaceTerminating(Forbidden):
    """403: the namespace is being deleted and takes nothing new."""

    next_step_text = "Wait until the namespace is gone, then run again."


class NotFound(RequestError):
    """404 of an object: itself, or the namespace it should be in."""

    next_step_text = "Check the name."

    @property
    def namespace_missing(self) -> bool:
        return self.answer.kind == "namespaces"


class UnknownApi(RequestError):
    """404 of a path: the server does not serve this kind in this version."""

    next_step_text = "Install the CustomResourceDefinition, or correct apiVersion and kind."


class StaleVersion(RequestError):
    """409: the object is not the one, or not in the version, that was planned on."""

    next_step_text = "Run again: it is planned anew on the object's present state."


class FieldConflict(RequestError):
    """409: other field managers hold fields that were to be applied."""

    next_step_text = "Let one of them have the field: drop it from Git, or set force_conflicts for the app."

    def __init__(
        self,
        subject: str,
        operation: str,
        why: str,
        next_step: str | None = None,
        *,
        answer: Answer | None = None,
        outcome_unknown: bool = False,
        conflicts: tuple[Conflict, ...] = (),
    ) -> None:
        super().__init__(subject, operation, why, next_step, answer=answer, outcome_unknown=outcome_unknown)
        self.conflicts = conflicts

    @property
    def managers(self) -> tuple[str, ...]:
        """The other managers' names, sorted."""
        return tuple(sorted({conflict.manager for conflict in self.conflicts}))


class Expired(RequestError):
    """410: the continue token or resourceVersion is too old; a list starts over."""


class TooLarge(RequestError):
    """413, or a 422 whose cause is a length: the server or its store does not take this much."""

    next_step_text = "Make the object smaller, or split it."


class Invalid(RequestError):
    """422: validation says no. `immutable` when a cause says that a field may not change."""

    next_step_text = "Correct the manifest in Git."
    immutable: bool = False


class BadRequest(RequestError):
    """400 and what else the server does not understand, such as an unknown field."""

    next_step_text = "Correct the manifest in Git."


class Throttled(RequestError):
    """429, and still so after the allowed retries."""

    next_step_text = "Run again later, or lower the concurrency."


class ServerFailure(RequestError):
    """5xx. `permanent` when the same request can only fail again."""

    next_step_text = "Run again; if it stays, see the API server's and its webhooks' logs."
    permanent: bool = False
