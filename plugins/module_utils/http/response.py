# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what a server answers, which may be endless, a bomb of compressed bytes, or no answer at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..model.errors import PlumbError, printable

if TYPE_CHECKING:
    from requests import Response


def read_body(response: Response, *, limit: int, error: Callable[[str], PlumbError]) -> bytes:
    """Return the whole body: at most `limit` bytes; otherwise raises `error(why)`. The exchange has the deadline."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise error("it is compressed, which was not asked for")
    body = bytearray()
    for chunk in response.iter_content(1 << 16):
        body += chunk
        if len(body) > limit:
            raise error(f"the answer is larger than {limit >> 10} KiB")
    return bytes(body)


def is_worth_another_try(error: Exception) -> bool:
    """Return whether a request that ended in this error of `requests` may succeed a moment later."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return "ConnectionError" in kinds and not kinds & {"SSLError", "ProxyError"}


_REASONS: tuple[tuple[str, str], ...] = (
    ("SSLError", "its certificate is not signed by an authority that is trusted here"),
    ("ProxyError", "the proxy does not let the request through"),
    ("ConnectTimeout", "no connection in time"),
    ("ReadTimeout", "no answer in time"),
    ("ChunkedEncodingError", "the answer breaks off"),
    ("ConnectionError", "no connection"),
)


def why_unanswered(error: Exception) -> str:
    """Return why there was no answer: the class of the error decides, its text only adds the system's message."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    why = next((reason for name, reason in _REASONS if name in kinds), "the request cannot be made")
    return f"{why} ({printable(_innermost(error), 200)})"


def _innermost(error: BaseException) -> str:
    """Return the last cause's own message: `requests` wraps it in descriptions of objects and whole addresses."""
    while True:
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    return str(error.args[-1]) if error.args else type(error).__name__
