# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which paths of each source are checked out: those that apps name, and the config's file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ...model.app import SourceSpec
from ...model.errors import InputError
from ...model.size import parse_size
from ...render.kustomize.references import NAMES, texts_of
from ...source.cache.selection import References
from ..options.common import CACHE_SIZE
from .engine_values import source_spec
from .option_values import with_defaults

REFERENCES = References(NAMES, texts_of)
Paths = Optional[Mapping[str, Sequence[str]]]  # noqa: UP045 - pylint takes the other form for arithmetic


def paths_of_apps(apps: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the paths that apps name, by source; those below another one are left out."""
    named: dict[str, set[str]] = {}
    for app in apps:
        named.setdefault(str(app["source"]), set()).add(str(app.get("path") or "."))
    return {source: _outermost(paths) for source, paths in named.items()}


def named_paths(options: Mapping[str, Any], of_config: Iterable[Mapping[str, Any]] = ()) -> Paths:
    """Return the paths that `pull` is to check out, by source; None: all of all. `of_config` are apps in Git."""
    by_source, apps, config = options["paths"], options["apps"], options["config"]
    if by_source is None and not apps and not config:
        return None
    named = {str(source): set(_texts(source, paths)) for source, paths in (by_source or {}).items()}
    for source, paths in paths_of_apps([*apps, *of_config]).items():
        named.setdefault(source, set()).update(paths)
    if config:
        named.setdefault(str(config["source"]), set()).add(str(config["path"]))
    return {source: _outermost(paths) for source, paths in named.items()}


def specs_with_paths(sources: Iterable[Mapping[str, Any]], paths: Paths) -> list[SourceSpec]:
    """Return the sources from their options, each with the paths that are checked out of it."""
    specs = [source_spec(options) for options in sources]
    if paths is None:
        return specs
    return [replace(spec, paths=tuple(paths.get(spec.name, ()))) for spec in specs]


def cache_size_of(options: Mapping[str, Any]) -> int:
    """Return how many bytes the cache of sources may take. Raises InputError."""
    size = with_defaults({"cache_size": CACHE_SIZE}, options)["cache_size"]
    return parse_size(str(size), subject="cache_size")


def _texts(source: Any, paths: Any) -> list[str]:
    if not isinstance(paths, list | tuple):
        raise InputError(
            f"source {source}", "reading paths", "they are not a list", "Write paths: {fleet: [apps/shop]}."
        )
    return [str(path) for path in paths]


def _outermost(paths: Iterable[str]) -> list[str]:
    """Return the paths, sorted, without those that are below another one of them."""
    outermost: dict[tuple[str, ...], str] = {}
    for path in sorted(set(paths)):
        parts = tuple(part for part in path.split("/") if part not in {"", "."})
        if not any(parts[:length] in outermost for length in range(len(parts) + 1)):
            outermost[parts] = "/".join(parts) or "."
    return list(outermost.values())
