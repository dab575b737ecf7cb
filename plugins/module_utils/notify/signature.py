# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing what is sent to a webhook, and seeing that what comes was signed: https://www.standardwebhooks.com."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

TOLERANCE = 300.0  # seconds that the clocks of both may differ, and a delivery may take
_PREFIX = b"whsec_"


def key_of(secret: bytes) -> bytes:
    """Return the key of a secret: after `whsec_` it is base64, as the standard says, else the secret's own bytes."""
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            return b""
    return secret


def signed_headers(secret: bytes, identity: str, seconds: int, body: bytes) -> dict[str, str]:
    """Return the headers that go with a body: `seconds` since 1970 is when it is sent."""
    digest = _digest(secret, identity, str(seconds), body)
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def is_signed(secret: bytes, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Return whether these headers were made with this secret for this body, not longer ago than TOLERANCE.

    Names of headers are in lower case. Several signatures may stand there, while a secret is being changed.
    """
    identity, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not identity or not (sent.isascii() and sent.isdigit() and len(sent) < 15):
        return False
    digest = _digest(secret, identity, sent, body)
    fits = False
    for signature in headers.get("webhook-signature", "").split(" ")[:8]:
        fits |= hmac.compare_digest(_decoded(signature), digest)
    return fits and bool(key_of(secret)) and abs(now - int(sent)) <= TOLERANCE


def _digest(secret: bytes, identity: str, sent: str, body: bytes) -> bytes:
    return hmac.digest(key_of(secret), f"{identity}.{sent}.".encode() + body, hashlib.sha256)


def _decoded(signature: str) -> bytes:
    version, _comma, encoded = signature.partition(",")
    try:
        return base64.b64decode(encoded, validate=True) if version == "v1" else b""
    except (binascii.Error, ValueError):
        return b""
