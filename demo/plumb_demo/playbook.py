# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run `plumb.gitops.reconcile` as a user does, and show what it says."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from . import screen
from .forge import Forge
from .place import COLLECTIONS, INVENTORY, TOOLS, Place, started
from .sandbox import Sandbox

# What Ansible prints around what Plumb says.
_SCAFFOLDING = re.compile(
    r"^\s*$|^(PLAY|TASK|RUNNING HANDLER) \[|^(ok|changed|skipping|included): |^PLAY RECAP"
)
_MOST_LINES = 40


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
        start = time.monotonic()
        with started(
            words, env=_environment(self.place), cwd=self.place.root, stderr=subprocess.STDOUT
        ) as process:
            text = "".join(_shown(process.stdout or ()))
        seconds = time.monotonic() - start
        self.place.log(f"run-{self.runs}").write_text(text, encoding="utf-8")
        screen.took("That", seconds)
        return Run(status=process.returncode, text=text, seconds=seconds, report=_read_report(report))


def _environment(place: Place) -> dict[str, str]:
    """The checked-out collection, nobody's own Ansible settings, and all that is written in the demo's folder."""
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": "/dev/null",
        "ANSIBLE_HOME": str(place.root / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_NOCOWS": "true",
        "XDG_CACHE_HOME": str(place.root / "cache"),
    }


def _read_report(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _shown(lines: Iterable[str]) -> Iterator[str]:
    """Pass the lines on as they come, and show those that are Plumb's own."""
    shown = 0
    recap = False
    for line in lines:
        recap = recap or line.startswith("PLAY RECAP")
        if not recap and not _SCAFFOLDING.match(line):
            shown += 1
            if shown <= _MOST_LINES:
                screen.output(line.rstrip())
        yield line
    if shown > _MOST_LINES:
        screen.output(f"... and {shown - _MOST_LINES} lines more")
