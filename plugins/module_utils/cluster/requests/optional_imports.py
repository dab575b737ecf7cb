# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The third-party packages that requests need, and the only module that imports them: a target may lack them.

`import kubernetes` costs about 0.25 s and 40 MB on top of urllib3, so it is imported only for kubeconfigs with a
credential plugin, and may be missing otherwise.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import Any

from ...model.errors import InputError

try:
    import httptools
    import urllib3
    import yaml
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
except ImportError as exc:
    MISSING: ImportError | None = exc
    httptools = urllib3 = yaml = None  # type: ignore[assignment]
    HTTPConnection = HTTPSConnection = object  # type: ignore[assignment,misc]
    HTTPConnectionPool = HTTPSConnectionPool = object  # type: ignore[assignment,misc]
else:
    MISSING = None

_INSTALL = "Install what the collection's requirements.txt names into the Python that runs Ansible's modules."

__all__ = [
    "HTTPConnection",
    "HTTPConnectionPool",
    "HTTPSConnection",
    "HTTPSConnectionPool",
    "Package",
    "httptools",
    "package",
    "require",
    "urllib3",
    "yaml",
]


@dataclass(frozen=True, slots=True)
class Package:
    """The parts of the kubernetes package that are used."""

    Configuration: Any
    ConfigException: type[Exception]
    load_kube_config: Any


def package() -> Package:
    """Return the kubernetes package, imported now. Raises InputError where it is missing."""
    try:
        from kubernetes import client, config  # noqa: PLC0415 - slow, and rarely needed
    except ImportError as exc:
        raise InputError(
            "the Python packages",
            "reading a kubeconfig whose credentials come from a plugin (exec, auth-provider)",
            f"{exc.name or 'kubernetes'} cannot be imported",
            "Install what the collection's requirements-plugins.txt names into the Python that runs Ansible's modules, "
            "or use a kubeconfig with a token or a certificate, which needs no package.",
        ) from exc
    return Package(client.Configuration, config.ConfigException, config.load_kube_config)


def require() -> None:
    """Raise InputError where a package is missing, or another one has its name."""
    if MISSING is not None:
        raise _unusable(f"{MISSING.name or MISSING} cannot be imported", _INSTALL) from MISSING
    version = getattr(urllib3, "__version__", "of no version")
    if not issubclass(HTTPConnection, http.client.HTTPConnection):
        raise _unusable(
            f"urllib3-future has replaced urllib3 ({version}); niquests brings it",
            "Give Ansible a Python environment without it, or run there: pip uninstall -y urllib3-future && "
            "pip install --force-reinstall urllib3",
        )
    if not hasattr(urllib3, "BaseHTTPResponse"):  # new in version 2, as what llhttp_connection.py relies on
        raise _unusable(f"urllib3 {version} is too old", _INSTALL)


def _unusable(why: str, next_step: str) -> InputError:
    return InputError("the Python packages", "loading the Kubernetes client", why, next_step)
