# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New images as pull requests: the playbook, on Gitea's registry, repository and pull requests."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.tests.support.agent.process import until
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import ForgeApi, new_repository
from ansible_collections.plumb.gitops.tests.support.registry.image_shop import Shop

ASKED = {"pull_request": {"labels": ["images"], "auto_merge": False}}


class Proposing(Shop):
    """A shop whose inventory names the forge."""

    @property
    def api(self) -> ForgeApi:
        return ForgeApi(self.sandbox, f"{self.sandbox.forge_user}/{self.name}")

    def variables(self, **more: Any) -> dict[str, Any]:
        forge = {"kind": "gitea", "url": self.sandbox.forge_url, "token_file": str(self.git.token_file)}
        return {**super().variables(**more), "plumb_forge": {**forge, "allow_http": True}}

    def open(self) -> list[dict[str, Any]]:
        pulls: list[dict[str, Any]] = self.api.repo("/pulls?state=open")
        return pulls


@pytest.fixture
def shop(play: Play, sandbox: Sandbox, tmp_path: Path) -> Proposing:
    name = f"i-{uuid.uuid4().hex[:8]}"
    proposing = Proposing(play, sandbox, new_repository(sandbox, name, tmp_path / "clone"), tmp_path, name)
    proposing.git.commit({"apps/shop.yaml": proposing.manifest("1.0.0")}, "Begin")
    until(lambda: proposing.api.repo("")["empty"] is False, "the first commit")
    proposing.api.repo("/labels", "POST", {"name": "images", "color": "#00aabb"})
    return proposing


def test_a_pull_request_is_opened_kept_up_to_date_and_done_when_it_is_merged(shop: Proposing) -> None:
    shop.push("1.0.0")
    shop.push("1.1.0", label="new")
    checked = shop.run("--check", **ASKED)
    assert checked.code == 0, checked.output
    assert shop.open() == []

    done = shop.run(**ASKED)
    assert done.code == 0, done.output
    (pull,) = shop.open()
    assert pull["html_url"] in done.output
    assert pull["title"] == "Update shop to 1.1.0"
    assert [label["name"] for label in pull["labels"]] == ["images"]
    assert f"{shop.image}:1.1.0" in pull["body"]
    assert shop.in_git() == shop.manifest("1.0.0"), "nothing is on the branch that is applied"

    shop.push("1.2.0", label="newer")
    done = shop.run(**ASKED)
    assert done.code == 0, done.output
    (again,) = shop.open()
    assert (again["number"], again["title"]) == (pull["number"], "Update shop to 1.2.0")
    assert "changed=0" in shop.run(**ASKED).output

    until(lambda: shop.api.repo(f"/pulls/{pull['number']}")["mergeable"], "Gitea sees that it can be merged")
    shop.api.repo(f"/pulls/{pull['number']}/merge", "POST", {"Do": "merge"})
    assert shop.in_git() == shop.manifest("1.2.0")
    done = shop.run(**ASKED)
    assert done.code == 0, done.output
    assert shop.open() == []


def test_without_a_forge_the_next_step_is_named(shop: Proposing) -> None:
    shop.push("1.1.0")
    done = shop.run("-e", '{"plumb_forge": null}', **ASKED)
    assert done.code == 2
    assert "Set plumb_forge, or leave pull_request out." in done.output
    assert shop.open() == []
