# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent scans registries, and what it finds goes by way of Git into the cluster. Nobody calls a playbook."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ansible_collections.plumb.gitops.tests.support.agent.agent_fleet import AgentFleet as Fleet
from ansible_collections.plumb.gitops.tests.support.agent.process import running, until
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.registry.registry_server import RegistryServer

NAMESPACE = "agent"
SECRET = "hook-of-the-registry-0123456789"


@dataclass
class Scanned:
    """An agent, and the registry that it scans each second."""

    fleet: Fleet
    registry: RegistryServer

    def manifest(self, tag: str) -> str:
        image = f"{self.registry.host}/shop/web:{tag}"
        return (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata:\n"
            f'  image: {image} # {{"$plumb": "shop"}}\n'
        )

    def commit(self, files: dict[str, str | None], subject: str) -> None:
        """On top of what the agent has pushed."""
        git = self.fleet.repository
        git._git("fetch", "-q", git._push_url, "main")
        git._git("reset", "-q", "--hard", "FETCH_HEAD")
        git.commit(files, subject)

    def live(self, kubectl: Kubectl) -> str:
        settings = kubectl.get("configmap", "settings", NAMESPACE)
        return settings["data"]["image"].rpartition(":")[2] if settings else ""

    def lines(self, words: str) -> list[str]:
        return [line for line in self.fleet.agent.lines() if f" {words} " in line]


@pytest.fixture(scope="module")
def scanned(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scanned]:
    fleet = Fleet(sandbox, tmp_path_factory.mktemp("scans"), "scan-fleet")
    with RegistryServer() as registry:
        scan = Scanned(fleet, registry)
        registry.push("shop/web", ["1.0.0"])
        fleet.repository.commit({"app/config.yaml": scan.manifest("1.0.0")})
        image = {
            "name": "shop",
            "image": f"{registry.host}/shop/web",
            "policy": {"semver": "*"},
            "insecure": True,
        }
        fleet.write(plumb_images=[image], plumb_image_updates=[{"name": "fleet", "source": "fleet"}])
        secret = fleet.agent.folder / "hook-secret"
        secret.write_text(SECRET, encoding="utf-8")
        hook = {"name": "registry", "kind": "registry", "secret_file": str(secret)}
        http = {**fleet.agent.words["http"], "webhooks": [hook]}
        fleet.agent.configure(images_interval="1s", poll_interval="1h", http=http)
        with running(fleet.agent) as agent:
            agent.await_run()
            yield scan


def test_a_new_image_comes_into_git_and_into_the_cluster(scanned: Scanned, kubectl: Kubectl) -> None:
    agent = scanned.fleet.agent
    agent.await_line("images already in git", 'choices="shop=1.0.0"')  # the first scan, which is remembered
    assert [line for line in agent.runs() if "new images" in line] == [], "nothing was committed"
    scanned.registry.push("shop/web", ["1.1.0"], content="new")
    until(lambda: scanned.live(kubectl) == "1.1.0", "the new image in the cluster")
    assert "updates=fleet" in agent.await_line("images committed", 'choices="shop=1.1.0"')
    agent.await_line(" reconciled ", 'cause="new images"')


def test_with_nothing_new_only_the_registry_is_asked(scanned: Scanned) -> None:
    agent = scanned.fleet.agent
    runs = 'plumb_image_runs_total{cluster="here",result="succeeded"}'
    looked, asked = agent.series()[runs], len(scanned.registry.requests)
    until(lambda: len(scanned.registry.requests) > asked + 6, "three more scans")
    assert agent.series()['plumb_image_scans_total{cluster="here",result="succeeded"}'] > 3
    assert agent.series()[runs] == looked


def test_a_marker_that_is_added_is_filled_in_at_the_next_scan(scanned: Scanned, kubectl: Kubectl) -> None:
    agent = scanned.fleet.agent
    added = scanned.manifest("1.0.0").replace("name: settings", "name: later")
    scanned.commit({"app/config.yaml": scanned.manifest("1.1.0"), "app/later.yaml": added}, "Mark another")
    assert agent.command("sync", "--cluster", "here")[0] == 0
    until(
        lambda: (
            (kubectl.get("configmap", "later", NAMESPACE) or {}).get("data", {}).get("image", "")[-5:]
            == "1.1.0"
        ),
        "the image of the new marker in the cluster",
    )


def test_what_was_taken_back_in_git_stays_so_until_a_newer_image(scanned: Scanned, kubectl: Kubectl) -> None:
    agent = scanned.fleet.agent
    seen = len(agent.lines())
    scanned.commit({"app/config.yaml": scanned.manifest("1.0.0")}, "Take it back")
    assert agent.command("sync", "--cluster", "here")[0] == 0
    line = agent.await_line("images not all written", after=seen)
    assert "1.1.0 was taken back in Git" in line
    until(lambda: scanned.live(kubectl) == "1.0.0", "the older image in the cluster")
    asked = len(scanned.registry.requests)
    until(lambda: len(scanned.registry.requests) > asked + 6, "three more scans")
    assert scanned.live(kubectl) == "1.0.0"
    scanned.registry.push("shop/web", ["1.1.1"], content="newer")
    until(lambda: scanned.live(kubectl) == "1.1.1", "the newer image in the cluster")


def test_a_registry_that_fails_is_told_once(scanned: Scanned) -> None:
    held = scanned.registry.repositories.pop("shop/web")
    scanned.fleet.agent.await_line("image not scanned", "there is no such image")
    asked = len(scanned.registry.requests)
    until(lambda: len(scanned.registry.requests) > asked + 3, "three more scans")
    # A scan that was under way may have failed in another way.
    assert len([line for line in scanned.lines("image not scanned") if "no such image" in line]) == 1
    scanned.registry.repositories["shop/web"] = held
    scanned.fleet.agent.await_line("images scanned again")
    assert scanned.fleet.agent.series()['plumb_image_scans_total{cluster="here",result="failed"}'] > 0


def test_what_is_suspended_is_not_scanned(scanned: Scanned) -> None:
    agent = scanned.fleet.agent
    assert agent.command("suspend", "--cluster", "here")[0] == 0
    time.sleep(1.5)  # one may be under way
    asked = len(scanned.registry.requests)
    time.sleep(3)
    assert len(scanned.registry.requests) == asked
    assert agent.command("resume", "--cluster", "here")[0] == 0
    until(lambda: len(scanned.registry.requests) > asked, "a scan")


def test_a_registry_that_tells_of_a_push_has_it_looked_at_at_once(scanned: Scanned, kubectl: Kubectl) -> None:
    agent = scanned.fleet.agent
    seen = len(agent.lines())
    agent.configure(images_interval="1h")
    agent.await_line("in force", after=seen)
    time.sleep(1.5)  # the last wait of a second
    asked = len(scanned.registry.requests)
    scanned.registry.push("shop/web", ["1.2.0"], content="newer")
    time.sleep(2)
    assert len(scanned.registry.requests) == asked
    event = b'{"events": [{"action": "push", "target": {"repository": "shop/web", "tag": "1.2.0"}}]}'
    assert agent.get("/webhook/registry", token=SECRET, body=event)[0] == 202
    until(lambda: scanned.live(kubectl) == "1.2.0", "the new image in the cluster")
