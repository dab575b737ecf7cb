# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which repository of which forge, and how it is reached."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..model.app import RefKind, SourceSpec
from ..model.errors import InputError
from ..source.git.address import check_spec
from .api_calls import Forge
from .api_table import FORGES

_WORD = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?"
_NAME = re.compile(_WORD)
_OWNER = re.compile(rf"{_WORD}(?:/{_WORD}){{0,19}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeRepository:
    """A repository on a forge. Credentials are named by file, never held."""

    kind: str  # a key of FORGES
    url: str  # of the forge, as a browser shows it, with a path where it lives below one
    owner: str  # a user, an organization or a group
    name: str
    token_file: Path
    ca_file: Path | None = None
    proxy: str = ""
    allow_http: bool = False
    timeout: float = (
        30.0  # seconds for one exchange: a request with redirects and retries, or a list with all pages
    )
    branch: str = "main"

    @property
    def forge(self) -> Forge:
        """The description of this kind of forge."""
        return FORGES[self.kind]

    @property
    def title(self) -> str:
        """Owner and name."""
        return f"{self.owner}/{self.name}"

    @property
    def subject(self) -> str:
        """The subject of errors."""
        return f"repository {self.title}"

    @property
    def base(self) -> str:
        """The address of the forge, without a slash at its end."""
        return self.url.rstrip("/")

    @property
    def api(self) -> str:
        """The address of the API."""
        return self.forge.elsewhere.get(self.base.lower(), f"{self.base}{self.forge.api}")

    @property
    def graphql(self) -> str:
        """The address of GraphQL, where the forge has that."""
        elsewhere = self.forge.elsewhere.get(self.base.lower())
        return f"{elsewhere}/graphql" if elsewhere else f"{self.base}{self.forge.graphql}"

    @property
    def clone_url(self) -> str:
        """The address for Git over HTTP. Made here, not taken from an answer: the token goes nowhere else."""
        return f"{self.base}/{self.title}.git"

    @property
    def git(self) -> SourceSpec:
        """The repository as a source that the token may read and write."""
        return SourceSpec(
            name=self.title,
            url=self.clone_url,
            ref_kind=RefKind.BRANCH,
            ref=self.branch,
            token_file=self.token_file,
            ca_file=self.ca_file,
            proxy=self.proxy,
            allow_http=self.allow_http,
            timeout=self.timeout,
        )


def check_repository(repository: ForgeRepository) -> None:
    """Raise InputError for the first field that cannot be used. No request is made and no file is read."""
    if not _NAME.fullmatch(repository.name) or repository.name.endswith((".git", ".wiki")):
        raise _refused("name", "a forge takes letters, digits, '.', '_' and '-', and no '.git' at the end")
    if not _OWNER.fullmatch(repository.owner) or (
        "/" in repository.owner and not repository.forge.nested_owners
    ):
        raise _refused("owner", "it is not the name of a user, an organization or a group")
    if not repository.url.lower().startswith(("https://", "http://")):
        raise _refused("url", "it is not the forge's address", "Write it like https://git.example.com.")
    check_spec(repository.git)


def _refused(option: str, reason: str, next_step: str = "Write it as the forge shows it.") -> InputError:
    return InputError("the forge", f"reading {option}", reason, next_step)


def repository_at(base: str, url: str) -> tuple[str, str] | None:
    """Return owner and name of the repository at `url`, Git's address; None where it is not on the forge at `base`.

    Over ssh a forge's repositories have its host and the same path, whatever the port.
    """
    forge = urlsplit(base)
    if "://" not in url:
        before, _colon, path = url.partition(":")
        scheme, host = "ssh", before.rpartition("@")[2]
    else:
        parts = urlsplit(url)
        scheme, host, path = parts.scheme, parts.hostname or "", parts.path
        if scheme != "ssh" and (scheme, parts.netloc.lower()) != (forge.scheme, forge.netloc.lower()):
            return None
    below = forge.path.rstrip("/") if scheme != "ssh" else ""
    if host.lower() != (forge.hostname or "") or not f"/{path.lstrip('/')}".startswith(f"{below}/"):
        return None
    inner = f"/{path.lstrip('/')}".removeprefix(below)
    owner, _slash, name = inner.strip("/").removesuffix(".git").rpartition("/")
    return (owner, name) if owner and name else None
