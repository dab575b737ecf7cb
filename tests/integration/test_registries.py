# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scanning real registries: Gitea's, which hands out tokens, and Debian's docker-registry, with TLS and a login."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from plumb_sandbox.forge.image_push import ImagePusher

from ansible_collections.plumb.gitops.plugins.module_utils.images.image_reference import parse_name
from ansible_collections.plumb.gitops.plugins.module_utils.images.registry.registry_cache import RegistryCache
from ansible_collections.plumb.gitops.plugins.module_utils.images.scan import scan
from ansible_collections.plumb.gitops.plugins.module_utils.images.specs import ImagePolicy, RegistryAccount
from ansible_collections.plumb.gitops.plugins.module_utils.images.tag_policy import parse_policy
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.registry.debian_registry import (
    BINARY,
    PASSWORD,
    USER,
    debian_registry,
)
from ansible_collections.plumb.gitops.tests.support.registry.registry_server import basic


@dataclass(frozen=True)
class Real:
    """A registry, and a repository in it of the test's own."""

    host: str
    repository: str
    pusher: ImagePusher
    account: RegistryAccount

    def push(self, tag, **more):
        return self.pusher.push(self.repository, tag, **more)

    def scanned(self, policy, remembered=None, **more):
        declared = ImagePolicy(
            name="shop",
            image=parse_name(f"{self.host}/{self.repository}", subject="image shop"),
            policy=parse_policy(policy, subject="image shop"),
            account=more.pop("account", self.account),
            **more,
        )
        (result,) = scan([declared], remembered or RegistryCache())
        return result

    def chosen(self, policy, remembered=None, **more):
        result = self.scanned(policy, remembered, **more)
        assert result.choice is not None, result
        return result.choice.tag, result.choice.digest


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    if not BINARY.exists():
        pytest.skip("Debian's docker-registry is not in the cache: scripts/registry says why")
    folder = tmp_path_factory.mktemp("registry")
    password = folder / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    with debian_registry(folder) as running:
        account = RegistryAccount(
            username=USER, password_file=password, ca_file=running.authority.certificate
        )
        yield Real(running.host, "", running.pusher, account)


@pytest.fixture(params=["gitea", "debian"])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Real:
    name = f"r-{uuid.uuid4().hex[:8]}"
    if request.param == "debian":
        return replace(request.getfixturevalue("debian"), repository=f"shop/{name}")
    sandbox: Sandbox = request.getfixturevalue("sandbox")
    password = tmp_path / "password"
    password.write_text(sandbox.forge_token, encoding="utf-8")
    account = RegistryAccount(username=sandbox.forge_user, password_file=password, insecure=True)
    pusher = ImagePusher(sandbox.forge_url, basic(sandbox.forge_user, sandbox.forge_token))
    return Real(sandbox.registry, f"{sandbox.forge_user}/{name}", pusher, account)


def test_the_highest_version_and_its_digest(real):
    real.push("1.9.0")
    digest = real.push("1.10.0", label="newer")
    real.push(f"sha256-{'ab' * 32}.sig", label="signature")
    assert real.chosen({"semver": ">=1.0.0 <2.0.0"}) == ("1.10.0", digest)


def test_many_tags_are_listed_page_by_page(real, monkeypatch):
    monkeypatch.setattr(
        "ansible_collections.plumb.gitops.plugins.module_utils.images.registry.client._PAGE", 3
    )
    for number in range(8):
        real.push(f"1.{number}.0")
    assert real.chosen({"semver": "*"})[0] == "1.7.0"


def test_a_tag_whose_digest_moves(real):
    remembered = RegistryCache()
    first = real.push("stable")
    assert real.chosen({"digest": "stable"}, remembered) == ("stable", first)
    second = real.push("stable", label="moved")
    assert real.chosen({"digest": "stable"}, remembered) == ("stable", second)
    assert real.chosen({"digest": "stable"}, remembered) == ("stable", second)


def test_the_newest_build_for_a_platform(real):
    real.push("a", created="2026-11-03T00:00:00Z", platforms=["linux/amd64"])
    real.push("b", created="2026-11-01T00:00:00Z", platforms=["linux/amd64", "linux/arm64"])
    real.push("c", created="2026-11-02T00:00:00Z", platforms=["linux/arm64"])
    assert real.chosen({"newest": "build"}, platform="linux/arm64")[0] == "c"
    assert real.chosen({"newest": "build"})[0] == "a"


def test_a_wrong_login_and_an_image_that_is_not_there(real, tmp_path):
    real.push("1.0.0")
    wrong = tmp_path / "wrong"
    wrong.write_text("wr0ng-secret", encoding="utf-8")
    refused = real.scanned({"semver": "*"}, account=replace(real.account, password_file=wrong))
    assert "(401)" in str(refused.error)
    assert "wr0ng-secret" not in str(refused.error)
    nothing = replace(real, repository=f"{real.repository}-none").scanned({"semver": "*"})
    assert nothing.error is not None
    assert "(404)" in str(nothing.error) or "of 0 tags" in str(nothing.error)
