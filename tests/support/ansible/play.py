# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook for tests: modules and playbooks as users run them."""

from __future__ import annotations

import atexit
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox

_ROOT = Path(__file__).resolve().parents[3]
_COLLECTIONS = _ROOT / ".venv" / "collections"
# A module that writes a file would take longer than most of what is tested.
_KEEP = """
from pathlib import Path

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        Path(self._task.args["file"]).write_text(self._task.args["text"], encoding="utf-8")
        return super().run(tmp, task_vars)
"""


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
    """Runs modules and playbooks of the collection in a folder of the test's own.

    Each run is a fork of a process that has Ansible imported, unless `environment` has something to say.
    """

    folder: Path
    sandbox: Sandbox
    environment: dict[str, str] = field(default_factory=dict)  # variables of the test's own

    def module(self, name: str, options: Mapping[str, Any], *words: str) -> Played:
        """Run one module as one task; `words` are options of ansible-playbook, such as `--check`."""
        return self.tasks([{f"plumb.gitops.{name}": dict(options)}], *words)

    def tasks(self, tasks: Sequence[Mapping[str, Any]], *words: str) -> Played:
        """Run these tasks on localhost and return each one's result, failed ones too."""
        self.folder.mkdir(parents=True, exist_ok=True)
        names = [f"outcome_{index}" for index in range(len(tasks))]
        written: list[Mapping[str, Any]] = [
            {"name": f"Task {name}", **task, "register": name, "ignore_errors": True}
            for name, task in zip(names, tasks, strict=True)
        ]
        file = self.folder / "results.json"
        written.append(
            {
                "name": "Keep the results",
                "keep": {"text": f"{{{{ [{', '.join(names)}] | to_json }}}}", "file": str(file)},
                "check_mode": False,
                "no_log": True,
            }
        )
        plugin = self.folder / "action_plugins" / "keep.py"
        plugin.parent.mkdir(exist_ok=True)
        plugin.write_text(_KEEP, encoding="utf-8")
        book = self.folder / "play.yml"
        header = {"hosts": "localhost", "connection": "local", "gather_facts": False}
        header["vars"] = {"ansible_python_interpreter": sys.executable}
        book.write_text(yaml.safe_dump([{**header, "tasks": written}], sort_keys=False), encoding="utf-8")
        played = self.playbook(str(book), "-i", "localhost,", *words)
        outcomes = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
        file.unlink(missing_ok=True)
        return Played(played.code, played.output, outcomes)

    def playbook(self, name: str, *words: str) -> Played:
        """Run a playbook by path, or by the name that it has in the collection."""
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **_of_this_process(),
            **self.environment,
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }
        with tempfile.NamedTemporaryFile() as output:
            if not self.environment:
                code = _fork_server().run([name, *words], self.folder, environment, output.name)
            else:  # they may matter to Ansible's imports
                words = (str(Path(sys.executable).parent / "ansible-playbook"), name, *words)
                code = subprocess.run(
                    words, cwd=self.folder, env=environment, check=False, stdout=output, stderr=output
                ).returncode
            output.seek(0)
            return Played(code, output.read().decode())


@dataclass(frozen=True, slots=True)
class _ForkServer:
    """playbook_server.py, as long as this process lives."""

    socket: socket.socket
    folder: tempfile.TemporaryDirectory[str]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], output: str) -> int:
        """Run ansible-playbook and return its exit code; `output` is the path of the file for its output."""
        environment = {**environment, "ANSIBLE_LOCAL_TEMP": f"{self.folder.name}/tmp"}
        call = {"arguments": list(arguments), "environment": environment, "output": output}
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, self.lock:
                socket.send_fds(self.socket, [os.fsencode(folder)], [theirs.fileno()])
                while "ended" in (message := json.loads(self.socket.recv(4096))):  # an earlier run
                    pass
            assert "begun" in message, message
            with ours.makefile("rw", encoding="utf-8") as run:
                json.dump(call, run)
                run.flush()
                ours.shutdown(socket.SHUT_WR)
                return int(json.load(run))


@functools.cache
def _fork_server() -> _ForkServer:
    folder = tempfile.TemporaryDirectory(prefix="plumb-playbooks-")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.playbook_server", str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd=folder.name,
            env={**_of_this_process(), "ANSIBLE_LOCAL_TEMP": f"{folder.name}/tmp"},
        )  # fmt: skip
    atexit.register(process.wait)
    atexit.register(process.terminate)  # done first
    return _ForkServer(ours, folder)


def _of_this_process() -> dict[str, str]:
    """Return the environment without what would have Ansible, the modules or Plumb do something else."""
    foreign = ("ANSIBLE_", "K8S_AUTH_", "PLUMB_")
    ours = {"ANSIBLE_COLLECTIONS_PATH": str(_COLLECTIONS), "ANSIBLE_NOCOLOR": "1"}
    return {k: v for k, v in os.environ.items() if not k.startswith(foreign)} | ours
