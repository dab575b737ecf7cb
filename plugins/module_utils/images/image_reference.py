# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images, as github.com/distribution/reference and the OCI distribution specification write them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from ..model.errors import InputError

DOCKER_HUB = "docker.io"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]{{2,45}}\])(?::[0-9]{{1,5}})?", re.ASCII)
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)
_LONGEST = 255  # characters of a name


@dataclass(frozen=True, slots=True)
class ImageName:
    """A repository of a registry. `text` is the name as it was written, which is how it is written again."""

    registry: str  # HOST[:PORT], in lower case; Docker Hub by its long name
    repository: str
    text: str

    @property
    def identity(self) -> str:
        """The name in full, by which two ways to write one image are one."""
        return f"{self.registry}/{self.repository}"

    @property
    def host(self) -> str:
        """The registry's host without its port."""
        return self.registry.rpartition(":")[0] if re.search(r":[0-9]+$", self.registry) else self.registry

    @property
    def loopback(self) -> bool:
        """Whether the registry is on this machine."""
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host == "localhost"


def is_tag(text: str) -> bool:
    """Return whether this can be a tag."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Return whether this is a digest whose hash is known here."""
    return _DIGEST.fullmatch(text) is not None


def parse_name(text: str, *, subject: str) -> ImageName:
    """Return an image's name without tag and digest. Raises InputError, naming `subject`."""
    first, slash, rest = text.partition("/")
    if not slash or not (first == "localhost" or any(sign in first for sign in ".:[")):
        registry, repository = DOCKER_HUB, text if slash else f"library/{text}"
    else:
        registry, repository = ("docker.io" if first.lower() == "index.docker.io" else first.lower()), rest
        if registry == DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
    if len(text) > _LONGEST or not _HOST.fullmatch(registry) or not _REPOSITORY.fullmatch(repository):
        raise InputError(
            subject,
            "reading image",
            f"{text[:80]!r} is not the name of an image without a tag",
            "Write it like registry.example.com/shop/web.",
        )
    return ImageName(registry, repository, text)


def name_of(reference: str) -> ImageName | None:
    """Return the name in a reference that may have a tag and a digest; None where it is no reference."""
    name, _at, _digest = reference.partition("@")
    head, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        name = head
    try:
        return parse_name(name, subject="image")
    except InputError:
        return None


def tag_of(reference: str) -> str:
    """Return the tag in a reference; empty where it has none."""
    name, _at, _digest = reference.partition("@")
    _head, colon, tag = name.rpartition(":")
    return tag if colon and is_tag(tag) else ""
