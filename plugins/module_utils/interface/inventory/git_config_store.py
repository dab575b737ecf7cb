# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The config in Git that is in force: the last commit's that could be used, kept in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...model.app import SourceSpec
from ...state.record_store import RecordStore, record_file


@dataclass(frozen=True, slots=True)
class GitConfig:
    """Sources and apps as their options, checked and with defaults, and the commit that they are from."""

    commit: str
    sources: tuple[Mapping[str, Any], ...]
    apps: tuple[Mapping[str, Any], ...]


_STORE = RecordStore[GitConfig](
    kind="plumb.gitops/config",
    version=1,
    encode=lambda config: {
        "commit": config.commit,
        "sources": list(config.sources),
        "apps": list(config.apps),
    },
    decode=lambda content: GitConfig(
        str(content["commit"]), tuple(content["sources"]), tuple(content["apps"])
    ),
)


def git_config_file(cache: Path, source: SourceSpec, config: Mapping[str, Any], cluster: str) -> Path:
    """Return the file of the config in force, for a cluster's `plumb_config` in this source."""
    folder = config.get("credentials_dir") or ""
    return record_file(
        cache / "config", source.url, source.ref_kind.value, source.ref, config["path"], folder, cluster
    )


def save_git_config(file: Path, config: GitConfig) -> None:
    """Save a config as the one in force. A known one is not written again. Raises OSError."""
    if _STORE.load(file) != config:
        _STORE.save(file, config)


def load_git_config(file: Path) -> GitConfig | None:
    """Return the config in force; None where none is known."""
    return _STORE.load(file)
