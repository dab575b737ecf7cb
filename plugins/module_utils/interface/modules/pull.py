# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `pull` does between its options and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...model.progress import Progress
from ...model.report import SourceReport
from ...report.document import source_document
from ...source.pull import PulledSource, pull_sources, with_paths
from ..inventory.git_config import follow_git_config
from ..options.common import spec_of_pull
from ..parsing.cache_folder import cache_of, check_cache
from ..parsing.checkout_paths import REFERENCES, Paths, cache_size_of, named_paths, specs_with_paths
from .main import ModuleWork
from .mode import Mode


def pull(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """Return the result of `pull`: each source with its revision and checkout, or its error. Never `changed`."""
    check_cache(cache_of(options))
    paths = named_paths(options)
    pulled = _pull(options, options["sources"], paths, mode.progress)
    result: dict[str, Any] = {"changed": False}
    errors: list[str] = []
    if options["config"]:
        followed = follow_git_config(options, cache_of(options), pulled)
        result["config"] = followed.result(options["config"])
        errors += [followed.error] if followed.error else []
        if followed.config is not None:
            paths_with_config = named_paths(options, followed.config.apps)
            pulled = _with_more_paths(options, pulled, paths, paths_with_config)
            pulled += _pull(options, followed.config.sources, paths_with_config, mode.progress)
    result["sources"] = [_source(source) for source in pulled]
    warnings = [source["warning"] for source in result["sources"] if "warning" in source]
    if warnings:
        result["warnings"] = warnings
    errors = [*(source["error"] for source in result["sources"] if "error" in source), *errors]
    if errors:
        result |= {"failed": True, "msg": "\n".join(errors)}
    return result


def _pull(
    options: Mapping[str, Any], sources: Sequence[Mapping[str, Any]], paths: Paths, progress: Progress
) -> tuple[PulledSource, ...]:
    return pull_sources(
        specs_with_paths(sources, paths),
        cache_of(options) / "sources",
        cache_size=cache_size_of(options),
        references=REFERENCES,
        progress=progress,
    )


def _with_more_paths(
    options: Mapping[str, Any], pulled: tuple[PulledSource, ...], before: Paths, now: Paths
) -> tuple[PulledSource, ...]:
    """Return the inventory's sources with what apps of a config in Git name of them, at the revisions they have."""
    names = (source.name for source in pulled)
    specs = dict(zip(names, specs_with_paths(options["sources"], now), strict=True))
    specs_before = {spec.name: spec for spec in specs_with_paths(options["sources"], before)}
    return tuple(
        source
        if specs[source.name].paths == specs_before[source.name].paths
        else with_paths(
            source,
            specs[source.name],
            cache_of(options) / "sources",
            cache_size=cache_size_of(options),
            references=REFERENCES,
        )
        for source in pulled
    )


def _source(source: PulledSource) -> dict[str, Any]:
    revision = source.checkout.revision if source.checkout is not None else None
    error = str(source.error) if source.error is not None else ""
    shown = source_document(SourceReport(source.name, revision, error, source.warning))
    return {**shown, "path": str(source.checkout.path)} if source.checkout is not None else shown


PULL = ModuleWork("pull", spec_of_pull(), pull)
