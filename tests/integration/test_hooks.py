# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's own tasks around a sync, and notifications of it; what comes from Git stays text in both (row 49)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.tests.support.ansible.git_fleet import GitFleet
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer, Reply, Request
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map


@dataclass(slots=True)
class Hooked:
    """A fleet with task files of the operator's, each of which writes down what it was given."""

    fleet: GitFleet
    folder: Path
    notifications: list[Request]

    def hook(self, name: str, *more: Mapping[str, Any]) -> str:
        """A task file that appends its name and what it knows to a log."""
        seen = "{{ {'hook': 'NAME', 'subject': pulled.sources[0].revision.subject | default(''), 'apps':"
        seen += " (applied | default({})).apps | default([]) | map(attribute='name'), 'said':"
        seen += " (applied | default({})).msg | default('')} | to_json }}"
        tasks = [
            {
                "name": "Pass it on",
                "ansible.builtin.set_fact": {"of_the_commit": "{{ pulled.sources[0].revision.subject }}"},
            },
            {
                "name": "Write it down",
                "ansible.builtin.shell": {"cmd": f"cat >> {self.folder}/log", "stdin": seen.replace("NAME", name)},
                "changed_when": False,
            },
            {
                "name": "Write it down by way of a fact",
                "ansible.builtin.copy": {
                    "content": "{{ of_the_commit }}",
                    "dest": f"{self.folder}/{name}.subject",
                    "mode": "0600",
                },
            },
            *more,
        ]  # fmt: skip
        file = self.folder / f"{name}.yml"
        file.write_text(yaml.safe_dump(tasks), encoding="utf-8")
        return str(file)

    def log(self) -> list[Mapping[str, Any]]:
        file = self.folder / "log"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [json.loads(line) for line in lines if line]

    def titles(self) -> Sequence[str]:
        return [json.loads(request.body)["title"] for request in self.notifications]


@pytest.fixture
def hooked(sandbox: Sandbox, play: Play, namespace: str, tmp_path: Path) -> Iterator[Hooked]:
    upstream = Upstream(tmp_path / "git" / "fleet.git")
    with GitServer(tmp_path / "git") as server, GitServer(tmp_path / "none") as receiver:
        receiver.intercept = lambda _request: Reply(204)
        fleet = GitFleet(
            play, sandbox, {"url": server.url("fleet.git")}, namespace, tmp_path, upstream, server
        )
        (tmp_path / "address").write_text(receiver.url("team"), encoding="utf-8")
        yield Hooked(fleet, tmp_path, receiver.requests)


def test_the_operators_tasks_run_when_it_is_their_turn(hooked: Hooked, kubectl: Kubectl) -> None:
    names = ("before_sync", "after_sync", "on_drift", "on_failure")
    words: dict[str, Any] = {
        "plumb_hooks": {name: hooked.hook(name) for name in names},
        "plumb_notifications": [
            {"name": "team", "severity": "info", "webhook_url_file": str(hooked.folder / "address")}
        ],
    }
    fleet = hooked.fleet
    fleet.upstream.commit({"app": {"a.yaml": config_map("a")}}, "Begin")
    first = fleet.run(**words)
    assert first.code == 0, first.output
    assert [(entry["hook"], entry["apps"]) for entry in hooked.log()] == [
        ("before_sync", []),
        ("after_sync", ["app"]),
    ]
    assert hooked.titles() == ["here: 1 changed"]

    kubectl("label", "configmap", "a", "by=hand", "-n", fleet.namespace)
    kubectl(
        "patch", "configmap", "a", "-n", fleet.namespace, "--type=merge", "-p", '{"data": {"key": "other"}}'
    )
    assert fleet.run(**words).code == 0
    assert [entry["hook"] for entry in hooked.log()] == ["before_sync", "on_drift", "after_sync"]
    assert hooked.titles()[1:] == ["here: 1 drifted"]

    fleet.upstream.commit({"app": {"a.yaml": config_map("a"), "b.yaml": "kind: ConfigMap\n"}}, "Break it")
    failed = fleet.run(**words)
    assert failed.code == 2
    assert "b.yaml" in failed.output, "the report is printed all the same"
    seen = hooked.log()
    assert [entry["hook"] for entry in seen] == ["before_sync", "on_failure", "after_sync"]
    assert "b.yaml" in seen[1]["said"]
    assert hooked.titles()[2:] == ["here: 1 failed"]
    assert fleet.run(**words).code == 2
    assert len(hooked.titles()) == 3, "the same failure is sent once"


def test_a_task_of_the_operators_that_fails_hides_nothing(hooked: Hooked) -> None:
    fail = {"name": "Refuse", "ansible.builtin.fail": {"msg": "not on a Friday"}}
    hooked.fleet.upstream.commit({"app": {"a.yaml": config_map("a")}}, "Begin")
    gated = hooked.fleet.run(plumb_hooks={"before_sync": hooked.hook("before_sync", fail)})
    assert gated.code != 0
    assert "not on a Friday" in gated.output
    assert "+ ConfigMap" not in gated.output, "nothing is applied"
    after = hooked.fleet.run(plumb_hooks={"after_sync": hooked.hook("after_sync", fail)})
    assert after.code != 0
    assert "+ ConfigMap" in after.output


def test_49_what_git_says_stays_text_in_the_operators_tasks(hooked: Hooked) -> None:
    canary = hooked.folder / "canary"
    subject = f"{{{{ lookup('pipe', 'touch {canary}') }}}} {{% raw %}} $(touch {canary}) `touch {canary}`"
    hooked.fleet.upstream.commit(
        {"app": {"a.yaml": config_map("a"), "{{ x }}.yaml": f"kind: '{subject}'\n"}}, subject
    )
    words: dict[str, Any] = {
        "plumb_hooks": {"before_sync": hooked.hook("before_sync"), "on_failure": hooked.hook("on_failure")},
        "plumb_notifications": [{"name": "team", "webhook_url_file": str(hooked.folder / "address")}],
    }
    done = hooked.fleet.run("-vvv", **words)
    assert done.code == 2
    assert not canary.exists()
    seen = hooked.log()
    texts = [entry["subject"] for entry in seen]
    texts.append((hooked.folder / "on_failure.subject").read_text(encoding="utf-8"))
    assert [text[:150] for text in texts] == [subject[:150]] * 3  # of a long subject the end is cut
    (request,) = hooked.notifications
    assert (
        "lookup('pipe'" in json.loads(request.body)["news"][0]["text"] or "{{ x }}" in request.body.decode()
    )


def test_paths_of_hooks_are_absolute_and_words_are_checked(hooked: Hooked) -> None:
    output = hooked.fleet.run(plumb_hooks={"before_sync": "tasks.yml"}).output
    assert "hooks: before_sync is not an absolute path" in output
    assert "did you mean 'on_drift'" in hooked.fleet.run(plumb_hooks={"on_drft": "/x"}).output
    both = [{"name": "a", "webhook_url_file": "/x", "apprise_url_file": "/y"}]
    assert "mutually exclusive" in hooked.fleet.run(plumb_notifications=both).output
