# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`plumb.gitops.images` as users run it: images in Gitea's registry, a repository on Gitea, the playbook."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.registry.image_shop import Shop, new_shop
from ansible_collections.plumb.gitops.tests.support.registry.registry_server import basic


@pytest.fixture
def shop(play: Play, sandbox: Sandbox, tmp_path: Path) -> Shop:
    return new_shop(play, sandbox, tmp_path)


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
    done = shop.run_with(variables)
    assert done.code == 2
    assert "image cart: " in done.output
    assert shop.in_git() == shop.manifest("1.1.0")
