# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent for tests: a process as users run it, its log, its files and its process tree."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.plumb.gitops.controller.runner.processes import descendants

_MODULE = "ansible_collections.plumb.gitops.controller"
_PATIENCE = 120.0  # seconds; a bound against hanging, not an expectation
_ENDED = (" reconciled ", " reconciled in part ", " not reconciled ")


def until(holds: Callable[[], Any], what: str, seconds: float = _PATIENCE) -> Any:
    """Wait until something holds, and return it; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)
    return value


def command_of(pid: int) -> str:
    """Return the command line of a process; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


@dataclass(slots=True)
class AgentProcess:
    """An agent with files of its own below `folder`; it is started and stopped by the test."""

    folder: Path
    words: dict[str, Any] = field(default_factory=dict)
    module: str = _MODULE
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        token = self.folder / "http-token"
        token.write_text("sesame-sesame-sesame", encoding="utf-8")
        token.chmod(0o600)
        self.words = {
            "inventory": str(self.folder / "inventory.yml"),
            "state_dir": str(self.folder / "state"),
            "interval": "1h",
            "poll_interval": "1s",
            "watch": False,  # tests of watches take it out
            "http": {"listen": f"127.0.0.1:{_free_port()}", "token_file": str(token)},
            **self.words,
        }
        self.configure()

    @property
    def state(self) -> Path:
        """The agent's state folder."""
        return self.folder / "state"

    @property
    def runtime(self) -> Path:
        """The folder of its runs."""
        return Path(self.words.get("runtime_dir", self.folder / "run"))

    @property
    def pid(self) -> int:
        """The process id."""
        assert self.process is not None
        return self.process.pid

    def configure(self, **words: Any) -> None:
        """Write the configuration with these words changed."""
        self.words |= words
        (self.folder / "agent.yml").write_text(yaml.safe_dump(self.words), encoding="utf-8")

    def inventory(self, hosts: Mapping[str, Any], **variables: Any) -> None:
        """Write the inventory: clusters with their variables, and those that all have."""
        group = {"plumb_clusters": {"hosts": dict(hosts), "vars": variables}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(group), encoding="utf-8")

    def start(self) -> None:
        """Start it; it reads configuration and inventory."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, "--config", str(self.folder / "agent.yml")],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, wait until it has ended, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(_PATIENCE)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def tree(self) -> list[int]:
        """Return what it has started that still runs."""
        return [entry.pid for entry in descendants(self.pid) if entry.state != "Z"]

    def at_work(self) -> list[int]:
        """Return what it has started that does something: all but the process that waits to fork runs."""
        waits = {
            entry.pid
            for entry in descendants(self.pid)
            if entry.parent == self.pid and "fork_server" in command_of(entry.pid)
        }
        return [pid for pid in self.tree() if pid not in waits]

    def lines(self) -> list[str]:
        """Return the log so far."""
        return (self.folder / "log").read_text(encoding="utf-8").splitlines()

    def runs(self, cluster: str = "here") -> list[str]:
        """Return the lines of the runs of a cluster."""
        wanted = f" cluster={cluster} "
        return [line for line in self.lines() if wanted in line and any(word in line for word in _ENDED)]

    def await_line(self, *words: str, after: int = 0) -> str:
        """Wait for a line with all these words, beyond the first `after` lines."""

        def matching_line() -> str:
            assert self.process is not None
            assert self.process.poll() is None, "\n".join(self.lines())
            return next((line for line in self.lines()[after:] if all(word in line for word in words)), "")

        try:
            line: str = until(matching_line, " ".join(words))
        except AssertionError as error:
            raise AssertionError(f"{error}; the log:\n" + "\n".join(self.lines())) from None
        return line

    def await_run(self, cluster: str = "here", more_than: int = 0) -> str:
        """Wait until more than so many runs of a cluster have ended; return the line of the last."""
        runs: list[str] = until(
            lambda: lines if len(lines := self.runs(cluster)) > more_than else None, f"a run of {cluster}"
        )
        return runs[-1]

    def command(self, *words: str) -> tuple[int, str]:
        """Run a command of the agent; return exit code and output."""
        done = subprocess.run(
            [sys.executable, "-m", _MODULE, "--config", str(self.folder / "agent.yml"), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={**os.environ, **self.environment},
        )
        return done.returncode, done.stdout

    def get(self, path: str, token: str = "", body: bytes | None = None) -> tuple[int, str]:
        """Send a GET, or with a body a POST; return status and body."""
        request = urllib.request.Request(f"http://{self.words['http']['listen']}{path}", data=body)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def series(self) -> dict[str, float]:
        """Return the metrics by name with labels."""
        _status, text = self.get("/metrics")
        pairs = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _blank, value in pairs}

    def resident(self) -> int:
        """Return resident memory in bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="utf-8").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def running(agent: AgentProcess) -> Iterator[AgentProcess]:
    """Yield the agent from start to end, whatever the test comes to."""
    agent.start()
    try:
        yield agent
    finally:
        if agent.process is not None and agent.process.poll() is None:
            agent.end(signal.SIGKILL)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
