# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`plumb.gitops.images` as users run it: images in Gitea's registry, a repository on Gitea, the playbook."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.tests.forge import Repository, new_repository
from ansible_collections.plumb.gitops.tests.oci_push import Pusher
from ansible_collections.plumb.gitops.tests.play import Play, Played
from ansible_collections.plumb.gitops.tests.registry_server import basic
from ansible_collections.plumb.gitops.tests.sandbox_session import Sandbox

PLAYBOOK = "plumb.gitops.images"


@dataclass
class Shop:
    """An image, a repository with a marker for it, and an inventory that joins them."""

    play: Play
    sandbox: Sandbox
    git: Repository
    folder: Path
    name: str

    @property
    def image(self) -> str:
        return f"{self.sandbox.registry}/{self.sandbox.forge_user}/{self.name}"

    def push(self, tag: str, **more: Any) -> str:
        pusher = Pusher(self.sandbox.forge_url, basic(self.sandbox.forge_user, self.sandbox.forge_token))
        return pusher.push(f"{self.sandbox.forge_user}/{self.name}", tag, **more)

    def manifest(self, tag: str) -> str:
        return f'kind: ConfigMap\ndata:\n  image: {self.image}:{tag} # {{"$plumb": "shop"}}\n'

    def variables(self, **more: Any) -> dict[str, Any]:
        policy = {
            "name": "shop",
            "image": self.image,
            "policy": {"semver": ">=1.0.0"},
            "username": self.sandbox.forge_user,
            "password_file": str(self.git.token_file),
            "insecure": True,
        }
        source = {
            "name": "fleet",
            "url": self.git.url,
            "branch": "main",
            "token_file": str(self.git.token_file),
        }
        return {
            "plumb_kubeconfig": str(self.sandbox.kubeconfig),
            "plumb_cache_dir": str(self.folder / "cache"),
            "plumb_sources": [source],
            "plumb_images": [policy],
            "plumb_image_updates": [{"name": "fleet", "source": "fleet", "paths": ["apps"], **more}],
        }

    def run(self, *words: str, **more: Any) -> Played:
        inventory = self.folder / "inventory.yml"
        group = {"hosts": {"here": {}}, "vars": self.variables(**more)}
        inventory.write_text(yaml.safe_dump({"plumb_clusters": group}), encoding="utf-8")
        return self.play.playbook(PLAYBOOK, "-i", str(inventory), *words)

    def in_git(self, path: str = "apps/shop.yaml") -> str:
        self.git._git("fetch", "-q", self.git._push_url, "main")
        self.git._git("reset", "-q", "--hard", "FETCH_HEAD")
        return (self.git.folder / path).read_text(encoding="utf-8")

    def log(self) -> list[str]:
        self.in_git()
        return self.git._git("log", "--format=%an <%ae> %s").splitlines()


@pytest.fixture
def shop(play: Play, sandbox: Sandbox, tmp_path: Path) -> Shop:
    name = f"i-{uuid.uuid4().hex[:8]}"
    found = Shop(play, sandbox, new_repository(sandbox, name, tmp_path / "clone"), tmp_path, name)
    found.git.commit({"apps/shop.yaml": found.manifest("1.0.0"), "apps/other.yaml": "a: 1\n"}, "Begin")
    return found


def test_an_image_is_noticed_and_committed_once(shop):
    shop.push("1.0.0")
    shop.push("1.1.0", label="new")
    checked = shop.run("--check", "--diff")
    assert checked.code == 0, checked.output
    assert f"-apps/shop.yaml:3: {shop.image}:1.0.0" in checked.output
    assert f"+apps/shop.yaml:3: {shop.image}:1.1.0" in checked.output
    assert "fleet main would change" in checked.output
    assert len(shop.log()) == 1

    done = shop.run(author={"name": "Bot", "email": "bot@example.com"}, trailers={"Refs": "OPS-1"})
    assert (done.code, "changed=1" in done.output) == (0, True), done.output
    assert shop.in_git() == shop.manifest("1.1.0")
    assert shop.log() == ["Bot <bot@example.com> Update shop to 1.1.0", "Alma Berg <alma@example.com> Begin"]

    again = shop.run(author={"name": "Bot", "email": "bot@example.com"}, trailers={"Refs": "OPS-1"})
    assert (again.code, "changed=0" in again.output) == (0, True), again.output

    shop.git.commit({"apps/shop.yaml": shop.manifest("1.0.0")}, "Take it back")
    assert shop.run(paths=["apps", "more"]).code == 0  # another declaration: Git is looked at again
    assert shop.in_git() == shop.manifest("1.0.0")
    shop.push("1.2.0", label="newer")
    assert "changed=1" in shop.run().output
    assert shop.in_git() == shop.manifest("1.2.0")


def test_no_secret_is_in_what_a_run_says(shop):
    shop.push("1.1.0")
    done = shop.run("--diff", "-vvvv")
    assert done.code == 0, done.output
    shop.in_git()
    everything = done.output + shop.git._git("log", "-p", "--format=raw")
    encoded = basic(shop.sandbox.forge_user, shop.sandbox.forge_token).removeprefix("Basic ")
    assert shop.sandbox.forge_token not in everything
    assert encoded not in everything
    for file in (shop.folder / "cache").rglob("*"):
        if file.is_file():
            assert shop.sandbox.forge_token.encode() not in file.read_bytes()


def test_one_that_fails_is_told_beside_what_is_done(shop):
    shop.push("1.1.0")
    variables = shop.variables()
    missing = {**variables["plumb_images"][0], "name": "cart", "image": f"{shop.image}-none"}
    variables["plumb_images"].append(missing)
    inventory = shop.folder / "inventory.yml"
    group = {"hosts": {"here": {}}, "vars": variables}
    inventory.write_text(yaml.safe_dump({"plumb_clusters": group}), encoding="utf-8")
    done = shop.play.playbook(PLAYBOOK, "-i", str(inventory))
    assert done.code == 2
    assert "image cart: " in done.output
    assert shop.in_git() == shop.manifest("1.1.0")
