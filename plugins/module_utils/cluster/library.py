# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The third-party packages of this room, and the only place that imports them: a target may lack them.

`import kubernetes` costs about 0.25 s and 20 MB on top of urllib3, whichever part of it is wanted; its typed APIs
are loaded on demand, and nothing here demands them.
"""

from __future__ import annotations

from ..model.errors import InputError

try:
    import urllib3
    import yaml
    from kubernetes.client import Configuration
    from kubernetes.client.rest import should_bypass_proxies
    from kubernetes.config import ConfigException, load_kube_config
    from kubernetes.config.incluster_config import (
        SERVICE_CERT_FILENAME,
        SERVICE_HOST_ENV_NAME,
        SERVICE_TOKEN_FILENAME,
        InClusterConfigLoader,
    )
except ImportError as exc:
    MISSING: ImportError | None = exc
    urllib3 = yaml = None  # type: ignore[assignment]
    Configuration = ConfigException = InClusterConfigLoader = load_kube_config = should_bypass_proxies = None
    SERVICE_CERT_FILENAME = SERVICE_HOST_ENV_NAME = SERVICE_TOKEN_FILENAME = ""
else:
    MISSING = None

__all__ = [
    "SERVICE_CERT_FILENAME",
    "SERVICE_HOST_ENV_NAME",
    "SERVICE_TOKEN_FILENAME",
    "ConfigException",
    "Configuration",
    "InClusterConfigLoader",
    "load_kube_config",
    "require",
    "should_bypass_proxies",
    "urllib3",
    "yaml",
]


def require() -> None:
    """Raise InputError where a package is missing."""
    if MISSING is not None:
        raise InputError(
            "the Python packages",
            "loading the Kubernetes client",
            f"{MISSING.name or 'kubernetes'} cannot be imported",
            "Install what the collection's requirements.txt names into the Python that runs Ansible's modules.",
        ) from MISSING
