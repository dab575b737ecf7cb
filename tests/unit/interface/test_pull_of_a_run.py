# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sources a run pulls (row 67): those that its apps need; none with `fetch: never`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import outcome_of
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.mode import Mode
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.pull import PULL
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream

APPS = [{"name": name, "source": name, "path": "."} for name in ("one", "two", "three")]
IN_GIT = "plumb_apps: [{name: late, source: two, path: .}]\n"
CONFIG = {"source": "three", "path": "config.yml", "credentials_dir": None}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    for name in ("one", "two", "three"):
        Upstream(tmp_path / "git" / f"{name}.git").commit({"a.yaml": name, "config.yml": IN_GIT})
    with GitServer(tmp_path / "git") as running:
        yield running


def pulled(server: GitServer, cache: Path, **options: Any) -> tuple[set[str], dict[str, Any]]:
    """The repositories that were asked, and the result."""
    sources = [
        {"name": name, "url": server.url(f"{name}.git"), "branch": "main"} for name in ("one", "two", "three")
    ]
    server.requests.clear()
    values = {
        "sources": sources,
        "paths": {},
        "apps": APPS,
        "cache_dir": str(cache),
        "cluster": "here",
        **options,
    }
    result = outcome_of(PULL, values, Mode(check=False, diff=False))
    return {request.path.split("/")[1].removesuffix(".git") for request in server.requests}, result


def _errors(result: dict[str, Any]) -> list[str]:
    return [source["name"] for source in result["sources"] if "error" in source]


def test_a_run_of_some_apps_asks_the_remotes_of_their_sources_alone(
    server: GitServer, tmp_path: Path
) -> None:
    asked, result = pulled(server, tmp_path / "cache", only=["one"])
    assert asked == {"one"}
    assert _errors(result) == ["two", "three"], "they were never pulled"
    assert not result.get("failed"), "which is no matter of this run"
    pulled(server, tmp_path / "cache")
    asked, result = pulled(server, tmp_path / "cache", only=["one"])
    assert (asked, _errors(result)) == ({"one"}, [])
    assert [source["name"] for source in result["sources"]] == ["one", "two", "three"]


def test_the_source_of_the_config_is_pulled_and_so_is_what_its_apps_need(
    server: GitServer, tmp_path: Path
) -> None:
    assert pulled(server, tmp_path / "cache", only=["one"], config=CONFIG)[0] == {"one", "three"}
    asked, result = pulled(server, tmp_path / "cache", only=["late"], config=CONFIG)
    assert asked == {"two", "three"}
    assert not result.get("failed"), result.get("msg")


def test_without_fetching_all_is_as_the_last_pull_left_it(server: GitServer, tmp_path: Path) -> None:
    asked, result = pulled(server, tmp_path / "cache", fetch="never", config=CONFIG)
    assert (asked, _errors(result)) == (set(), ["one", "two", "three"])
    assert "it has not been pulled yet" in result["msg"]
    _asked, before = pulled(server, tmp_path / "cache", config=CONFIG)
    asked, result = pulled(server, tmp_path / "cache", fetch="never", config=CONFIG)
    assert asked == set()
    assert result == before
