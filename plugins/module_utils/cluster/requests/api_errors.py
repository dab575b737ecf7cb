# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table that turns a refusal into an error."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...model.errors import printable
from ..errors import (
    BadRequest,
    DeadlineExceeded,
    Expired,
    Forbidden,
    Invalid,
    ManagerConflict,
    NamespaceTerminating,
    NotFound,
    RequestError,
    ServerFailure,
    StaleVersion,
    Throttled,
    TooLarge,
    Unauthorized,
    UnknownApi,
)
from .api_status import OUTDATED, ApiResponse, StatusCause

_SHOWN = 5  # causes that a message names
_LONG = 500  # characters; a longer message of the server is replaced by its causes
_TOO_LARGE = re.compile(r"request is too large|trying to send message larger")  # messages of etcd, as a 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The subject and operation of a request, for messages: `Deployment shop/cart`, `applying`."""

    subject: str
    operation: str
    secret: bool = False  # the server's message about it may quote values
    write: bool = False


@dataclass(frozen=True, slots=True)
class _ErrorRule:
    """A row of the table: all conditions that are set must hold; `cause` is the reason of one of the causes.

    `named`: whether the answer names its object.
    """

    error: type[RequestError]
    statuses: range
    named: bool | None = None
    cause: str | None = None
    text: re.Pattern[str] | None = None

    def fits(self, answer: ApiResponse) -> bool:
        return (
            answer.status in self.statuses
            and self.named in (None, bool(answer.kind or answer.name))
            and (self.cause is None or any(cause.reason == self.cause for cause in answer.causes))
            and (self.text is None or self.text.search(answer.message) is not None)
        )


def _only(status: int) -> range:
    return range(status, status + 1)


_RULES = (
    _ErrorRule(Unauthorized, _only(401)),
    _ErrorRule(NamespaceTerminating, _only(403), cause="NamespaceTerminating"),
    _ErrorRule(Forbidden, _only(403)),
    _ErrorRule(UnknownApi, _only(404), named=False),
    _ErrorRule(NotFound, _only(404)),
    _ErrorRule(DeadlineExceeded, _only(408)),
    _ErrorRule(ManagerConflict, _only(409), cause="FieldManagerConflict"),
    _ErrorRule(StaleVersion, _only(409)),
    _ErrorRule(Expired, _only(410)),
    _ErrorRule(TooLarge, _only(413)),
    _ErrorRule(TooLarge, _only(422), cause="FieldValueTooLong"),
    _ErrorRule(Invalid, _only(422)),
    _ErrorRule(Throttled, _only(429)),
    _ErrorRule(TooLarge, range(500, 600), text=_TOO_LARGE),
    _ErrorRule(ServerFailure, range(500, 600)),
    _ErrorRule(BadRequest, range(1000)),
)

_MOVE_ENTRIES = "Write it in the new version by hand once, or leave the field out of Git until that is done."
# Messages of admission: a ValidatingAdmissionPolicy by a 422, a webhook by any status.
_DENIED = re.compile(r"ValidatingAdmissionPolicy '|admission webhook .{1,300} denied")
_DENIED_DELETE = (
    "The admission rule of the cluster that the message names forbids its deletion. It stays until the rule or the"
    " object lets it go; the next run tries again."
)
_DENIED_WRITE = "Correct the manifest in Git, or see the admission rule that the message names."
_IMMUTABLE = (
    "Keep what cannot be changed as it is in the cluster, or set recreate: true for the app, which lets Plumb delete"
    " the object and create it again."
)
_NEXT_STEPS = {
    ServerFailure: "Correct the manifest in Git: the same request can only fail again.",
    NotFound: "Create the namespace first, or set create_namespace for the app.",
    BadRequest: "Check that the address is that of a Kubernetes API server.",
}


def api_error(answer: ApiResponse, target: Target) -> RequestError:
    """Return the error for a status that is no success. That of a Secret has no text of the server."""
    error = next(rule.error for rule in _RULES if rule.fits(answer))
    shown = answer.withheld() if target.secret else answer
    return error(
        target.subject,
        target.operation,
        _reason(shown),
        _next_step(error, answer, target),
        answer=shown,
    )


def _next_step(error: type[RequestError], answer: ApiResponse, target: Target) -> str | None:
    """Return a better next step than the class has, where the answer allows one."""
    if answer.defect == OUTDATED:
        return _MOVE_ENTRIES
    deleting = target.operation.startswith("deleting")
    if _DENIED.search(answer.message):
        return _DENIED_DELETE if deleting else _DENIED_WRITE
    if deleting and error in {Invalid, BadRequest}:
        return "The message names what keeps the object. It stays, and the next run tries again."
    if error is Invalid and answer.immutable:
        return _IMMUTABLE
    special = (
        bool(answer.defect)
        or (error is NotFound and answer.kind == "namespaces")
        or (error is BadRequest and not answer.reason)
    )
    return _NEXT_STEPS.get(error) if special else None


def _reason(answer: ApiResponse) -> str:
    """Return the conflicts, or the server's message, or where that is withheld or missing its reason and fields."""
    if answer.conflicts:
        held = [
            f"{conflict.manager} {'applied' if conflict.applied else 'changed'} {conflict.field}"
            for conflict in answer.conflicts[:_SHOWN]
        ]
        more = len(answer.conflicts) - len(held)
        return ", ".join(held) + (f" and {more} more" if more else "")
    if len(answer.message) > _LONG and answer.causes:
        return "; ".join(_shortened(cause) for cause in answer.causes[:_SHOWN])
    if answer.message:
        return answer.message.rstrip(". ")
    if answer.defect:
        return f"the server answered {answer.status}: {answer.defect}"
    if not answer.reason:
        return f"the server answered {answer.status} and no reason"
    fields = ", ".join(f"{cause.field or 'object'} {cause.reason}" for cause in answer.causes[:_SHOWN])
    return f"the server answered {answer.status} {answer.reason}" + (f": {fields}" if fields else "")


def _shortened(cause: StatusCause) -> str:
    """Return a cause without the value or the difference that the server prints before or below its message."""
    text = cause.message.partition("\n")[0]
    if len(text) > _LONG // _SHOWN:
        text = text.rpartition("}: ")[2]
    return f"{cause.field}: {printable(text, _LONG // 2)}" if cause.field else printable(text, _LONG // 2)
