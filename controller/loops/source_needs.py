# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clusters need of each source: the paths that are checked out, and the apps that a new commit is for."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.git_config_store import (
    GitConfig,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.checkout_paths import (
    cache_size_of,
    named_paths,
    specs_with_paths,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.engine_values import source_spec
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import SourceSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError


@dataclass(frozen=True, slots=True)
class PullTarget:
    """A checkout that runs read: some paths of a source, in a cache folder that takes `cache_size` bytes."""

    spec: SourceSpec
    cache: Path
    cache_size: int


@dataclass(frozen=True, slots=True)
class SourceNeed:
    """What one cluster needs of one source. `apps` are run when it has moved; None: all.

    `config` are the options that its config in Git is read with, where that is in this source.
    """

    targets: tuple[PullTarget, ...]
    apps: frozenset[str] | None
    config: Mapping[str, Any] | None


Needs = Mapping[SourceSpec, SourceNeed]  # by the source without paths


def needs_of(cluster: str, settings: Mapping[str, Any], configs: Sequence[GitConfig]) -> Needs:
    """Return what a cluster needs, by its settings and what its config in Git adds: that in force, then a newer one.

    A run reads the config first, so it has a checkout for the inventory's apps alone as well.
    """
    config = settings.get("config")
    options = {"paths": {}, "apps": settings["apps"], "config": config}
    by_paths = [(settings["sources"], named_paths(options))]
    by_paths += [
        ((*settings["sources"], *of_git.sources), named_paths(options, of_git.apps)) for of_git in configs
    ]
    apps = [
        *settings["apps"],
        *(configs[-1].apps if configs else ()),
    ]  # a run of others would find no such app
    targets: dict[SourceSpec, dict[PullTarget, None]] = {}
    for sources, paths in by_paths:
        for source in sources:
            with contextlib.suppress(PlumbError):  # the run of that cluster says why
                (spec,) = specs_with_paths([source], paths)
                target = PullTarget(spec, Path(settings["cache_dir"]), _cache_size(settings))
                targets.setdefault(source_spec(source), {})[target] = None
    return {
        spec: SourceNeed(
            tuple(of_source),
            _apps_of(spec.name, apps, config),
            _reading(cluster, settings) if config and config["source"] == spec.name else None,
        )
        for spec, of_source in targets.items()
    }


def _cache_size(settings: Mapping[str, Any]) -> int:
    return cache_size_of({"cache_size": settings["cache_size"]} if "cache_size" in settings else {})


def _apps_of(
    source: str, apps: Sequence[Mapping[str, Any]], config: Mapping[str, Any] | None
) -> frozenset[str] | None:
    if config and config["source"] == source:
        return None
    of_source = frozenset(str(app["name"]) for app in apps if app["source"] == source)
    return None if of_source and len(of_source) == len({app["name"] for app in apps}) else of_source


def _reading(cluster: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "sources": settings["sources"],
        "apps": settings["apps"],
        "config": {"credentials_dir": None, **settings["config"]},
        "namespace": settings["namespace"],
        "cluster": cluster,
    }
