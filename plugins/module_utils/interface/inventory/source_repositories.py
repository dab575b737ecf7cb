# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sources are on the inventory's forge, and in which of its repositories the forge's token may be used.

The token is the inventory's. A config in Git adds sources, and so would decide where the token writes: for those it is
used only in repositories that the inventory's own sources are in, or that `repositories` of `plumb_forge` names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...forge.repository_address import ForgeRepository, repository_at
from ...model.duration import parse_duration
from ..options.feedback import FLEET_FORGE
from ..parsing.option_values import path_or_none, with_defaults
from .git_config import sources_in_force


@dataclass(frozen=True, slots=True)
class ForgeSources:
    """The sources on the forge: as their options, the repository of each by name, and those without permission."""

    sources: tuple[Mapping[str, Any], ...]
    repositories: Mapping[str, tuple[str, str]]
    left_out: tuple[str, ...]


def sources_on_forge(options: Mapping[str, Any]) -> ForgeSources:
    """Return the sources of the inventory, and of the config in Git that is in force, that are on its forge.

    Raises InputError where that config is not in the cache any more.
    """
    forge = with_defaults(FLEET_FORGE, options["forge"])
    own = _with_repositories(forge, options["sources"])
    known = {_folded(repository) for _source, repository in own}
    added = _with_repositories(forge, sources_in_force(options))
    permitted = [
        (source, repository)
        for source, repository in added
        if _folded(repository) in known or _is_allowed(repository, forge["repositories"])
    ]
    sources = [*own, *permitted]
    return ForgeSources(
        tuple(source for source, _repository in sources),
        {source["name"]: repository for source, repository in sources},
        tuple(source["name"] for source, repository in added if (source, repository) not in permitted),
    )


def _with_repositories(
    forge: Mapping[str, Any], sources: Iterable[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], tuple[str, str]]]:
    """Return the sources that are on a forge, each with its repository there."""
    return [
        (source, repository)
        for source in sources
        if (repository := repository_at(forge["url"], str(source["url"])))
    ]


def _folded(repository: tuple[str, str]) -> tuple[str, str]:
    """Return a repository by which it is compared: forges take both names in any case."""
    owner, name = repository
    return owner.lower(), name.lower()


def _is_allowed(repository: tuple[str, str], allowed: Sequence[str]) -> bool:
    owner, name = _folded(repository)
    return any(pattern.lower() in {f"{owner}/{name}", f"{owner}/*"} for pattern in allowed)


def forge_repository(options: Mapping[str, Any], repository: tuple[str, str]) -> ForgeRepository:
    """Return a repository on the inventory's forge (`plumb_forge`). Raises InputError for a duration that is none."""
    forge = with_defaults(FLEET_FORGE, options["forge"])
    owner, name = repository
    return ForgeRepository(
        kind=forge["kind"],
        url=forge["url"],
        owner=owner,
        name=name,
        token_file=Path(forge["token_file"]),
        ca_file=path_or_none(forge, "ca_file"),
        proxy=forge["proxy"],
        allow_http=bool(forge["allow_http"]),
        timeout=parse_duration(forge["timeout"], subject="the forge, timeout"),
    )
