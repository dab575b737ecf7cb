# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last pull left in the cache, for a run that pulls nothing: the agent pulls beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..model.app import SourceSpec
from ..model.errors import InputError, SourceError
from .cache.checkout import CacheRules
from .cache.outcome import load_outcome
from .cache.repositories import open_cache, open_entry
from .cache.selection import NO_REFERENCES, References
from .cache.space import DEFAULT_BYTES, Space
from .pull import PulledSource
from .pulling import Pulling, limits_of, require_programs, runner_within

_LOCK_WAIT = 1.0  # seconds, where a checkout of other paths is to be made while the source is being fetched


def last_pulled(
    specs: Sequence[SourceSpec],
    cache_dir: Path,
    *,
    cache_size: int = DEFAULT_BYTES,
    references: References = NO_REFERENCES,
) -> tuple[PulledSource, ...]:
    """Return each source as its last pull left it, in the order of `specs`: no remote is asked anything.

    A source that the last pull failed for has that error, and its last good revision if there is one. Paths that were
    not checked out before are, from what was fetched. Raises what `pull.pull_sources` raises for the cache.
    """
    require_programs()
    rules = CacheRules(Space(open_cache(cache_dir), cache_size), references)
    return tuple(_last_pulled(spec, rules) for spec in specs)


def _last_pulled(spec: SourceSpec, rules: CacheRules) -> PulledSource:
    try:
        entry = open_entry(rules.space.cache, spec)
        runner = runner_within(spec, limits_of(None))
        checkout = Pulling(runner, entry, spec, rules, _LOCK_WAIT).in_force()
    except (InputError, SourceError) as exc:
        return PulledSource(spec.name, None, exc)
    outcome = load_outcome(entry, spec)
    error = outcome.error(spec.name)
    if error is None and checkout is None:
        error = SourceError(
            f"source {spec.name}",
            "taking its last pull",
            "it has not been pulled yet",
            "The agent pulls it, and its apps are applied when it is there. Its status says how far that is.",
        )
    return PulledSource(spec.name, checkout, error, outcome.warning)
