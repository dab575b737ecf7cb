# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`plumb.gitops.repository` and `plumb.gitops.deploy_key` against a real Gitea."""

from __future__ import annotations

import stat
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.tests.support.agent.process import until
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play, Played
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import ForgeApi

FILES = {"README.md": "# The fleet\n", "clusters/prod.yml": "plumb_sources: []\nplumb_apps: []\n"}


@dataclass(slots=True)
class Gitea:
    """The sandbox's forge: what the modules are told of it, and its API for looking."""

    sandbox: Sandbox
    play: Play
    token_file: Path

    def options(self, name: str, **more: Any) -> dict[str, Any]:
        where = {
            "forge": "gitea",
            "url": self.sandbox.forge_url,
            "owner": self.sandbox.forge_user,
            "name": name,
        }
        return {**where, "token_file": str(self.token_file), **more}

    def run(self, module: str, name: str, *words: str, **more: Any) -> Mapping[str, Any]:
        return self.played(module, name, *words, **more).result

    def played(self, module: str, name: str, *words: str, **more: Any) -> Played:
        return self.play.module(module, self.options(name, **more), *words)

    def api(self, path: str, method: str = "GET", body: Any = None) -> Any:
        return ForgeApi(self.sandbox, "").request(path, method, body)

    def filled(self, owner: str, name: str) -> None:
        """Wait until Gitea has seen the first push: for a moment after it the repository is said to be empty."""
        until(lambda: self.api(f"/repos/{owner}/{name}")["empty"] is False, f"the commit in {name}")


@pytest.fixture
def gitea(sandbox: Sandbox, play: Play, tmp_path: Path) -> Gitea:
    token_file = tmp_path / "forge-token"
    token_file.write_text(sandbox.forge_token, encoding="utf-8")
    return Gitea(sandbox, play, token_file)


def fresh() -> str:
    return f"f-{uuid.uuid4().hex[:8]}"


def test_a_repository_is_made_as_a_check_says_and_can_then_be_pulled(gitea: Gitea) -> None:
    name = fresh()
    checked = gitea.run("repository", name, "--check", "--diff", files=FILES)
    assert checked["changed"]
    assert not checked["repository"]["exists"]
    assert "clusters/prod.yml" in checked["diff"]["after"]
    missing = gitea.run("repository", name, create=False)
    assert "it does not exist, or" in missing["msg"]

    made = gitea.run("repository", name, files=FILES, description="What runs where")
    assert made["changed"], made
    assert made["repository"]["created"]
    seen = gitea.api(f"/repos/{gitea.sandbox.forge_user}/{name}")
    assert (seen["private"], seen["description"], seen["default_branch"]) == (True, "What runs where", "main")
    gitea.filled(gitea.sandbox.forge_user, name)
    commits = gitea.api(f"/repos/{gitea.sandbox.forge_user}/{name}/commits")
    assert [commit["sha"] for commit in commits] == [made["repository"]["commit"]]

    assert gitea.run("repository", name, files=FILES)["changed"] is False
    assert gitea.run("repository", name, "--check", files={"other": "1"})["changed"] is False

    source = {"name": "fleet", "url": made["repository"]["url"], "branch": "main"}
    pulled = gitea.play.module("pull", {"sources": [{**source, "token_file": str(gitea.token_file)}]}).result
    (fleet,) = pulled["sources"]
    assert fleet["revision"]["commit"] == made["repository"]["commit"]
    assert Path(fleet["path"], "clusters/prod.yml").read_text(encoding="utf-8") == FILES["clusters/prod.yml"]


def test_a_repository_of_an_organization_is_made_there(gitea: Gitea) -> None:
    owner = fresh()
    gitea.api("/orgs", "POST", {"username": owner})
    made = gitea.run("repository", "fleet", owner=owner, files=FILES)
    assert made["changed"], made
    gitea.filled(owner, "fleet")
    wrong = gitea.run("repository", "fleet", "--check", owner=f"{owner}-not")
    assert "looking up the owner" in wrong["msg"]


def test_a_deploy_key_of_its_own_is_added_once_and_reads_only(gitea: Gitea, tmp_path: Path) -> None:
    name = fresh()
    gitea.run("repository", name)
    keys = f"/repos/{gitea.sandbox.forge_user}/{name}/keys"
    key = {"title": "plumb here", "key_file": str(tmp_path / "keys" / "fleet")}
    checked = gitea.run("deploy_key", name, "--check", "--diff", **key)
    assert checked["changed"], checked
    assert "+ plumb here at" in checked["diff"]["prepared"]
    assert gitea.api(keys) == []
    assert not Path(key["key_file"]).exists()

    added = gitea.run("deploy_key", name, **key)
    assert added["changed"], added
    (seen,) = gitea.api(keys)
    assert (seen["title"], seen["read_only"]) == ("plumb here", True)
    assert seen["key"].split()[:2] == added["public_key"].split()
    assert stat.S_IMODE(Path(key["key_file"]).stat().st_mode) == 0o600
    assert gitea.run("deploy_key", name, **key)["changed"] is False
    assert gitea.run("deploy_key", name, "--check", **key)["changed"] is False

    other = gitea.run("deploy_key", name, title=key["title"], key_file=str(tmp_path / "other"))
    assert "another key_file or title" in other["msg"]
    assert gitea.run("deploy_key", name, state="absent", **key)["changed"]
    assert gitea.api(keys) == []
    assert not Path(key["key_file"]).exists()


def test_nothing_secret_is_told_and_wrong_tokens_and_forges_are_named(gitea: Gitea, tmp_path: Path) -> None:
    name = fresh()
    wrong = tmp_path / "wrong"
    wrong.write_text("0123456789abcdef0123456789abcdef01234567", encoding="utf-8")
    played = gitea.played("repository", name, "-vvvv", "--check", token_file=str(wrong))
    assert "does not accept the token" in played.result["msg"]
    assert "0123456789abcdef" not in played.output
    played = gitea.played("repository", name, "-vvvv", "--diff", files=FILES)
    assert played.result["changed"]
    assert gitea.sandbox.forge_token not in played.output
    assert (
        "no way to do this"
        in gitea.run("deploy_key", name, title="t", deploy_token_file=str(tmp_path / "t"))["msg"]
    )
    down = gitea.run("repository", name, "--check", url="http://127.0.0.1:9")
    assert "no connection" in down["msg"]
