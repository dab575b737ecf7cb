# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where built programs are kept, for all sandboxes of a user."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

from plumb_sandbox.components.table import COMPONENTS, Component, build_key


def cache_folder(env: Mapping[str, str] | None = None) -> Path:
    """Return `PLUMB_SANDBOX_CACHE`, or plumb/sandbox in the user's cache folder."""
    env = os.environ if env is None else env
    if named := env.get("PLUMB_SANDBOX_CACHE"):
        return Path(named).absolute()
    general = env.get("XDG_CACHE_HOME")
    return (Path(general) if general else Path.home() / ".cache") / "plumb" / "sandbox"


def build_folder(folder: str, env: Mapping[str, str] | None = None) -> Path:
    """Return the folder of the programs built from one Go module."""
    return cache_folder(env) / build_key(folder, f"{platform.system()}-{platform.machine()}")


def cached_binary(component: Component, env: Mapping[str, str] | None = None) -> Path | None:
    """Return COMPONENT's program as built earlier from exactly these versions; None without one."""
    path = build_folder(component.folder, env) / "bin" / component.name
    return path if os.access(path, os.X_OK) else None


def built_together(component: Component) -> tuple[Component, ...]:
    """Return all components of COMPONENT's Go module."""
    return tuple(other for other in COMPONENTS if other.folder == component.folder)
