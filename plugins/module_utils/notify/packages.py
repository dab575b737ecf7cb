# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where this room imports requests and apprise, which a target may lack."""

from __future__ import annotations

import importlib
from typing import Any

from ..model.errors import InputError

try:
    import requests
except ImportError as exc:
    requests = None  # type: ignore[assignment]
    _no_requests: ImportError | None = exc
else:
    _no_requests = None

__all__ = ["load_apprise", "requests", "require_requests"]


def require_requests() -> None:
    """Raise InputError where requests is missing."""
    if _no_requests is not None:
        raise InputError(
            "the Python packages",
            "loading what sends notifications",
            "requests cannot be imported",
            "Install what the collection's requirements.txt names into the Python that runs Ansible's modules.",
        ) from _no_requests


def load_apprise() -> Any:
    """The module, which is optional and takes long to load. Raises InputError where it is missing."""
    try:
        return importlib.import_module("apprise")
    except ImportError as exc:
        raise InputError(
            "the Python packages",
            "loading what sends by apprise_url_file",
            "apprise cannot be imported",
            "Install what the collection's requirements-notify.txt names into the Python that runs Ansible's"
            " modules, or use webhook_url_file.",
        ) from exc
