# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The config in Git that is in force: the last commit's that could be used, kept in a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...model.app import SourceSpec
from ...state.file import keep, kept

_KIND = "plumb.gitops/config"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class GitConfig:
    """Sources and apps as their options, defaults filled in and checked, and the commit that says so."""

    commit: str
    sources: tuple[Mapping[str, Any], ...]
    apps: tuple[Mapping[str, Any], ...]


def git_config_file(cache: Path, source: SourceSpec, config: Mapping[str, Any], cluster: str) -> Path:
    """Where the config in force is kept, for a cluster's `plumb_config` in this source."""
    said = (
        source.url,
        source.ref_kind.value,
        source.ref,
        config["path"],
        config.get("credentials_dir") or "",
        cluster,
    )
    digest = hashlib.sha256("\0".join(said).encode("utf-8", "surrogateescape")).hexdigest()
    return cache / "config" / f"{digest[:32]}.json"


def save_git_config(file: Path, config: GitConfig) -> None:
    """Let a config be in force. A known one is not written again. Raises OSError."""
    content = {"commit": config.commit, "sources": list(config.sources), "apps": list(config.apps)}
    if kept(file, _KIND, _FORMAT) != content:
        keep(file, _KIND, _FORMAT, content)


def load_git_config(file: Path) -> GitConfig | None:
    """The config in force; None where none is known."""
    content = kept(file, _KIND, _FORMAT)
    if content is None:
        return None
    try:
        return GitConfig(str(content["commit"]), tuple(content["sources"]), tuple(content["apps"]))
    except (KeyError, TypeError):
        return None
