# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What manifests and configurations of images say, as far as they can be believed."""

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
class Child:
    """An image of an index, for a platform such as `linux/arm64/v8`; empty where it does not say one."""

    digest: str
    platform: str


@dataclass(frozen=True, slots=True)
class ImageManifest:
    """What a tag or digest leads to: an index of images, or one image with its configuration."""

    digest: str
    children: tuple[Child, ...]
    config: str  # the digest of the configuration; empty for an index


@dataclass(frozen=True, slots=True)
class Built:
    """What an image's configuration says: for which platform, and when it was made. None: it does not say."""

    platform: str
    created: datetime | None


def parse_manifest(content: Mapping[str, Any], digest: str) -> ImageManifest | None:
    """The manifest or index of this digest; None where it is neither."""
    if isinstance(content.get("manifests"), list):
        listed = [one for one in content["manifests"][:_MAX_CHILDREN] if isinstance(one, dict)]
        return ImageManifest(digest, tuple(_children(listed)), "")
    config = content.get("config")
    found = config.get("digest") if isinstance(config, dict) else None
    return ImageManifest(digest, (), found) if isinstance(found, str) and is_digest(found) else None


def parse_config(content: Mapping[str, Any]) -> Built:
    """What a configuration says of its image."""
    return Built(_platform(content), _moment(content.get("created")))


def _children(listed: list[dict[str, Any]]) -> list[Child]:
    """The images of an index. Attestations are listed for the platform unknown/unknown."""
    found = []
    for one in listed:
        digest = one.get("digest")
        platform = _platform(one.get("platform"))
        if isinstance(digest, str) and is_digest(digest) and not platform.startswith("unknown/"):
            found.append(Child(digest, platform))
    return found


def _platform(said: Any) -> str:
    """`os/architecture[/variant]`; empty where it is not said, or is none."""
    if not isinstance(said, Mapping):
        return ""
    words = [said.get(name) for name in ("os", "architecture", "variant")]
    if not all(isinstance(word, str) and _WORD.fullmatch(word) for word in words[:2]):
        return ""
    return "/".join(str(word) for word in words if isinstance(word, str) and _WORD.fullmatch(word))


def _moment(said: Any) -> datetime | None:
    """A time of RFC 3339; None for what is none, and for the beginnings of time that reproducible builds say."""
    match = _MOMENT.fullmatch(said) if isinstance(said, str) else None
    if match is None:
        return None
    zone = "+00:00" if match[3] == "Z" else match[3]
    try:
        moment = datetime.fromisoformat(f"{match[1]}{(match[2] or '')[:7]}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year > 1980 else None
