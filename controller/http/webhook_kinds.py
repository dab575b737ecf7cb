# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of webhooks: how each sender proves that it knows the secret, and which work it starts. A table; no I/O."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ansible_collections.plumb.gitops.plugins.module_utils.notify.signature import is_signed

from ..core.triggers import Work

Headers = Mapping[str, str]  # names in lower case


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One kind of sender.

    `proofs` are the headers of which one has to be there; without, no body is read. `proven` says whether they fit.
    `events` says by the header `event` which work is started; what is not in it starts `otherwise`.
    """

    proofs: tuple[str, ...]
    proven: Callable[[bytes, Headers, bytes, float], bool]  # secret, headers, body, seconds since 1970
    delivery: tuple[str, ...] = ()  # headers that tell deliveries apart
    event: str = ""
    events: Mapping[str, Work | None] = field(default_factory=lambda: MappingProxyType({}))
    otherwise: Work = Work.PULL
    repeats: bool = False  # whether it sends again, for ever, what is refused

    def work(self, headers: Headers) -> Work | None:
        """Return the work that a delivery starts; None for one that only tests the connection."""
        return self.events.get(headers.get(self.event, ""), self.otherwise)


def _hmac(header: str, prefix: str = "") -> Callable[[bytes, Headers, bytes, float], bool]:
    """Return a check of a header that holds the body's HMAC-SHA256 in hexadecimal."""

    def proven(secret: bytes, headers: Headers, body: bytes, _now: float) -> bool:
        value = headers.get(header, "")
        wanted = prefix + hmac.new(secret, body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(value.encode("utf-8", "surrogateescape"), wanted.encode())

    return proven


def _token(header: str, *prefixes: str) -> Callable[[bytes, Headers, bytes, float], bool]:
    """Return a check of a header that holds the secret itself."""

    def proven(secret: bytes, headers: Headers, _body: bytes, _now: float) -> bool:
        value = headers.get(header, "")
        for prefix in prefixes:
            value = value.removeprefix(prefix)
        return hmac.compare_digest(value.encode("utf-8", "surrogateescape"), secret)

    return proven


def _generic(secret: bytes, headers: Headers, body: bytes, now: float) -> bool:
    """Check the standard's headers, which cover id and time, or a plain HMAC of the body."""
    if "webhook-signature" in headers:
        return is_signed(secret, headers, body, now)
    return _hmac("x-signature", "sha256=")(secret, headers, body, now)


SENDERS: Mapping[str, Sender] = MappingProxyType(
    {
        # https://docs.gitea.com/usage/webhooks
        "gitea": Sender(
            proofs=("x-gitea-signature",),
            proven=_hmac("x-gitea-signature"),
            delivery=("x-gitea-delivery",),
            event="x-gitea-event",
            events={
                "pull_request": Work.PREVIEWS,
                "pull_request_sync": Work.PREVIEWS,
                "package": Work.IMAGES,
            },
        ),
        # https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
        "github": Sender(
            proofs=("x-hub-signature-256",),
            proven=_hmac("x-hub-signature-256", "sha256="),
            delivery=("x-github-delivery",),
            event="x-github-event",
            events={
                "ping": None,
                "pull_request": Work.PREVIEWS,
                "package": Work.IMAGES,
                "registry_package": Work.IMAGES,
            },
        ),
        # https://docs.gitlab.com/user/project/integrations/webhooks
        "gitlab": Sender(
            proofs=("x-gitlab-token",),
            proven=_token("x-gitlab-token"),
            delivery=("x-gitlab-event-uuid",),
            event="x-gitlab-event",
            events={"Merge Request Hook": Work.PREVIEWS},
        ),
        # https://www.standardwebhooks.com, or X-Signature as Flux's generic-hmac
        "generic": Sender(
            proofs=("webhook-signature", "x-signature"), proven=_generic, delivery=("webhook-id",)
        ),
        # https://distribution.github.io/distribution/about/notifications; Harbor sends the same header
        "registry": Sender(
            proofs=("authorization",),
            proven=_token("authorization", "Bearer "),
            otherwise=Work.IMAGES,
            repeats=True,
        ),
    }
)
