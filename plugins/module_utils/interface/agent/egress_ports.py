# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TCP ports that an agent has to reach for what its inventory names: sources, registries, the forge, proxies.

What is not in the inventory is not known: sources of a config in Git, addresses in files (those of notifications), and
where a registry sends others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

_DEFAULTS = {"https": 443, "http": 80, "ssh": 22, "socks5": 1080, "socks5h": 1080}
_SCP_LIKE = re.compile(r"[^/@\s]+@[^/:\s]+:")
_REGISTRY = re.compile(r"(?P<host>[^/]+)/", re.ASCII)


def ports_of(settings: Mapping[str, Any]) -> list[int]:
    """Return the ports that an inventory's variables (without `plumb_`) name, in order, without unreadable ones."""
    ports = {port for address in _addresses(settings) if (port := _port(address))}
    ports |= {port for image in settings.get("images") or () if (port := _port_of_registry(image))}
    return sorted(ports)


def _addresses(settings: Mapping[str, Any]) -> Iterator[str]:
    for item in (*(settings.get("sources") or ()), settings.get("forge") or {}):
        yield from (str(item.get(key) or "") for key in ("url", "proxy"))
    yield from (str(image.get("realm") or "") for image in settings.get("images") or ())


def _port(address: str) -> int | None:
    if _SCP_LIKE.match(address) and "://" not in address:
        return _DEFAULTS["ssh"]
    try:
        parts = urlsplit(address)
        return parts.port or _DEFAULTS.get(parts.scheme.lower())
    except ValueError:
        return None


def _port_of_registry(image: Mapping[str, Any]) -> int | None:
    """Return the port of an image's registry. A name without a host is one of Docker Hub."""
    host = _REGISTRY.match(str(image.get("image") or ""))
    named = host is not None and any(sign in host["host"] for sign in ".:[")
    scheme = "http" if image.get("insecure") and named else "https"
    return _port(f"{scheme}://{host['host']}") if host is not None and named else _DEFAULTS["https"]
