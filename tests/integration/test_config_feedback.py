# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statuses and previews of sources that a config in Git adds, on a real Gitea; where its token may not go."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.tests.support.agent.process import until
from ansible_collections.plumb.gitops.tests.support.ansible.fleet import RECONCILE, Fleet
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play, Played
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import ForgeApi, Repository, new_repository
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map

PATH = "clusters/here.yml"


@dataclass(slots=True)
class Added:
    """A fleet whose config in Git adds the source `other`, in a repository of its own."""

    fleet: Fleet
    sandbox: Sandbox
    config: Repository
    other: Repository

    @property
    def api(self) -> ForgeApi:
        return self.api_of(self.other)

    def api_of(self, repository: Repository) -> ForgeApi:
        title = repository.url.removeprefix(f"{self.sandbox.forge_url}/").removesuffix(".git")
        return ForgeApi(self.sandbox, title)

    def run(self, playbook: str, *, repositories: list[str]) -> Played:
        token = self.config.token_file
        variables: dict[str, Any] = self.fleet.variables(
            plumb_forge={
                "kind": "gitea",
                "url": self.sandbox.forge_url,
                "token_file": str(token),
                "repositories": repositories,
            },
            plumb_config={"source": "fleet", "path": PATH, "credentials_dir": str(token.parent)},
            plumb_commit_status=True,
            plumb_preview={"enabled": True},
            plumb_report_path=None,
        )
        inventory = self.fleet.folder / "inventory.yml"
        group = {"hosts": {"here": {}}, "vars": variables}
        inventory.write_text(yaml.safe_dump({"plumb_clusters": group}), encoding="utf-8")
        done = self.fleet.play.playbook(playbook, "-i", str(inventory))
        assert done.code == 0, done.output
        return done

    def statuses(self, commit: str) -> dict[str, str]:
        answer = sorted(self.api.repo(f"/commits/{commit}/statuses"), key=lambda status: status["id"])
        return {status["context"]: status["status"] for status in answer}


def opened(repository: Repository, api: ForgeApi, files: dict[str, str]) -> int:
    """The number of a pull request with these files."""
    for name, text in files.items():
        (repository.folder / name).write_text(text, encoding="utf-8")
    repository._git("checkout", "-q", "-b", "change")
    repository._git("add", "--all")
    repository._git("commit", "-q", "-m", "Add one")
    repository._git("push", "-q", repository._push_url, "HEAD:change")
    asked = {"head": "change", "base": "main", "title": "Add one", "body": "Please."}
    return int(api.repo("/pulls", "POST", asked)["number"])


def comments(api: ForgeApi, number: int) -> list[str]:
    return [comment["body"] for comment in api.repo(f"/issues/{number}/comments")]


@pytest.fixture
def added(sandbox: Sandbox, play: Play, namespace: str, tmp_path: Path) -> Added:
    name = uuid.uuid4().hex[:8]
    config = new_repository(sandbox, f"config-{name}", tmp_path / "config")
    other = new_repository(sandbox, f"other-{name}", tmp_path / "other")
    git = {"url": config.url, "token_file": str(config.token_file)}
    fleet = Fleet(play, sandbox, git, namespace, tmp_path)
    source = {"name": "other", "url": other.url, "branch": "main", "token_file": other.token_file.name}
    apps = [fleet.app(name="more", path="app"), fleet.app(name="shop", source="other", path="shop")]
    config.commit(
        {
            "app/a.yaml": config_map("a"),
            PATH: yaml.safe_dump({"plumb_sources": [source], "plumb_apps": apps[1:]}),
        }
    )
    return Added(fleet, sandbox, config, other)


def test_a_source_of_the_config_gets_statuses_where_the_inventory_allows_it(added: Added) -> None:
    commit = added.other.commit({"shop/b.yaml": config_map("b")})
    added.run(RECONCILE, repositories=["somebody/else", "other/*"])
    assert added.statuses(commit) == {}, "the forge's token went where only Git says"

    added.run(RECONCILE, repositories=[f"{added.sandbox.forge_user}/*"])
    assert added.statuses(commit) == {"plumb/here/shop": "success"}

    newer = added.other.commit({"shop/b.yaml": config_map("b", {"text": "2"})})
    added.run(RECONCILE, repositories=[added.api.title.upper()])
    assert added.statuses(newer) == {"plumb/here/shop": "success"}


def test_pull_requests_of_a_source_of_the_config_are_previewed_where_the_inventory_allows_it(
    added: Added,
) -> None:
    added.other.commit({"shop/b.yaml": config_map("b")})
    until(lambda: not added.api.repo("")["empty"], "Gitea to have taken the first push in", 30)
    added.run(RECONCILE, repositories=[])
    number = opened(added.other, added.api, {"shop/new.yaml": config_map("new")})
    added.run("plumb.gitops.preview", repositories=[])
    assert comments(added.api, number) == [], "the forge's token went where only Git says"
    added.run("plumb.gitops.preview", repositories=[added.api.title])
    (comment,) = comments(added.api, number)
    assert f"ConfigMap `{added.fleet.namespace}/new`" in comment


def test_a_source_of_the_config_in_a_repository_of_the_inventory_needs_no_permission(added: Added) -> None:
    fleet = added.fleet
    source = {
        "name": "again",
        "url": added.config.url,
        "branch": "main",
        "token_file": added.config.token_file.name,
    }
    app = fleet.app(name="again", source="again", path="more")
    config = yaml.safe_dump({"plumb_sources": [source], "plumb_apps": [app]})
    commit = added.config.commit({PATH: config, "more/c.yaml": config_map("c")})
    added.run(RECONCILE, repositories=[])
    api = added.api_of(added.config)
    statuses = {
        status["context"]: status["status"] for status in api.repo(f"/commits/{commit}/status")["statuses"]
    }
    assert statuses == {"plumb/here/app": "success", "plumb/here/again": "success"}

    # Both follow the branch that it is for: each says its own part.
    number = opened(added.config, api, {"app/b.yaml": config_map("b"), "more/d.yaml": config_map("d")})
    for _again in range(2):
        added.run("plumb.gitops.preview", repositories=[])
        first, second = sorted(comments(api, number), key=lambda text: "/d`" in text)
        assert (f"{fleet.namespace}/b`" in first, f"{fleet.namespace}/d`" in first) == (True, False)
        assert (f"{fleet.namespace}/b`" in second, f"{fleet.namespace}/d`" in second) == (False, True)
