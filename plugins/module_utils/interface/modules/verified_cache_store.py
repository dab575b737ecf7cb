# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on one cluster remember, in a file: what they verified, and when all of it was last checked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...cluster.requests import refused_requests as refusals
from ...cluster.requests.refused_requests import Refusal
from ...model.errors import PlumbError, printable
from ...reconcile.plan.verified_cache import VerifiedStates, from_content, to_content
from ...state.file import ensure_space
from ...state.record_store import RecordStore, record_file

_SPACE = 1024 * 1024  # bytes; the states of some thousand objects
_DEEP_AFTER = 24 * 3600.0  # seconds until a run checks every verified state by a dry-run


class StateError(PlumbError):
    """What runs remember cannot be saved."""


@dataclass(frozen=True, slots=True)
class VerifiedCache:
    """What earlier runs verified, and what the server refused them, by request.

    `checked` is when every verified state was last checked, in seconds since 1970; 0 for never.
    """

    states: VerifiedStates = field(default_factory=dict)
    checked: float = 0.0
    refused: Mapping[str, Refusal] = field(default_factory=dict)

    @property
    def is_due(self) -> bool:
        """Whether it is time to check every verified state. Without one there is nothing to check."""
        return bool(self.states) and not 0 <= time.time() - self.checked < _DEEP_AFTER


def _encode(cache: VerifiedCache) -> dict[str, Any]:
    refused = {"refused": refusals.to_content(cache.refused)} if cache.refused else {}
    return {"looks": to_content(cache.states), "checked": cache.checked, **refused}


def _decode(content: Mapping[str, Any]) -> VerifiedCache:
    return VerifiedCache(
        from_content(content["looks"]),
        float(content["checked"]),
        refusals.from_content(content.get("refused") or {}),
    )


# The version is that of the file, and of what is compared.
_STORE = RecordStore[VerifiedCache](kind="plumb.gitops/looks", version=2, encode=_encode, decode=_decode)


def verified_cache_file(cache: Path, server: str) -> Path:
    """Return the file for a cluster, by the URL of its API server."""
    return record_file(cache / "looks", server)


def load_verified_cache(file: Path) -> VerifiedCache:
    """Return the cache in a file; an empty one where there is none, or none that can be used."""
    return _STORE.load(file) or VerifiedCache()


def check_space(file: Path) -> None:
    """Raise StateError where what a run verifies could not be saved. This is checked before it writes anything."""
    with _as_state_error(file):
        ensure_space(file, max(_SPACE, file.stat().st_size if file.exists() else 0))


def save_verified_cache(file: Path, cache: VerifiedCache) -> None:
    """Save a cache. Raises StateError where the disk does not take it."""
    with _as_state_error(file):
        _STORE.save(file, cache)


@contextmanager
def _as_state_error(file: Path) -> Iterator[None]:
    """Raise an OSError of the block as a StateError."""
    try:
        yield
    except OSError as error:
        raise StateError(
            f"cache {file.parent}",
            "keeping what this run proved",
            printable(error.strerror or str(error)),
            "Set plumb_cache_dir (cache_dir) to a place this account can write, with free space.",
        ) from error
