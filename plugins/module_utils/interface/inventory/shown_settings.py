# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program that schedules runs must know of a host: its sources and apps, and no secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...model.duration import parse_duration
from ..options.common import CONFIG, CONNECTION, SOURCE
from ..options.images import IMAGE, UPDATE
from ..parsing.cache_folder import cache_of
from ..parsing.engine_values import source_spec
from ..parsing.receivers import receiver_of
from .git_config_store import git_config_file

_OF_APP = ("name", "source", "path", "suspend", "depends_on", "namespace", "moved_from")
# A key is a secret, and a proxy's address may hold a password. What the others name are files.
_OF_CONNECTION = tuple(name for name in CONNECTION if name not in {"api_key", "proxy"})


def shown_settings(settings: Mapping[str, Any], cluster: str) -> dict[str, Any]:
    """Return the settings of a checked inventory for its host `cluster`, as JSON types."""
    return {
        "config": _config(settings, cluster),
        "sources": [_options(source, SOURCE) for source in settings["sources"]],
        "apps": [{name: app[name] for name in _OF_APP} for app in settings["apps"]],
        "images": [_options(image, IMAGE) for image in settings["images"]],
        "image_updates": [_options(update, UPDATE) for update in settings["image_updates"]],
        "namespace": settings["namespace"],
        "deliver": _deliver(settings),
        "preview": bool((settings["preview"] or {}).get("enabled")),
        "cache_dir": str(cache_of(settings)),
        "cache_size": str(settings["cache_size"]),
        "connection": _options(settings, _OF_CONNECTION),
    }


def _deliver(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return to whom the result of a run is delivered, and how long a hook may take, in seconds."""
    throttles = [receiver_of(options)[1] for options in settings["notifications"]]
    return {
        "commit_status": bool(settings["commit_status"]),
        "notifications": [
            {
                "name": options["name"],
                "severity": int(throttle.severity),
                "repeat_after": throttle.repeat_after,
            }
            for options, throttle in zip(settings["notifications"], throttles, strict=True)
        ],
        "hooks": sorted(name for name, path in (settings["hooks"] or {}).items() if path),
        "hook_timeout": parse_duration(settings["hook_timeout"], subject="hook_timeout"),
    }


def _config(settings: Mapping[str, Any], cluster: str) -> dict[str, Any] | None:
    """Return where the config in Git is, and the file of the one in force (git_config_store reads it)."""
    config = settings["config"]
    if not config:
        return None
    source = next(source for source in settings["sources"] if source["name"] == config["source"])
    file = git_config_file(cache_of(settings), source_spec(source), config, cluster)
    return {**_options(config, CONFIG), "file": str(file)}


def _options(options: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: options[name] for name in names if options[name] is not None}
