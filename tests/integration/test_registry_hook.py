# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's registry and Gitea's tell the agent of a push themselves; nothing else would make it look."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from plumb_sandbox.forge.image_push import ImagePusher

from ansible_collections.plumb.gitops.tests.support.agent.agent_fleet import AgentFleet
from ansible_collections.plumb.gitops.tests.support.agent.process import running, until
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import ForgeApi
from ansible_collections.plumb.gitops.tests.support.registry.debian_registry import (
    BINARY,
    PASSWORD,
    USER,
    debian_registry,
)
from ansible_collections.plumb.gitops.tests.support.registry.registry_server import basic

SECRET = "hook-of-the-registry-0123456789"


@dataclass(slots=True)
class Notified:
    """An agent that asks neither Git nor registries for an hour, but for what a webhook says."""

    fleet: AgentFleet
    kubectl: Kubectl
    namespace: str

    def configure(self, kind: str) -> str:
        """The address of a webhook of this kind."""
        agent = self.fleet.agent
        secret = agent.folder / "hook-secret"
        secret.write_text(SECRET, encoding="utf-8")
        hook = {"name": "images", "kind": kind, "secret_file": str(secret)}
        agent.configure(
            http={**agent.words["http"], "webhooks": [hook]}, images_interval="1h", poll_interval="1h"
        )
        return f"http://{agent.words['http']['listen']}/webhook/images"

    def follow(self, image: str, account: dict[str, Any]) -> None:
        """Mark the image in Git at 1.0.0, and declare it."""
        marked = f'  image: {image}:1.0.0 # {{"$plumb": "shop"}}\n'
        text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata:\n{marked}"
        self.fleet.repository.commit({"app/map.yaml": text})
        policy = {"name": "shop", "image": image, "policy": {"semver": "*"}, **account}
        update = {"name": "fleet", "source": "fleet"}
        self.fleet.write(plumb_images=[policy], plumb_image_updates=[update])

    def check_push(self, image: str, push: Callable[[], object]) -> None:
        """Push, and check that the image comes into Git and into the cluster."""
        with running(self.fleet.agent) as agent:
            agent.await_run()
            push()

            def live() -> str:
                settings = self.kubectl.get("configmap", "settings", self.namespace)
                return settings["data"]["image"] if settings else ""

            until(lambda: live() == f"{image}:1.1.0", "the new image in the cluster")
            assert agent.series()['plumb_webhook_deliveries_total{status="202",webhook="images"}'] >= 1


@pytest.fixture
def notified(sandbox: Sandbox, kubectl: Kubectl, namespace: str, tmp_path: Path) -> Notified:
    fleet = AgentFleet(sandbox, tmp_path, f"hook-{uuid.uuid4().hex[:8]}", namespace)
    return Notified(fleet, kubectl, namespace)


@pytest.mark.skipif(not BINARY.exists(), reason="Debian's docker-registry is not there: scripts/registry")
def test_debians_registry_tells_of_a_push(notified: Notified, tmp_path: Path) -> None:
    password, folder = tmp_path / "password", tmp_path / "registry"
    password.write_text(PASSWORD, encoding="utf-8")
    folder.mkdir()
    with debian_registry(folder, notify=notified.configure("registry"), secret=SECRET) as registry:
        registry.pusher.push("shop/web", "1.0.0")
        account = {"username": USER, "password_file": str(password)}
        image = f"{registry.host}/shop/web"
        notified.follow(image, {**account, "ca_file": str(registry.authority.certificate)})
        notified.check_push(image, lambda: registry.pusher.push("shop/web", "1.1.0", label="newer"))


def test_giteas_registry_tells_of_a_push(notified: Notified, sandbox: Sandbox, tmp_path: Path) -> None:
    name = f"{sandbox.forge_user}/i-{uuid.uuid4().hex[:8]}"
    password = tmp_path / "password"
    password.write_text(sandbox.forge_token, encoding="utf-8")
    config = {"url": notified.configure("gitea"), "content_type": "json", "secret": SECRET}
    made = {"type": "gitea", "config": config, "events": ["package"], "active": True}
    pusher = ImagePusher(sandbox.forge_url, basic(sandbox.forge_user, sandbox.forge_token))
    pusher.push(name, "1.0.0")
    account = {"username": sandbox.forge_user, "password_file": str(password), "insecure": True}
    image = f"{sandbox.registry}/{name}"
    notified.follow(image, account)
    api = ForgeApi(sandbox, name)
    hook = api.request("/user/hooks", "POST", made)["id"]
    try:
        notified.check_push(image, lambda: pusher.push(name, "1.1.0", label="newer"))
    finally:
        api.request(f"/user/hooks/{hook}", "DELETE")
