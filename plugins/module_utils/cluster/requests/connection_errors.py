# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table that turns an exception of urllib3 into a failure. The exception's own text is not repeated."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass

from ..errors import DeadlineExceeded, RequestError, Unreachable
from .api_errors import Target
from .llhttp_connection import InvalidResponse
from .optional_imports import urllib3
from .retry import RequestFailure, Trouble

CONNECT_TIMEOUT = 10.0  # seconds, within the request's own


@dataclass(frozen=True, slots=True)
class _FailureRule:
    """`exception` is a name in urllib3.exceptions; `why` has `{server}`, `{seconds}`, `{connecting}` and `{detail}`."""

    exception: str
    error: type[RequestError]
    trouble: Trouble
    why: str
    next_step: str | None = None


# The first row whose exception fits counts; a subclass comes before its base.
_FAILURE_RULES = (
    _FailureRule("NameResolutionError", Unreachable, Trouble.UNSENT, "the name in {server} does not resolve"),
    _FailureRule("NewConnectionError", Unreachable, Trouble.UNSENT, "no connection to {server}{detail}"),
    _FailureRule(
        "ConnectTimeoutError",
        Unreachable,
        Trouble.UNSENT,
        "no connection to {server} within {connecting}",
        "Check the server's address, the network and the proxy. Connecting has a limit of its own, which"
        " request_timeout only lowers.",
    ),
    _FailureRule(
        "EmptyPoolError",
        DeadlineExceeded,
        Trouble.UNSENT,
        "all connections to {server} were busy for {seconds}",
        "Run again; lower concurrency (plumb_concurrency) or raise request_timeout (plumb_request_timeout).",
    ),
    _FailureRule(
        "ReadTimeoutError",
        DeadlineExceeded,
        Trouble.SILENT,
        "no whole answer from {server} within {seconds}",
        "Run again; raise request_timeout (plumb_request_timeout) if the API server is only slow.",
    ),
    _FailureRule(
        "ProxyError", Unreachable, Trouble.UNSENT, "the proxy before {server} gave no connection{detail}"
    ),
    _FailureRule("SSLError", Unreachable, Trouble.LOST, "TLS with {server} failed{detail}"),
    _FailureRule(
        "HTTPError",
        Unreachable,
        Trouble.LOST,
        "the connection to {server} broke before the answer was complete{detail}",
    ),
)


def connection_failure(exc: Exception, target: Target, server: str, seconds: float) -> RequestFailure:
    """Return the failure of an attempt, given `seconds`, that ended in `exc`, an HTTPError of urllib3.

    A connection had CONNECT_TIMEOUT of these at most.
    """
    refused = _certificate_refused(exc)
    if refused is not None:
        error = Unreachable(
            target.subject,
            target.operation,
            f"the certificate of {server} does not verify: {refused.verify_message}",
            "Name the CA that signed it (ca_cert, or certificate-authority in the kubeconfig), or correct the address.",
        )
        return RequestFailure(error, Trouble.UNSENT, final=True)
    row = next(row for row in _FAILURE_RULES if isinstance(exc, getattr(urllib3.exceptions, row.exception)))
    why = row.why.format(
        server=server,
        seconds=f"{seconds:.1f} s",
        connecting=f"{min(seconds, CONNECT_TIMEOUT):.1f} s",
        detail=_detail(exc),
    )
    return RequestFailure(row.error(target.subject, target.operation, why, row.next_step), row.trouble)


def _certificate_refused(exc: BaseException) -> ssl.SSLCertVerificationError | None:
    return next((e for e in _chain(exc) if isinstance(e, ssl.SSLCertVerificationError)), None)


def _detail(exc: BaseException) -> str:
    """Return the name that the operating system or OpenSSL has for it, or what was wrong with the answer."""
    for cause in _chain(exc):
        if isinstance(cause, InvalidResponse):
            return f": {cause}"
        if isinstance(cause, ssl.SSLError):
            return f": {cause.reason}" if cause.reason else ""
        if isinstance(cause, OSError) and cause.errno:
            return f": {os.strerror(cause.errno)}"
    return ""


def _chain(exc: BaseException) -> list[BaseException]:
    """Return an exception, what it was raised from and what it wraps."""
    chain: list[BaseException] = []
    waiting: list[BaseException] = [exc]
    while waiting and len(chain) < 10:
        this = waiting.pop(0)
        if this in chain:
            continue
        chain.append(this)
        waiting += [e for e in (this.__cause__, this.__context__, *this.args) if isinstance(e, BaseException)]
    return chain
