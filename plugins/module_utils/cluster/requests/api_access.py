# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address of a server and the credentials for it, made from a connection's options."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAccess:
    """An API server's address and the credentials for it."""

    server: str  # the URL, with a path where a gateway wants one; no trailing slash
    tls: ssl.SSLContext | None = None
    server_name: str = ""  # to be checked in the certificate, where it is not the host's
    # The header's value, fresh; empty: none.
    authorization: Callable[[], str] = field(default=str, repr=False)
    headers: tuple[tuple[str, str], ...] = ()  # impersonation
    proxy: str = field(default="", repr=False)  # a URL, maybe with a password
    named: str = ""  # how the operator named it, for messages: `kubeconfig /etc/x, context prod`


def is_loopback(url: str) -> bool:
    """Return whether a URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
