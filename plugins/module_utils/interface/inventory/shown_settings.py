# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program that schedules runs has to know of a host: its sources and apps, and no secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..options.common import CONFIG, CONNECTION, SOURCE
from ..options.images import IMAGE, UPDATE
from ..parsing.cache_folder import cache_of
from ..parsing.engine_values import source_spec
from .git_config_store import git_config_file

_OF_APP = ("name", "source", "path", "suspend", "depends_on", "namespace", "moved_from")
# A key is a secret, and a proxy's address may hold a password. What the others name are files.
_OF_CONNECTION = tuple(name for name in CONNECTION if name not in {"api_key", "proxy"})


def shown_settings(settings: Mapping[str, Any], cluster: str) -> dict[str, Any]:
    """The settings of a checked inventory (`words.Checked.settings`) for its host `cluster`, as JSON types."""
    return {
        "config": _config(settings, cluster),
        "sources": [_given(source, tuple(SOURCE)) for source in settings.get("sources") or ()],
        "apps": [{name: app[name] for name in _OF_APP} for app in settings.get("apps") or ()],
        "images": [_given(image, tuple(IMAGE)) for image in settings.get("images") or ()],
        "image_updates": [_given(update, tuple(UPDATE)) for update in settings.get("image_updates") or ()],
        "namespace": settings["namespace"],
        "preview": bool((settings.get("preview") or {}).get("enabled")),
        "cache_dir": str(cache_of(settings)),
        "connection": _given(settings, _OF_CONNECTION),
    }


def _config(settings: Mapping[str, Any], cluster: str) -> dict[str, Any] | None:
    """Where the config in Git is, and the file in which the one in force is kept (accepted.py reads it)."""
    config = settings.get("config")
    if not config:
        return None
    source = next(given for given in settings["sources"] if given["name"] == config["source"])
    file = git_config_file(cache_of(settings), source_spec(source), config, cluster)
    return {**_given(config, tuple(CONFIG)), "file": str(file)}


def _given(settings: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: settings[name] for name in names if settings.get(name) is not None}
