# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Gitea fails after the push of new images: the same branch and the same pull request go on (row 46)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.tests.support.agent.process import until
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.faults.proxy import (
    Effect,
    Proxy,
    cut_after,
    cut_before,
    proxy_before_forge,
    status,
    status_after,
)
from ansible_collections.plumb.gitops.tests.support.git.forge import ForgeApi, new_repository
from ansible_collections.plumb.gitops.tests.support.registry.image_shop import Shop

HEAD = "refs/heads/plumb/fleet/images"
OPENING = r"/api/v1/repos/[^?]+/pulls$"


class Behind(Shop):
    """A shop whose repository and forge are reached by way of the proxy; its registry is not."""

    proxy: Proxy

    @property
    def api(self) -> ForgeApi:
        return ForgeApi(self.sandbox, f"{self.sandbox.forge_user}/{self.name}")

    def variables(self, **more: Any) -> dict[str, Any]:
        defaults = super().variables(**{"pull_request": {"labels": ["images"]}, **more})
        (source,) = defaults["plumb_sources"]
        url = source["url"].replace(self.sandbox.forge_url, self.proxy.url)
        forge = {"kind": "gitea", "url": self.proxy.url, "token_file": str(self.git.token_file)}
        return {**defaults, "plumb_sources": [{**source, "url": url}], "plumb_forge": forge}

    def branches(self) -> dict[str, str]:
        """The commit of each branch."""
        lines = self.git._git("ls-remote", "--heads", self.git._push_url).splitlines()
        return {ref: commit for commit, ref in (line.split() for line in lines)}

    def pulls(self) -> list[dict[str, Any]]:
        opened: list[dict[str, Any]] = self.api.repo("/pulls?state=all")
        return opened


@pytest.fixture
def shop(play: Play, sandbox: Sandbox, tmp_path: Path) -> Iterator[Behind]:
    name = f"i-{uuid.uuid4().hex[:8]}"
    behind = Behind(play, sandbox, new_repository(sandbox, name, tmp_path / "clone"), tmp_path, name)
    behind.git.commit({"apps/shop.yaml": behind.manifest("1.0.0")}, "Begin")
    until(lambda: behind.api.repo("")["empty"] is False, "the first commit")
    behind.push("1.1.0", label="new")
    with proxy_before_forge(sandbox, tmp_path) as behind.proxy:
        yield behind


@pytest.mark.parametrize("ill", [status_after(502), status(502), cut_after()], ids=["done", "not", "cut"])
def test_row_46_one_answer_lost_after_the_push_costs_nothing(shop: Behind, ill: Effect) -> None:
    fault = shop.proxy.fault("POST", OPENING, ill, times=1)
    done = shop.run()
    assert done.code == 0, done.output
    assert fault.met == 1
    assert set(shop.branches()) == {"refs/heads/main", HEAD}
    (pull,) = shop.pulls()
    assert (pull["title"], pull["state"]) == ("Update shop to 1.1.0", "open")
    assert [label["name"] for label in pull["labels"]] == ["images"]
    assert "changed=0" in shop.run().output


@pytest.mark.parametrize("ill", [status(503), cut_before()], ids=["503", "cut"])
def test_row_46_a_forge_that_is_ill_after_the_push_has_the_same_branch_and_one_pull_request(
    shop: Behind, ill: Effect
) -> None:
    shop.proxy.fault("GET", "^/api/", ill)
    shop.proxy.fault("POST", "^/api/", ill)
    failed = shop.run()
    assert failed.code == 2
    assert "repository " in failed.output
    assert "Traceback" not in failed.output
    pushed = shop.branches()
    assert set(pushed) == {"refs/heads/main", HEAD}
    assert shop.pulls() == []
    again = shop.run()
    assert again.code == 2
    assert shop.branches() == pushed, "it was pushed anew"

    shop.proxy.faults.clear()
    done = shop.run()
    assert done.code == 0, done.output
    assert shop.branches() == pushed
    (pull,) = shop.pulls()
    assert (pull["title"], pull["head"]["sha"]) == ("Update shop to 1.1.0", pushed[HEAD])

    # A newer image while it is ill: the branch goes on, and then the pull request that it has.
    shop.push("1.2.0", label="newer")
    shop.proxy.fault("PATCH", "^/api/", status(500))
    assert shop.run().code == 2
    newer = shop.branches()
    assert newer[HEAD] != pushed[HEAD]
    shop.proxy.faults.clear()
    assert shop.run().code == 0
    assert shop.branches() == newer
    (same,) = shop.pulls()
    assert (same["number"], same["title"]) == (pull["number"], "Update shop to 1.2.0")
    assert same["head"]["sha"] == newer[HEAD]
