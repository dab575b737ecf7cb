# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values: what the inventory declares about images and updates, and what is decided by it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ..model.app import Person, SourceSpec
from ..model.errors import printable
from ..source.git.signing import Signing
from .image_reference import ImageName
from .pull_requests import PullRequestOptions
from .tag_filter import TagFilter
from .tag_policy import Policy

DEFAULT_MESSAGE = "Update {images}"


class Write(Enum):
    """What of a choice is written where the value is a whole reference."""

    TAG = "tag"
    DIGEST = "digest"
    BOTH = "both"


class Part(Enum):
    """The part of a choice that is written at a marker."""

    REFERENCE = ""
    NAME = "name"
    TAG = "tag"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccount:
    """The account at a registry. Credentials are named by file, never held."""

    username: str = ""
    password_file: Path | None = None
    docker_config: Path | None = None
    realm: str = ""
    ca_file: Path | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePolicy:
    """Which tag of an image is wanted. `minimum_age` in seconds."""

    name: str
    image: ImageName
    policy: Policy
    filter: TagFilter | None = None
    platform: str = ""
    minimum_age: float = 0.0
    write: Write = Write.TAG
    account: RegistryAccount = field(default_factory=RegistryAccount)

    @property
    def subject(self) -> str:
        """The subject of errors."""
        return f"image {self.name}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The tag that a policy wants, and its digest now."""

    policy: str
    image: str
    tag: str
    digest: str

    @property
    def identity(self) -> str:
        """The whole reference, by which choices are compared."""
        return f"{self.image}:{self.tag}@{self.digest}"


@dataclass(frozen=True, slots=True)
class Decision:
    """A policy and its choice."""

    policy: ImagePolicy
    choice: Choice

    def text(self, part: Part) -> str:
        """Return the text that is written for a part of the choice."""
        name, tag, digest = self.choice.image, self.choice.tag, self.choice.digest
        if part is Part.REFERENCE:
            return {
                Write.TAG: f"{name}:{tag}",
                Write.DIGEST: f"{name}@{digest}",
                Write.BOTH: f"{name}:{tag}@{digest}",
            }[self.policy.write]
        return {Part.NAME: name, Part.TAG: tag, Part.DIGEST: digest}[part]


@dataclass(frozen=True, slots=True)
class ImageChange:
    """A value that is to be another. `before` is shown only where it can be an image, a tag or a digest."""

    file: str
    line: int
    policy: str
    part: Part
    before: str
    after: str

    @property
    def where(self) -> str:
        """The file and line on one line of text, with nothing in it that Markdown would end a quotation."""
        return f"{printable(self.file, 300).replace('`', chr(39))}:{self.line}"

    @property
    def slot(self) -> str:
        """The policy and part, as a marker writes them."""
        return slot(self.policy, self.part)


def slot(policy: str, part: Part) -> str:
    """Return a policy and part, as a marker writes them."""
    return f"{policy}:{part.value}" if part.value else policy


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSpec:
    """Where in Git choices are written, and by which commits or pull requests."""

    name: str
    source: SourceSpec  # with credentials that may write
    base: str  # the branch that is followed
    followed: SourceSpec | None = None  # the source as it is pulled, where that is of the same branch
    branch: str = ""  # pushed to; empty: base. For pull requests what their branches begin with
    paths: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    author: Person = field(default=Person("Plumb", "plumb@localhost"))
    message: str = DEFAULT_MESSAGE
    trailers: Mapping[str, str] = field(default_factory=dict)
    signing: Signing | None = None
    pull_request: PullRequestOptions | None = None

    @property
    def subject(self) -> str:
        """The subject of errors."""
        return f"image update {self.name}"

    @property
    def heads(self) -> str:
        """What the branches of its pull requests begin with; ends with a slash, so that it fits no other branch."""
        return f"{self.branch or f'plumb/{self.name}'}/"

    def declared(self) -> str:
        """Return a digest of the options, by which a change of them is noticed."""
        values = [self.source.url, self.base, self.branch, list(self.paths), list(self.images)]
        manner = self.pull_request
        text = json.dumps([*values, manner and [manner.per.value, manner.auto_merge, list(manner.labels)]])
        return hashlib.sha256(text.encode()).hexdigest()
