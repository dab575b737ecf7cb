# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image in Gitea's registry, a repository on Gitea with a marker for it, and an inventory that joins them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from plumb_sandbox.forge.image_push import ImagePusher

from ansible_collections.plumb.gitops.tests.support.ansible.play import Play, Played
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import Repository, new_repository
from ansible_collections.plumb.gitops.tests.support.registry.registry_server import basic

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
        """The image without a tag."""
        return f"{self.sandbox.registry}/{self.sandbox.forge_user}/{self.name}"

    @property
    def log_in(self) -> dict[str, Any]:
        """The options by which the registry is reached."""
        return {
            "username": self.sandbox.forge_user,
            "password_file": str(self.git.token_file),
            "insecure": True,
        }

    def push(self, tag: str, **more: Any) -> str:
        """Push an image; return its digest."""
        pusher = ImagePusher(self.sandbox.forge_url, basic(self.sandbox.forge_user, self.sandbox.forge_token))
        return pusher.push(f"{self.sandbox.forge_user}/{self.name}", tag, **more)

    def manifest(self, tag: str) -> str:
        """Return the manifest with the image's marker."""
        return f'kind: ConfigMap\ndata:\n  image: {self.image}:{tag} # {{"$plumb": "shop"}}\n'

    def variables(self, **more: Any) -> dict[str, Any]:
        """Return the inventory's variables, with these besides or instead."""
        policy = {
            "name": "shop",
            "image": self.image,
            "policy": {"semver": ">=1.0.0"},
            **self.log_in,
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
        """Run the playbook; `more` are options of the update."""
        return self.run_with(self.variables(**more), *words)

    def run_with(self, variables: Mapping[str, Any], *words: str) -> Played:
        """Run the playbook with these variables."""
        inventory = self.folder / "inventory.yml"
        group = {"hosts": {"here": {}}, "vars": dict(variables)}
        inventory.write_text(yaml.safe_dump({"plumb_clusters": group}), encoding="utf-8")
        return self.play.playbook(PLAYBOOK, "-i", str(inventory), *words)

    def in_git(self, path: str = "apps/shop.yaml") -> str:
        """Return a file as it is on main now."""
        self.git._git("fetch", "-q", self.git._push_url, "main")
        self.git._git("reset", "-q", "--hard", "FETCH_HEAD")
        return (self.git.folder / path).read_text(encoding="utf-8")

    def log(self) -> list[str]:
        """Return author and subject of the commits of main, newest first."""
        self.in_git()
        return self.git._git("log", "--format=%an <%ae> %s").splitlines()


def new_shop(play: Play, sandbox: Sandbox, folder: Path) -> Shop:
    """Make a shop of the test's own: Git has 1.0.0, and the registry is empty."""
    name = f"i-{uuid.uuid4().hex[:8]}"
    shop = Shop(play, sandbox, new_repository(sandbox, name, folder / "clone"), folder, name)
    shop.git.commit({"apps/shop.yaml": shop.manifest("1.0.0"), "apps/other.yaml": "a: 1\n"}, "Begin")
    return shop
