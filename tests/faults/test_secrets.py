# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of Secrets show nowhere, whatever happens to them (row 59 of the list of faults)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.tests.support.ansible.play import Play, Played
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.faults.hidden_values import OF_GIT, Hidden, broken_secrets
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, secret


@dataclass(slots=True)
class Vault:
    """Plays on a folder of manifests; remembers each secret value given out, and all places where none may show."""

    play: Play
    sandbox: Sandbox
    namespace: str
    folder: Path
    hidden: Hidden = field(default_factory=Hidden)

    def value(self) -> str:
        """A new value that is easily found."""
        return self.hidden.value()

    def write(self, name: str, text: str, app: str = "app") -> None:
        file = self.folder / "git" / app / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def run(
        self,
        module: str,
        *words: str,
        task: Mapping[str, Any] | None = None,
        apps: Sequence[str] = ("app",),
        **options: Any,
    ) -> Played:
        """Run `diff` or `apply` on the apps of these folders as loudly as Ansible can, with a report file."""
        app = {"source": "git", "namespace": self.namespace, "wait": False}
        revision = {"commit": "0" * 40, "ref": "main", "subject": "Test"}
        variables = {
            "kubeconfig": str(self.sandbox.kubeconfig),
            "sources": [{"name": "git", "path": str(self.folder / "git"), "revision": revision}],
            "apps": [{**app, "name": name, "path": name, **options} for name in apps],
            "report_path": str(self.folder / "reports"),
        }
        tasks = [{f"plumb.gitops.{module}": variables, **(task or {})}]
        played = self.play.tasks(tasks, "-vvvv", "--diff", *words)
        return replace(played, output=f"{played.output}\n{json.dumps(played.results)}")

    def hits(self, *texts: str) -> list[str]:
        """Where a value shows, raw or in base64: in these texts, or in a file other than Git's own."""
        files = [file for file in self.folder.rglob("*") if file.is_file() and "git" not in file.parts[-3:-1]]
        of_git = [file for file in files if OF_GIT.intersection(file.parts)]
        assert all(file.stat().st_mode & 0o077 == 0 for file in of_git)
        places = {str(file): file.read_bytes() for file in files if file not in of_git}
        places |= {f"text {number}": text.encode() for number, text in enumerate(texts)}
        return [place for place, content in places.items() if self.hidden.shows(content)]

    def shown(self, text: str) -> str:
        """The text, if a value shows in it."""
        return text if self.hidden.shows(text.encode()) else ""


@pytest.fixture
def vault(play: Play, sandbox: Sandbox, namespace: str, tmp_path: Path) -> Vault:
    return Vault(play, sandbox, namespace, tmp_path)


def events(kubectl: Kubectl, namespace: str) -> str:
    return kubectl("get", "events", "-n", namespace, "-o", "json")


def test_row_59_the_search_finds_what_it_looks_for(vault: Vault) -> None:
    value = vault.value()
    for text in (value, *(base64.b64encode(f"{'y' * n}{value}\n".encode()).decode() for n in range(4))):
        assert vault.hits(f"password: {text}") == ["text 0"]
    assert vault.hits("nothing") == []


def test_row_59_a_secret_made_changed_drifted_and_pruned_shows_nowhere(
    vault: Vault, kubectl: Kubectl
) -> None:
    outputs: list[str] = []

    def run(module: str, *words: str, shown: Sequence[str] = ()) -> Mapping[str, Any]:
        played = vault.run(module, *words)
        outputs.append(played.output)
        assert not played.result.get("failed"), played.result.get("msg")
        assert [part for part in shown if part not in played.output] == []
        return played.result

    vault.write("s.yaml", secret("s", {"password": vault.value(), "user": vault.value()}))
    vault.write("c.yaml", config_map("c"))
    run("diff")
    run("apply", shown=["Secret", f"{vault.namespace}/s"])
    vault.write("s.yaml", secret("s", {"password": vault.value()}))
    run("apply", "--check", shown=["data.password", "data.user", "(hidden)"])
    run("apply", shown=["data.password", "(hidden)"])
    edited = json.dumps({"stringData": {"password": vault.value(), "added": vault.value()}})
    kubectl("patch", "secret", "s", "-n", vault.namespace, "-p", edited, "--field-manager=kubectl-edit")
    assert run("diff", shown=["data.password", "kubectl-edit"])["drifted"]
    assert run("apply", shown=["data.password", "kubectl-edit"])["drifted"]
    (vault.folder / "git" / "app" / "s.yaml").unlink()
    run("apply", shown=[f"{vault.namespace}/s"])
    assert kubectl.get("secret", "s", vault.namespace) is None
    assert vault.hits(*outputs, events(kubectl, vault.namespace)) == []


def test_row_59_an_adopted_secret_with_a_last_applied_annotation_shows_nowhere(
    vault: Vault, kubectl: Kubectl
) -> None:
    kubectl.apply(secret("s", {"password": vault.value()}, namespace=vault.namespace))
    vault.write("s.yaml", secret("s", {"password": vault.value()}))
    played = [vault.run("diff", adopt=True), vault.run("apply", adopt=True)]
    assert played[-1].results[0]["changed"], played[-1].results[0].get("msg")
    annotations = kubectl.live("secret", "s", vault.namespace)["metadata"]["annotations"]
    assert "kubectl.kubernetes.io/last-applied-configuration" not in annotations
    assert vault.hits(*(run.output for run in played)) == []


def messages_of(result: Mapping[str, Any], app: str) -> str:
    """All that a result says of one app."""
    return json.dumps([*(a for a in result["apps"] if a["name"] == app),
                       *(a for a in result["actions"] if a["app"] == app)])  # fmt: skip


@pytest.mark.parametrize("task", [{}, {"environment": {"PLUMB_TEST": "packed"}}], ids=["here", "packed"])
def test_row_59_secrets_that_fail_show_nowhere(vault: Vault, kubectl: Kubectl, task: dict[str, Any]) -> None:
    broken = broken_secrets(vault.value)
    for app, text in broken.items():
        vault.write("s.yaml", text, app)
    for words in ((), ("--check",)):
        played = vault.run("apply", *words, task=task, apps=tuple(broken))
        result = played.results[0]
        assert {app["name"] for app in result["apps"] if not app["failed"]} == set()
        assert [shown for app in broken if (shown := vault.shown(messages_of(result, app)))] == []
        assert vault.hits(played.output, events(kubectl, vault.namespace)) == []


def test_row_59_secrets_that_come_to_fail_show_nowhere(vault: Vault, kubectl: Kubectl) -> None:
    broken = {
        app: text
        for app, text in broken_secrets(vault.value).items()
        if app in {"bad-base64", "misspelt-field", "map-for-text", "bad-type", "bad-label", "too-long"}
    }
    for app in broken:
        vault.write("s.yaml", secret(app, {"old": vault.value()}), app)
    assert vault.run("apply", apps=tuple(broken)).results[0]["changed"]
    for app, text in broken.items():
        vault.write("s.yaml", text, app)
    played = vault.run("apply", apps=tuple(broken), recreate=True)
    result = played.results[0]
    assert [shown for app in broken if (shown := vault.shown(messages_of(result, app)))] == []
    assert vault.hits(played.output, events(kubectl, vault.namespace)) == []
    names = kubectl("get", "secret", "-n", vault.namespace, "-o", "name").split()
    assert set(names) >= {f"secret/{app}" for app in broken if app != "bad-type"}


def test_row_59_a_generated_secret_that_does_not_render_shows_nowhere(vault: Vault) -> None:
    value = vault.value()
    vault.write("values.env", f"password={value}\n=={vault.value()}\n")
    generator = {"name": "s", "envs": ["values.env"], "literals": [f"a={vault.value()}", vault.value()]}
    vault.write("kustomization.yaml", json.dumps({"secretGenerator": [generator]}))
    played = vault.run("diff")
    assert played.results[0].get("failed")
    assert vault.hits(played.output) == []
