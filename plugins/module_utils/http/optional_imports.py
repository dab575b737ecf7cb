# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only module that imports requests, and urllib3 beneath it, which a target may lack."""

from __future__ import annotations

from ..model.errors import InputError

try:
    import requests
    from requests.adapters import HTTPAdapter
    from requests.utils import get_environ_proxies
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
except ImportError as exc:
    requests = get_environ_proxies = None  # type: ignore[assignment]
    HTTPAdapter = HTTPConnection = HTTPSConnection = object  # type: ignore[assignment,misc]
    HTTPConnectionPool = HTTPSConnectionPool = object  # type: ignore[assignment,misc]
    _missing: ImportError | None = exc
else:
    _missing = None

__all__ = [
    "HTTPAdapter",
    "HTTPConnection",
    "HTTPConnectionPool",
    "HTTPSConnection",
    "HTTPSConnectionPool",
    "get_environ_proxies",
    "requests",
    "require_packages",
]


def require_packages(operation: str) -> None:
    """Raise InputError where requests is missing; `operation` is what it is loaded for."""
    if _missing is not None:
        raise InputError(
            "the Python packages",
            operation,
            "requests cannot be imported",
            "Install what the collection's requirements.txt names into the Python that runs Ansible's modules.",
        ) from _missing
