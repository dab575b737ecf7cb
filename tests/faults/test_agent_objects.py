# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows 29, 38 and 40 in a running agent that watches: a renamed app, webhooks, very many objects.

The engine's part is in test_membership.py, test_webhooks.py and test_sizes.py. Here it is that the watch makes nothing
worse: no run without end, no write, no memory that grows with what is in sight.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.tests.support.agent.agent_on_git import FollowedGit, followed_git
from ansible_collections.plumb.gitops.tests.support.agent.process import until
from ansible_collections.plumb.gitops.tests.support.cluster.audit_log import Audit
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.faults.admission_webhook import (
    REVIEWED,
    Webhook,
    configured,
    deny,
    patch,
    webhook_server,
)
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map

QUIET = 6.0  # seconds in which an agent that finds something to do would have run several times
MANY = 3000
MOST_MEMORY = 120 * 1024 * 1024  # bytes


@pytest.fixture(scope="module")
def fleet(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FollowedGit]:
    """An agent that watches, polls each second and is due once an hour."""
    with followed_git(sandbox, tmp_path_factory.mktemp("agent-objects")) as made:
        made.agent.configure(watch=True)
        made.push({"all.yaml": config_map("c")})
        made.follow()
        made.agent.start()
        assert "failed=0" in made.agent.await_run()
        yield made


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[Webhook]:
    with webhook_server(tmp_path / "webhook") as running:
        yield running


def arrived(fleet: FollowedGit, *words: str) -> str:
    """The line of the run that brings the commit that was just made, as far as it can be brought."""
    runs = len(fleet.agent.runs())
    commit = fleet.upstream.git("rev-parse", "--short=7", "main")
    return fleet.agent.await_line(" cluster=here ", f"@{commit}", *words, after=runs)


def run_with(fleet: FollowedGit, **options: object) -> str:
    """Replace the app by one with these options; return the line of the run that follows."""
    runs, seen = len(fleet.agent.runs()), len(fleet.agent.lines())
    fleet.follow(plumb_apps=[fleet.app(**options)])
    fleet.agent.await_line("inventory changed", after=seen)
    line = fleet.agent.await_run(more_than=runs)
    settled(fleet)
    return line


def settled(fleet: FollowedGit) -> int:
    """Wait until nothing has run for a while; how many runs there were by then."""
    seen, since = len(fleet.agent.runs()), time.monotonic()
    deadline = since + 120
    while time.monotonic() - since < QUIET:
        if len(fleet.agent.runs()) != seen:
            seen, since = len(fleet.agent.runs()), time.monotonic()
        assert time.monotonic() < deadline, "\n".join(fleet.agent.lines())
        time.sleep(0.2)
    return seen


def test_row_29_a_renamed_app_loses_nothing_and_moves_when_it_is_told(
    fleet: FollowedGit, kubectl: Kubectl, sandbox: Sandbox
) -> None:
    settled(fleet)
    audit = Audit(sandbox.audit_log)
    uid = kubectl.live("configmap", "c", fleet.namespace)["metadata"]["uid"]
    audit.writes()
    line = run_with(fleet, name="renamed", path="app")
    assert " reconciled in part " in line
    assert "belongs to another apply set" in line
    assert not [write for write in audit.writes() if write.startswith("delete")]
    assert kubectl.live("configmap", "c", fleet.namespace)["metadata"]["uid"] == uid

    assert "failed=0" in run_with(fleet, name="renamed", path="app", moved_from=["app"])
    assert kubectl.live("configmap", "c", fleet.namespace)["metadata"]["uid"] == uid
    kubectl("delete", "configmap", "c", "-n", fleet.namespace)
    until(lambda: kubectl.get("configmap", "c", fleet.namespace), "it comes back to the app of its new name")
    assert "failed=0" in run_with(fleet, moved_from=["renamed"])


def test_row_38_what_a_webhook_denies_is_not_asked_for_without_end(
    fleet: FollowedGit, kubectl: Kubectl, webhook: Webhook
) -> None:
    webhook.review = deny("not for us")
    with configured(webhook, "Validating", kubectl, fleet.namespace):
        fleet.push({"all.yaml": config_map("c") + config_map("r", labels=REVIEWED) + config_map("free")})
        line = arrived(fleet)
        assert "failed=1" in line, line
        assert "not for us" in line
        assert kubectl.live("configmap", "free", fleet.namespace)
        settled(fleet)
        asked = webhook.asked.count("r")
        time.sleep(QUIET)
        assert webhook.asked.count("r") - asked <= 1, "it backs off"
        fleet.is_well()
    # The server forgets a webhook a moment after its configuration is gone.
    until(
        lambda: fleet.sync() and kubectl.get("configmap", "r", fleet.namespace), "what is allowed now is made"
    )


def test_row_38_what_a_webhook_changes_starts_no_run(
    fleet: FollowedGit, kubectl: Kubectl, webhook: Webhook, sandbox: Sandbox
) -> None:
    webhook.review = patch(
        lambda body: [
            {
                "op": "add",
                "path": "/metadata/annotations",
                "value": {**body["metadata"].get("annotations", {}), "policy.example.com/seen": "yes"},
            },
            {"op": "replace", "path": "/data/level", "value": "decided by the policy"},
        ]
    )
    with configured(webhook, "Mutating", kubectl, fleet.namespace):
        fleet.push({"all.yaml": config_map("c") + config_map("m", {"level": "as Git says"}, labels=REVIEWED)})
        assert "failed=0" in arrived(fleet)
        assert kubectl.live("configmap", "m", fleet.namespace)["data"]["level"] == "decided by the policy"
        runs, audit = settled(fleet), Audit(sandbox.audit_log)
        audit.writes()
        time.sleep(QUIET)
        assert len(fleet.agent.runs()) == runs
        assert "drifted=0" in fleet.sync()
        settled(fleet)
        assert not [write for write in audit.writes() if fleet.namespace in write]


def test_row_40_very_many_objects_in_sight_cost_no_write_no_run_and_little_memory(
    fleet: FollowedGit, kubectl: Kubectl, sandbox: Sandbox
) -> None:
    many = "".join(config_map(f"many-{number}", {"text": "x" * 200}) for number in range(MANY))
    fleet.push({"all.yaml": config_map("c") + many})
    assert "failed=0" in arrived(fleet)
    until(
        lambda: fleet.agent.series().get('plumb_watch_objects{cluster="here"}', 0) >= MANY, "all are in sight"
    )
    runs, audit = settled(fleet), Audit(sandbox.audit_log)
    audit.writes()
    for _number in range(2):
        assert "changed=0 drifted=0 failed=0" in fleet.sync()
    assert settled(fleet) == runs + 2
    assert audit.writes() == []
    assert fleet.agent.resident() < MOST_MEMORY
    kubectl("delete", "configmap", "many-7", "-n", fleet.namespace)
    until(lambda: kubectl.get("configmap", "many-7", fleet.namespace), "the watch still sees each of them")
