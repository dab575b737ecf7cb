# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one module of this package that imports what a target may lack: GitPython and semver."""

from __future__ import annotations

from ...model.errors import SourceError

try:
    import git
    import semver
except ImportError as exc:  # GitPython raises this as well where there is no git program
    git = semver = None  # type: ignore[assignment]
    _missing: ImportError | None = exc
else:
    _missing = None

__all__ = ["git", "require_packages", "semver"]


def require_packages() -> None:
    """Raise SourceError where GitPython, semver or the git program is missing."""
    if _missing is None:
        return
    raise SourceError(
        "sources",
        "loading what reads Git repositories",
        str(_missing),
        "Install git, and GitPython and semver for the Python that runs the module "
        "(requirements.txt of the collection names the versions).",
    ) from _missing
