# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sources are on the inventory's forge, and in which of its repositories the forge's token may be used.

The token is the inventory's. A config in Git adds sources, and so would decide where the token writes: for those it is
used only in repositories that the inventory's own sources are in, or that `repositories` of `plumb_forge` names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...forge.repository_address import ForgeRepository, repository_at
from ...model.duration import parse_duration
from .git_config import sources_in_force


@dataclass(frozen=True, slots=True)
class OnForge:
    """The sources on the forge: as their options, the repository of each by name, and those without permission."""

    sources: tuple[Mapping[str, Any], ...]
    repositories: Mapping[str, tuple[str, str]]
    left_out: tuple[str, ...]


def on_forge(options: Mapping[str, Any]) -> OnForge:
    """Of the inventory's sources and those of the config in Git that is in force. Raises InputError as that does."""
    base, allowed = options["forge"]["url"], options["forge"].get("repositories") or ()
    own = [
        (given, place) for given in options["sources"] if (place := repository_at(base, str(given["url"])))
    ]
    known = {_folded(place) for _given, place in own}
    added = [
        (given, place)
        for given in sources_in_force(options)
        if (place := repository_at(base, str(given["url"])))
    ]
    good = [one for one in added if _folded(one[1]) in known or _is_allowed(one[1], allowed)]
    found = [*own, *good]
    return OnForge(
        tuple(given for given, _place in found),
        {given["name"]: place for given, place in found},
        tuple(given["name"] for given, place in added if (given, place) not in good),
    )


def _folded(repository: tuple[str, str]) -> tuple[str, str]:
    """Forges take both names in any case."""
    owner, name = repository
    return owner.lower(), name.lower()


def _is_allowed(repository: tuple[str, str], allowed: Sequence[str]) -> bool:
    owner, name = _folded(repository)
    return any(one.lower() in {f"{owner}/{name}", f"{owner}/*"} for one in allowed)


def forge_place(options: Mapping[str, Any], repository: tuple[str, str]) -> ForgeRepository:
    """A repository on the inventory's forge (`plumb_forge`)."""
    forge = options["forge"]
    owner, name = repository
    return ForgeRepository(
        kind=forge["kind"],
        url=forge["url"],
        owner=owner,
        name=name,
        token_file=Path(forge["token_file"]),
        ca_file=Path(forge["ca_file"]) if forge.get("ca_file") else None,
        proxy=forge.get("proxy") or "",
        allow_http=bool(forge.get("allow_http")),
        timeout=parse_duration(forge.get("timeout") or "10s", subject="the forge, timeout"),
    )
