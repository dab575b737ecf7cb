# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of requests to the API server.

No error carries a response's body. The server's message about a Secret is withheld as well, because it quotes values;
reasons, fields and the names of managers stay.
"""

from __future__ import annotations

from typing import ClassVar

from ..model.errors import ClusterError, printable
from .requests.api_status import ApiResponse, Conflict, StatusCause


class RequestError(ClusterError):
    """A failed request. `outcome_unknown` says that a write may have happened all the same."""

    helps: ClassVar[str] = ""  # the next step, unless the error is raised with a better one

    def __init__(
        self,
        subject: str,
        operation: str,
        reason: str,
        next_step: str | None = None,
        *,
        answer: ApiResponse | None = None,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(subject, operation, reason, self.helps if next_step is None else next_step)
        self.answer = answer if answer is not None else ApiResponse()
        self.outcome_unknown = outcome_unknown

    @property
    def status(self) -> int:
        """The HTTP status; 0 where there was no answer."""
        return self.answer.status

    @property
    def causes(self) -> tuple[StatusCause, ...]:
        """What the server names as causes."""
        return self.answer.causes

    @property
    def message(self) -> str:
        """The server's message, on one line and cut; empty for a Secret."""
        return printable(self.answer.message)


class CircuitOpen(ClusterError):
    """The server failed for one request after another, so that this one was not sent, nor will any after it be."""

    def copy(self) -> CircuitOpen:
        """Return a copy, for another thread to raise."""
        return CircuitOpen(self.subject, self.operation, self.reason, self.next_step)


class Unreachable(RequestError):
    """No answer that could be read: refused, reset, cut off, not resolved, a certificate that does not verify."""

    helps = "Check the server's address, the network and the proxy, and run again."


class DeadlineExceeded(RequestError):
    """No answer in time. After a write, `outcome_unknown` is set."""

    helps = "Run again; raise request_timeout (plumb_request_timeout) if the API server is only slow."


class Unauthorized(RequestError):
    """401: the credentials are missing, wrong or expired."""

    helps = "Renew the credentials that the kubeconfig or the token file holds."


class Forbidden(RequestError):
    """403: the account may not do this, or an admission rule denies it."""

    helps = "Grant the account this right (RBAC), or see the policy that the message names."


class NamespaceTerminating(Forbidden):
    """403: the namespace is being deleted and takes nothing new."""

    helps = "Wait until the namespace is gone, then run again."


class NotFound(RequestError):
    """404 of an object: itself, or the namespace that it should be in."""

    helps = "Check its name and namespace."

    @property
    def namespace_missing(self) -> bool:
        """Whether it is the namespace that does not exist."""
        return self.answer.kind == "namespaces"


class UnknownApi(RequestError):
    """404 of a path: the server does not serve this kind in this version."""

    helps = "Install the CustomResourceDefinition, or correct apiVersion and kind."


class StaleVersion(RequestError):
    """409: the object is not the one, or not in the version, that was planned on."""

    helps = "Run again: the next run plans on the object's present state."


class ManagerConflict(RequestError):
    """409: other field managers own fields that were to be applied."""

    helps = "Give the field to one of the two: remove it from Git, or set force_conflicts for the app."

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """The fields that other managers own."""
        return self.answer.conflicts

    @property
    def managers(self) -> tuple[str, ...]:
        """The other managers' names, sorted."""
        return tuple(sorted({conflict.manager for conflict in self.conflicts}))


class LeaseLost(RequestError):
    """A write was not sent, because the agent's lease, which it needs, is not held any more."""

    helps = "Nothing more is written. The agent that holds the lease goes on; see plumb_lease_file."


class Expired(RequestError):
    """410: the continue token or the resourceVersion is too old, and a relist did not help."""

    helps = "Run again; the server discards its history faster than a list of this kind is read."


class TooLarge(RequestError):
    """413, or a 422 whose cause is a length: the server or its store does not take this much."""

    helps = "Make the object smaller, or split it."


class Invalid(RequestError):
    """422: the object is not valid."""

    helps = "Correct the manifest in Git."

    @property
    def immutable(self) -> bool:
        """Whether the only faults are changes of immutable fields; then deleting and creating would help."""
        return self.answer.immutable


class BadRequest(RequestError):
    """400, or another status for what the server does not understand, such as an unknown field."""

    helps = "Correct the manifest in Git."


class Throttled(RequestError):
    """429, and still so after the allowed retries."""

    helps = "Run again later, or lower the concurrency."


class ServerFailure(RequestError):
    """5xx: the server or a webhook failed."""

    helps = "Run again; if it stays, see the logs of the API server and of its webhooks."

    @property
    def permanent(self) -> bool:
        """Whether the same request can only fail again: some faults of a manifest are answered with 500."""
        return bool(self.answer.defect)
