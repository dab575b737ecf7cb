# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run `plumb.gitops.reconcile` as a user does, and show what it says."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from . import screen
from .forge import Forge
from .place import COLLECTIONS, INVENTORY, TOOLS, Place, started
from .sandbox import Sandbox

# What Ansible prints around what Plumb says, and after it.
_SCAFFOLDING = re.compile(r"\s*$|(PLAY|TASK|RUNNING HANDLER) \[|(ok|changed|skipping|included): ")
_END = re.compile(r"PLAY RECAP|\[ERROR\]: Task failed|fatal: ")
_NEW_OBJECT = re.compile(r"\s+\+ (\w+) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the playbook."""

    status: int
    text: str
    seconds: float
    report: Any  # the parsed report; None if the run wrote none


def write_inventory(place: Place, sandbox: Sandbox, forge: Forge) -> None:
    """demo/inventory.yml with what only the running sandbox knows."""
    inventory = yaml.safe_load(INVENTORY.read_text(encoding="utf-8"))
    group = inventory["plumb_clusters"]
    group["hosts"]["sandbox"] = {
        "plumb_kubeconfig": str(sandbox.kubeconfig),
        "plumb_context": sandbox.context,
    }
    source = group["vars"]["plumb_sources"][0]
    group["vars"]["plumb_sources"] = [
        {**source, "url": forge.clone_url, "token_file": str(sandbox.forge_token_file)}
    ]
    place.ansible_config.write_text("[defaults]\n", encoding="utf-8")
    place.inventory.write_text(yaml.safe_dump(inventory, sort_keys=False), encoding="utf-8")


@dataclass(slots=True)
class Reconciler:
    """Runs the playbook; keeps each run's whole output and report in the demo's folder."""

    place: Place
    runs: int = 0

    def reconcile(self, *options: str) -> Run:
        """Run it once and show what it says. A failure of the playbook is a result, not an error."""
        self.runs += 1
        report = self.place.root / f"report-{self.runs}.json"
        screen.command(" ".join(("ansible-playbook -i inventory.yml plumb.gitops.reconcile", *options)))
        words = (
            str(TOOLS / "ansible-playbook"),
            *("--inventory", str(self.place.inventory)),
            *("--extra-vars", json.dumps({"plumb_report_path": str(report)})),
            *options,
            "plumb.gitops.reconcile",
        )
        transcript = _Transcript()
        start = time.monotonic()
        with started(
            words, env=_environment(self.place), cwd=self.place.root, stderr=subprocess.STDOUT
        ) as process:
            transcript.show(process.stdout or ())
        seconds = time.monotonic() - start
        text = "".join(transcript.lines)
        self.place.log(f"run-{self.runs}").write_text(text, encoding="utf-8")
        screen.took("That", seconds)
        return Run(status=process.returncode, text=text, seconds=seconds, report=_read_report(report))


def _environment(place: Place) -> dict[str, str]:
    """The checked-out collection, nobody's own Ansible settings, and all that is written in the demo's folder."""
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(place.ansible_config),
        "ANSIBLE_HOME": str(place.root / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_NOCOWS": "true",
        "XDG_CACHE_HOME": str(place.root / "cache"),
    }


def _read_report(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


@dataclass(slots=True)
class _Transcript:
    """All that a run says, of which `show` shows what is Plumb's own."""

    lines: list[str] = field(default_factory=list)

    def show(self, stream: Iterable[str]) -> None:
        """Show lines as they come; new objects of one kind as the first one and the number of the others."""
        for kind, group in groupby(self._own(stream), _new_kind):
            for line in _summed_up(list(group), kind) if kind else group:
                screen.output(line)

    def _own(self, stream: Iterable[str]) -> Iterator[str]:
        over = False
        for line in stream:
            self.lines.append(line)
            over = over or _END.match(line) is not None
            if not over and not _SCAFFOLDING.match(line):
                yield line.rstrip()


def _new_kind(line: str) -> str:
    """The kind of the new object that a line is about; empty for any other line."""
    found = _NEW_OBJECT.match(line)
    return found[1] if found else ""


def _summed_up(lines: Sequence[str], kind: str) -> Sequence[str]:
    return lines if len(lines) < 3 else [lines[0], f"    + ... and {len(lines) - 1} more of {kind}"]
