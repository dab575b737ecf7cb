# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies below the cache folder, whose it must be, and how large it may become (ADR 0017)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...state.folder import bound_folder, check_folder, check_status

RENDERINGS = "renderings"  # bounded by render.render_cache, which writes it
PREVIEWS = "previews"  # what open pull requests brought; no run reads it
_SOURCES = "sources"  # checked and bounded by source.cache
_SMALL = (
    "images",
    "looks",
    "notifications",
    PREVIEWS,
    "standing",
    "statuses",
)  # a file for each cluster or two
_MOST = 256 * 1024 * 1024  # bytes of each of these
_UNUSED = 365 * 24 * 3600.0  # seconds; a verified state is written only where something changed


def cache_of(options: Mapping[str, Any]) -> Path:
    """Return the folder for what can be made again: the option's, or one below the account's cache folder."""
    if options.get("cache_dir"):
        return Path(options["cache_dir"])
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "plumb"


def check_cache(cache: Path) -> None:
    """Raise NotPrivateError where something of the cache belongs to somebody else, or others may write to it."""
    check_folder(cache)
    for entry in _entries(cache):
        if entry.is_dir(follow_symlinks=False) or entry.is_symlink():
            check_folder(Path(entry.path))
            for inner in () if entry.name == _SOURCES else _entries(Path(entry.path)):
                _check(inner)
        else:
            _check(entry)


def bound_caches(cache: Path) -> None:
    """Keep each of the small caches below its bound."""
    for name in _SMALL:
        bound_folder(cache / name, largest=_MOST, unused=_UNUSED)


def _check(entry: os.DirEntry[str]) -> None:
    with suppress(FileNotFoundError):  # another run may have replaced it
        if entry.is_dir(follow_symlinks=False):
            check_folder(Path(entry.path))
        else:
            check_status(Path(entry.path), entry.stat(follow_symlinks=False))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
