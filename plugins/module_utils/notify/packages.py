# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one module that imports apprise, which a target may lack."""

from __future__ import annotations

import importlib
from typing import Any

from ..model.errors import InputError


def load_apprise() -> Any:
    """Return the module, which is optional and takes long to load. Raises InputError where it is missing."""
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
