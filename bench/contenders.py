# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is measured: each brings the same fleet to a namespace of its own, in the way its users do."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

from ansible_collections.plumb.gitops.bench.environment import COLLECTIONS, TOOLS, clean_environment
from ansible_collections.plumb.gitops.bench.process import CommandFailed, Ran, run
from ansible_collections.plumb.gitops.bench.results import Scenario
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import Repository, new_repository

FLOOR = "floor"
PLUMB = "Plumb"
KUBECTL = "kubectl"
MODULE = "kubernetes.core"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchFleet:
    """What a contender is to bring to its namespace: files by path below `folder`, one folder for each app."""

    namespace: str
    folder: Path
    files: Mapping[str, str]
    apps: Sequence[str]

    def write(self, files: Mapping[str, str]) -> None:
        """Write files below the folder."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class PlayedScenario:
    """What ran, and the seconds of the work alone where the contender says so."""

    ran: Ran
    work: float | None = None


class Contender(Protocol):
    """Set up once for each fleet, then run for each scenario that it knows."""

    name: str
    scenarios: frozenset[Scenario]

    def set_up(self, fleet: BenchFleet) -> None:
        """Set the contender up; this is not measured."""

    def change(self, files: Mapping[str, str]) -> None:
        """Replace these files of the fleet; this is not measured."""

    def play(self, scenario: Scenario) -> PlayedScenario:
        """Play a scenario; this is measured. Raises CommandFailed."""


@dataclass(slots=True)
class Floor:
    """Raw requests: see floor.py."""

    sandbox: Sandbox
    home: Path
    name: str = FLOOR
    scenarios: frozenset[Scenario] = frozenset({Scenario.FIRST, Scenario.AGAIN})
    fleet: BenchFleet = field(init=False)

    def set_up(self, fleet: BenchFleet) -> None:
        """Write the fleet's files."""
        self.fleet = fleet
        fleet.write(fleet.files)

    def change(self, files: Mapping[str, str]) -> None:
        """Write these files."""
        self.fleet.write(files)

    def play(self, scenario: Scenario) -> PlayedScenario:
        """Run floor.py."""
        ran = run(
            [
                sys.executable,
                "-m",
                "ansible_collections.plumb.gitops.bench.floor",
                "apply" if scenario is Scenario.FIRST else "list",
                str(self.sandbox.kubeconfig),
                str(self.fleet.folder),
                self.fleet.namespace,
            ],
            environment=clean_environment(self.home),
            folder=self.home,
        )
        return PlayedScenario(ran, json.loads(ran.output)["seconds"])


@dataclass(slots=True)
class KubectlContender:
    """`kubectl apply --server-side` on the folder, and `kubectl diff --server-side`."""

    sandbox: Sandbox
    home: Path
    name: str = KUBECTL
    scenarios: frozenset[Scenario] = frozenset(
        {Scenario.FIRST, Scenario.AGAIN, Scenario.CHECK, Scenario.CHANGED}
    )
    fleet: BenchFleet = field(init=False)

    def set_up(self, fleet: BenchFleet) -> None:
        """Write the fleet's files."""
        self.fleet = fleet
        fleet.write(fleet.files)

    def change(self, files: Mapping[str, str]) -> None:
        """Write these files."""
        self.fleet.write(files)

    def play(self, scenario: Scenario) -> PlayedScenario:
        """Run kubectl."""
        verb = "diff" if scenario is Scenario.CHECK else "apply"
        named = ("--kubeconfig", str(self.sandbox.kubeconfig))
        words = [
            str(TOOLS / "kubectl"),
            verb,
            *named,
            "--server-side",
            "--recursive",
            "-f",
            str(self.fleet.folder),
        ]
        return PlayedScenario(run(words, environment=clean_environment(self.home), folder=self.home))


@dataclass(slots=True)
class K8sModule:
    """One task with kubernetes.core's `k8s`, `apply: true`, all objects in one file."""

    sandbox: Sandbox
    home: Path
    tools: Path
    name: str = MODULE
    scenarios: frozenset[Scenario] = frozenset({Scenario.FIRST, Scenario.AGAIN, Scenario.CHECK})
    fleet: BenchFleet = field(init=False)

    def set_up(self, fleet: BenchFleet) -> None:
        """Write a playbook of one task, and all objects as one file."""
        self.fleet = fleet
        fleet.folder.mkdir(parents=True)
        self._write(fleet.files)
        task = {
            "name": "Apply the fleet",
            "kubernetes.core.k8s": {
                "kubeconfig": str(self.sandbox.kubeconfig),
                "src": str(fleet.folder / "all.yaml"),
                "state": "present",
                "apply": True,
            },
        }
        play = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": str(self.tools / "python")},
            "tasks": [task],
        }
        (fleet.folder / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")

    def change(self, files: Mapping[str, str]) -> None:
        """Write all objects with these files instead."""
        self._write({**self.fleet.files, **files})

    def _write(self, files: Mapping[str, str]) -> None:
        (self.fleet.folder / "all.yaml").write_text("---\n".join(files.values()), encoding="utf-8")

    def play(self, scenario: Scenario) -> PlayedScenario:
        """Run the playbook."""
        check = ("--check", "--diff") if scenario is Scenario.CHECK else ()
        words = [
            str(self.tools / "ansible-playbook"),
            "-i",
            "localhost,",
            str(self.fleet.folder / "play.yml"),
            *check,
        ]
        return PlayedScenario(run(words, environment=clean_environment(self.home), folder=self.home))


@dataclass(slots=True)
class Plumb:
    """`ansible-playbook plumb.gitops.reconcile` on a repository on the forge; the work is what its report says."""

    sandbox: Sandbox
    home: Path
    name: str = PLUMB
    scenarios: frozenset[Scenario] = frozenset(Scenario)
    fleet: BenchFleet = field(init=False)
    repository: Repository = field(init=False)

    def set_up(self, fleet: BenchFleet) -> None:
        """Make a repository of the fleet's files, and an inventory."""
        self.fleet = fleet
        self.repository = new_repository(self.sandbox, fleet.namespace, fleet.folder)
        self.repository.commit(fleet.files, "Add the fleet")
        source = {
            "name": fleet.namespace,
            "url": self.repository.url,
            "branch": "main",
            "token_file": str(self.repository.token_file),
        }
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "plumb_kubeconfig": str(self.sandbox.kubeconfig),
            "plumb_sources": [source],
            "plumb_apps": [self._app(name) for name in fleet.apps],
            "plumb_report_path": str(self._report),
        }
        inventory = {"plumb_clusters": {"hosts": {"bench": variables}}}
        self._inventory.write_text(yaml.safe_dump(inventory, sort_keys=False), encoding="utf-8")

    def _app(self, name: str) -> dict[str, Any]:
        # Nobody else waits, and without controllers there is nothing to wait for.
        namespace = self.fleet.namespace
        return {"name": name, "source": namespace, "path": name, "namespace": namespace, "wait": False}

    @property
    def _inventory(self) -> Path:
        return self.home / f"{self.fleet.namespace}.yml"

    @property
    def _report(self) -> Path:
        return self.home / f"{self.fleet.namespace}-report.json"

    def change(self, files: Mapping[str, str]) -> None:
        """Commit these files and push."""
        self.repository.commit(files, "Change one object")

    def play(self, scenario: Scenario) -> PlayedScenario:
        """Run the playbook, and check by its report that it did what the scenario says."""
        if scenario is Scenario.COLD:
            self._clear_caches()
        check = ("--check", "--diff") if scenario is Scenario.CHECK else ()
        ran = run(
            [str(TOOLS / "ansible-playbook"), "plumb.gitops.reconcile", "-i", str(self._inventory), *check],
            environment=clean_environment(self.home, ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS)),
            folder=self.home,
        )
        report = json.loads(self._report.read_text(encoding="utf-8"))
        self._check(scenario, report)
        return PlayedScenario(ran, report["seconds"])

    def _clear_caches(self) -> None:
        """Remove all that Plumb keeps, but for its clones."""
        for entry in (self.home / "cache" / "plumb").iterdir():
            if entry.name != "sources":
                shutil.rmtree(entry)

    def _check(self, scenario: Scenario, report: Mapping[str, Any]) -> None:
        """Raise CommandFailed for a run that did something else than the scenario says."""
        counts = report["counts"]
        wanted = {Scenario.FIRST: "create", Scenario.CHANGED: "update"}.get(scenario, "unchanged")
        if report["failed"] or not counts.get(wanted):
            raise CommandFailed(f"Plumb: {scenario.value}: {counts}")
        if wanted == "unchanged" and report["changed"]:
            raise CommandFailed(f"Plumb: {scenario.value}, and it changed something: {counts}")
