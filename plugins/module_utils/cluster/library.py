# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The third-party packages of this room, and the only place that imports them: a target may lack them.

`import kubernetes` costs about 0.25 s and 40 MB on top of urllib3, so it is imported where it is needed: for
kubeconfigs with a credential plugin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..model.errors import InputError

try:
    import httptools
    import urllib3
    import yaml
except ImportError as exc:
    MISSING: ImportError | None = exc
    httptools = urllib3 = yaml = None  # type: ignore[assignment]
else:
    MISSING = None

__all__ = ["Package", "httptools", "package", "require", "urllib3", "yaml"]


@dataclass(frozen=True, slots=True)
class Package:
    """What is used of the kubernetes package."""

    Configuration: Any
    ConfigException: type[Exception]
    load_kube_config: Any


def package() -> Package:
    """The kubernetes package, imported now. Raises InputError where it is missing."""
    try:
        from kubernetes import client, config  # noqa: PLC0415 - dear, and few need it
    except ImportError as exc:
        raise _missing(exc) from exc
    return Package(client.Configuration, config.ConfigException, config.load_kube_config)


def require() -> None:
    """Raise InputError where a package is missing."""
    if MISSING is not None:
        raise _missing(MISSING) from MISSING


def _missing(error: ImportError) -> InputError:
    return InputError(
        "the Python packages",
        "loading the Kubernetes client",
        f"{error.name or 'kubernetes'} cannot be imported",
        "Install what the collection's requirements.txt names into the Python that runs Ansible's modules.",
    )
