# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsing manifests and configurations of images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..image_reference import is_digest

_MAX_CHILDREN = 1000
_WORD = re.compile(r"[A-Za-z0-9._+-]{1,64}", re.ASCII)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """An image of an index, for a platform such as `linux/arm64/v8`; empty where none is named."""

    digest: str
    platform: str


@dataclass(frozen=True, slots=True)
class ImageManifest:
    """The manifest of a tag or digest: an index of images, or one image with its configuration."""

    digest: str
    children: tuple[IndexEntry, ...]
    config: str  # the digest of the configuration; empty for an index


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The configuration of an image: its platform, and when it was built (None: unknown)."""

    platform: str
    created: datetime | None


def parse_manifest(content: Mapping[str, Any], digest: str) -> ImageManifest | None:
    """Return the manifest or index of this digest; None where it is neither."""
    if isinstance(content.get("manifests"), list):
        listed = [entry for entry in content["manifests"][:_MAX_CHILDREN] if isinstance(entry, dict)]
        return ImageManifest(digest, tuple(_children(listed)), "")
    config = content.get("config")
    config_digest = config.get("digest") if isinstance(config, dict) else None
    return (
        ImageManifest(digest, (), config_digest)
        if isinstance(config_digest, str) and is_digest(config_digest)
        else None
    )


def parse_config(content: Mapping[str, Any]) -> ImageConfig:
    """Return the configuration in a JSON map."""
    return ImageConfig(_platform(content), _moment(content.get("created")))


def _children(listed: list[dict[str, Any]]) -> list[IndexEntry]:
    """Return the images of an index. Attestations are listed for the platform unknown/unknown."""
    children = []
    for entry in listed:
        digest = entry.get("digest")
        platform = _platform(entry.get("platform"))
        if isinstance(digest, str) and is_digest(digest) and not platform.startswith("unknown/"):
            children.append(IndexEntry(digest, platform))
    return children


def _platform(value: Any) -> str:
    """Return `os/architecture[/variant]`; empty where there is none."""
    if not isinstance(value, Mapping):
        return ""
    words = [value.get(name) for name in ("os", "architecture", "variant")]
    if not all(isinstance(word, str) and _WORD.fullmatch(word) for word in words[:2]):
        return ""
    return "/".join(str(word) for word in words if isinstance(word, str) and _WORD.fullmatch(word))


def _moment(value: Any) -> datetime | None:
    """Return a time of RFC 3339; None for anything else, and for the early years that reproducible builds write."""
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    zone = "+00:00" if match[3] == "Z" else match[3]
    try:
        moment = datetime.fromisoformat(f"{match[1]}{(match[2] or '')[:7]}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year > 1980 else None
