# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clusters need of each source: its paths, and which apps a new commit is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.controller.loops.source_needs import needs_of
from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.git_config_store import (
    GitConfig,
)

FLEET = {"name": "fleet", "url": "https://git.example.com/fleet.git", "branch": "main"}
OTHER = {"name": "other", "url": "https://git.example.com/other.git", "branch": "main"}
SHOP = {"name": "shop", "source": "fleet", "path": "apps/shop"}
BLOG = {"name": "blog", "source": "other", "path": "blog"}


def _needs(*apps: Any, configs: tuple[GitConfig, ...] = (), **settings: Any) -> dict[str, Any]:
    """By source: the paths of each checkout, and the apps."""
    values = {"sources": [FLEET], "apps": list(apps), "cache_dir": "/cache", "config": None, "namespace": "n"}
    needs = needs_of("prod", {**values, **settings}, configs)
    return {
        spec.name: ([target.spec.paths for target in need.targets], need.apps and sorted(need.apps))
        for spec, need in needs.items()
    }


def test_a_commit_is_for_the_apps_of_its_source_alone() -> None:
    assert _needs(SHOP, BLOG, sources=[FLEET, OTHER]) == {
        "fleet": ([("apps/shop",)], ["shop"]),
        "other": ([("blog",)], ["blog"]),
    }


def test_where_all_apps_are_from_it_a_commit_is_for_the_whole_cluster() -> None:
    assert _needs(SHOP) == {"fleet": ([("apps/shop",)], None)}
    assert _needs(SHOP, sources=[FLEET, OTHER])["other"] == ([()], frozenset()), "no app is from it"


def test_the_source_of_a_config_in_git_is_for_all_and_is_checked_out_with_and_without_what_it_adds() -> None:
    config = {"source": "fleet", "path": "clusters/prod.yml", "file": "/cache/config/x"}
    inner = {**SHOP, "name": "inner", "path": "apps/inner"}
    added = GitConfig("c", (OTHER,), (BLOG, inner))
    needs = _needs(SHOP, config=config, configs=(added,))
    assert needs["fleet"] == (
        [("apps/shop", "clusters/prod.yml"), ("apps/inner", "apps/shop", "clusters/prod.yml")],
        None,
    )
    assert needs["other"] == ([("blog",)], ["blog"])


def test_settings_of_an_earlier_version_have_no_size_of_the_cache() -> None:
    settings = {"sources": [FLEET], "apps": [SHOP], "cache_dir": "/cache", "config": None, "namespace": "n"}
    sizes = {
        target.cache_size
        for more in ({}, {"cache_size": "1Gi"})
        for need in needs_of("prod", {**settings, **more}, ()).values()
        for target in need.targets
    }
    assert sizes == {1 << 30}
    (need,) = needs_of("prod", settings, ()).values()
    assert need.targets[0].cache == Path("/cache")
