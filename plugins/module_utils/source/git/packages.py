# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one module of this package that imports what a target may lack: semver."""

from __future__ import annotations

from ...model.errors import SourceError

try:
    import semver
except ImportError as exc:
    semver = None  # type: ignore[assignment]
    _missing: ImportError | None = exc
else:
    _missing = None

__all__ = ["require_packages", "semver"]


def require_packages() -> None:
    """Raise SourceError where semver is missing."""
    if _missing is None:
        return
    raise SourceError(
        "sources",
        "loading what reads versions of tags",
        str(_missing),
        "Install semver for the Python that runs the module (the collection's requirements.txt has the versions).",
    ) from _missing
