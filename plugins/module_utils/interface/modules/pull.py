# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `pull` does between its options and its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from ...model.app import SourceSpec
from ...model.progress import Progress
from ...model.report import SourceReport
from ...report.document import source_document
from ...source.last_pull import last_pulled
from ...source.pull import PulledSource, pull_sources, with_paths
from ..inventory.git_config import follow_git_config
from ..options.common import spec_of_pull
from ..outputs.run_record import RUN_RECORDS
from ..parsing.cache_folder import cache_of, check_cache
from ..parsing.checkout_paths import REFERENCES, Paths, cache_size_of, named_paths, specs_with_paths
from .main import ModuleWork
from .mode import Mode

Names = Optional[frozenset[str]]  # noqa: UP045 - pylint takes the other form for arithmetic


def pull(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """Return the result of `pull`: each source with its revision and checkout, or its error. Never `changed`.

    With `only` the sources that its apps do not need are those of the last pull, and their errors are none of the run.
    """
    record = RUN_RECORDS.load(Path(options["record"])) if options.get("record") else None
    if record is not None:
        return {"changed": False, **record.pulled}
    check_cache(cache_of(options))
    paths = named_paths(options)
    needed = _needed(options, options["apps"])
    cache = _Cache(
        cache_of(options) / "sources", cache_size_of(options), options["fetch"] == "always", mode.progress
    )
    pulled = cache.pull(options["sources"], paths, needed)
    result: dict[str, Any] = {"changed": False}
    errors: list[str] = []
    if options["config"]:
        followed = follow_git_config(options, cache_of(options), pulled)
        result["config"] = followed.result(options["config"])
        errors += [followed.error] if followed.error else []
        if followed.config is not None:
            paths_with_config = named_paths(options, followed.config.apps)
            needed_with_config = _needed(options, [*options["apps"], *followed.config.apps])
            pulled = _pull_again(
                cache, options, pulled, (paths, paths_with_config), (needed, needed_with_config)
            )
            pulled += cache.pull(followed.config.sources, paths_with_config, needed_with_config)
            needed = needed_with_config
    result["sources"] = [_source(source) for source in pulled]
    of_run = [source for source in result["sources"] if needed is None or source["name"] in needed]
    warnings = [source["warning"] for source in of_run if "warning" in source]
    if warnings:
        result["warnings"] = warnings
    errors = [*(source["error"] for source in of_run if "error" in source), *errors]
    if errors:
        result |= {"failed": True, "msg": "\n".join(errors)}
    return result


def _needed(options: Mapping[str, Any], apps: Iterable[Mapping[str, Any]]) -> frozenset[str] | None:
    """Return the names of the sources that the apps of `only` need, and that of the config; None: all."""
    only = frozenset(options["only"])
    if not only:
        return None
    of_config = [str(options["config"]["source"])] if options["config"] else []
    return frozenset([*(str(app["source"]) for app in apps if app["name"] in only), *of_config])


def _pull_again(
    cache: _Cache,
    options: Mapping[str, Any],
    pulled: tuple[PulledSource, ...],
    paths: tuple[Paths, Paths],
    needed: tuple[Names, Names],
) -> tuple[PulledSource, ...]:
    """Return the inventory's sources with what apps of a config in Git name of them, at the revisions they have.

    `paths` and `needed` are each those of the inventory alone, and those with the config. A source that only the
    config's apps need is pulled now.
    """
    before, now = (specs_with_paths(options["sources"], of) for of in paths)
    new = frozenset() if needed[0] is None or needed[1] is None else needed[1] - needed[0]
    entries = [entry for entry in options["sources"] if entry["name"] in new]
    of_config = {source.name: source for source in cache.pull(entries, paths[1], needed[1])}
    return tuple(
        of_config.get(spec.name)
        or (source if spec.paths == spec_before.paths else cache.with_paths(source, spec))
        for source, spec_before, spec in zip(pulled, before, now, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Cache:
    """The cache of sources. `fetches`: whether a remote may be asked at all."""

    folder: Path
    size: int
    fetches: bool
    progress: Progress

    def pull(
        self, sources: Sequence[Mapping[str, Any]], paths: Paths, needed: Names
    ) -> tuple[PulledSource, ...]:
        """Pull sources by their options; those that are not `needed` are as their last pull left them."""
        specs = specs_with_paths(sources, paths)
        of_run = [spec for spec in specs if self.fetches and (needed is None or spec.name in needed)]
        by_name = {
            source.name: source for source in self.last_pulled([each for each in specs if each not in of_run])
        }
        if of_run:
            pulled = pull_sources(
                of_run, self.folder, cache_size=self.size, references=REFERENCES, progress=self.progress
            )
            by_name |= {source.name: source for source in pulled}
        return tuple(by_name[spec.name] for spec in specs)

    def last_pulled(self, specs: Sequence[SourceSpec]) -> tuple[PulledSource, ...]:
        return last_pulled(specs, self.folder, cache_size=self.size, references=REFERENCES)

    def with_paths(self, source: PulledSource, spec: SourceSpec) -> PulledSource:
        """Return what was pulled, at the same revision, with the paths of `spec`."""
        if not self.fetches:
            return self.last_pulled([spec])[0]
        return with_paths(source, spec, self.folder, cache_size=self.size, references=REFERENCES)


def _source(source: PulledSource) -> dict[str, Any]:
    revision = source.checkout.revision if source.checkout is not None else None
    error = str(source.error) if source.error is not None else ""
    shown = source_document(SourceReport(source.name, revision, error, source.warning))
    return {**shown, "path": str(source.checkout.path)} if source.checkout is not None else shown


PULL = ModuleWork("pull", spec_of_pull(), pull)
