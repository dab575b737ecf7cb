# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook for tests: modules and playbooks as users run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.plumb.gitops.tests.sandbox_session import Sandbox

_ROOT = Path(__file__).resolve().parent.parent
_COLLECTIONS = _ROOT / ".venv" / "collections"


@dataclass(frozen=True, slots=True)
class Played:
    """What a run of ansible-playbook came to."""

    code: int
    output: str  # standard output and error
    results: Sequence[Mapping[str, Any]] = ()

    @property
    def result(self) -> Mapping[str, Any]:
        """The result of the only task."""
        (result,) = self.results
        return result


@dataclass(slots=True)
class Play:
    """Runs modules and playbooks of the collection in a folder of the test's own."""

    folder: Path
    environment: dict[str, str]
    sandbox: Sandbox

    def module(self, name: str, options: Mapping[str, Any], *words: str) -> Played:
        """Run one module as one task; `words` are options of ansible-playbook, such as `--check`."""
        return self.tasks([{f"plumb.gitops.{name}": dict(options)}], *words)

    def tasks(self, tasks: Sequence[Mapping[str, Any]], *words: str) -> Played:
        """Run these tasks on localhost and return each one's result, failed ones too."""
        names = [f"outcome_{index}" for index in range(len(tasks))]
        written: list[Mapping[str, Any]] = [
            {"name": f"Task {name}", **task, "register": name, "ignore_errors": True}
            for name, task in zip(names, tasks, strict=True)
        ]
        kept = self.folder / "results.json"
        written.append(
            {
                "name": "Keep the results",
                "ansible.builtin.copy": {
                    "content": f"{{{{ [{', '.join(names)}] | to_json }}}}",
                    "dest": str(kept),
                    "mode": "0600",
                },
                "check_mode": False,
                "diff": False,
                "no_log": True,
            }
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        book = self.folder / "play.yml"
        header = {"hosts": "localhost", "connection": "local", "gather_facts": False}
        header["vars"] = {"ansible_python_interpreter": sys.executable}
        book.write_text(yaml.safe_dump([{**header, "tasks": written}], sort_keys=False), encoding="utf-8")
        played = self.playbook(str(book), "-i", "localhost,", *words)
        results = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else []
        kept.unlink(missing_ok=True)
        return Played(played.code, played.output, results)

    def playbook(self, name: str, *words: str) -> Played:
        """Run a playbook by path, or by the name that it has in the collection."""
        self.folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), name, *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={
                **{
                    k: v
                    for k, v in self.environment.items()
                    if not k.startswith(("ANSIBLE_", "K8S_AUTH_", "PLUMB_"))
                },
                "ANSIBLE_COLLECTIONS_PATH": str(_COLLECTIONS),
                "ANSIBLE_NOCOLOR": "1",
                "XDG_CACHE_HOME": str(self.folder / "cache"),
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            },
        )
        return Played(done.returncode, done.stdout)
