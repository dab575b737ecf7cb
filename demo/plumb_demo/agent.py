# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent of one cluster: its process, its log, its reports."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import screen
from .errors import CheckFailed, DemoError
from .pod import Pod
from .programs import TOOLS, ending_with_us, environment

_PATIENCE = 90.0  # seconds until what has to come is given up
_VALUE = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
_RUNS = ("reconciled", "reconciled in part", "not reconciled")


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the agent's log: `time level  event  key=value ...`."""

    text: str

    @property
    def event(self) -> str:
        """What happened."""
        return self.text[29:].partition("  ")[0].strip()

    @property
    def values(self) -> Mapping[str, str]:
        """The values by key, without quotes."""
        return {
            key: json.loads(value) if value[:1] == '"' else value for key, value in _VALUE.findall(self.text)
        }

    @property
    def is_run(self) -> bool:
        """Whether it is about the end of a run."""
        return self.event in _RUNS


@dataclass(slots=True)
class Agent:
    """The process that the Pod would run; its log is a file, whose lines are printed while one is waited for."""

    name: str
    pod: Pod
    log: Path
    keep_running: bool
    process: subprocess.Popen[bytes] | None = None
    _shown: int = field(default=0)

    def start(self) -> None:
        """Start it; its log goes on where it ended."""
        words = dict(self.pod.environment) | {"PATH": f"{TOOLS}:{environment()['PATH']}"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.pod.command,
                env=words,
                cwd=self.pod.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=None if self.keep_running else ending_with_us(),  # noqa: PLW1509 - there are no threads
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, wait until it has ended, and return its exit code; negative for the signal that ended it."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        return self.process.wait(_PATIENCE)

    @property
    def pid(self) -> int:
        """The process id; 0 before the start."""
        return self.process.pid if self.process is not None else 0

    def skip_log(self) -> None:
        """Leave out what the log has up to now."""
        self._shown = len(self._lines())

    def wait_for_event(self, *events: str, runs: bool = False, **values: str) -> LogLine:
        """Print the log up to a line of one of these events (with RUNS: of any run) with these values; return it."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            for line in self._lines()[self._shown :]:
                self._shown += 1
                screen.print_output(line.text)
                meant = line.is_run if runs else line.event in events
                if meant and all(word in line.values.get(key, "") for key, word in values.items()):
                    return line
            if self.process is None or self.process.poll() is not None:
                raise DemoError(f"The agent of {self.name} has ended; its log is {self.log}.")
            if time.monotonic() > deadline:
                wanted = " or ".join(events) or "a run"
                raise CheckFailed(
                    f"The agent of {self.name} does not say {wanted} {values or ''} in {_PATIENCE:.0f} s."
                )
            time.sleep(0.05)

    def wait_for_run(self, **values: str) -> LogLine:
        """Print the log up to the end of a run with these values; return that line."""
        return self.wait_for_event(runs=True, **values)

    def report(self) -> dict[str, Any]:
        """Return the newest report."""
        newest = max((self.pod.reports / self.name).glob("*.json"))
        return dict(json.loads(newest.read_text(encoding="utf-8")))

    def status(self) -> dict[str, Any]:
        """Return its status of its cluster."""
        status, text = self.get("/api/v1/status")
        if status != 200:
            raise CheckFailed(
                f"The agent of {self.name} answers {status} when it is asked for its status: {text}"
            )
        (cluster,) = json.loads(text)["clusters"]
        return dict(cluster)

    def get(self, path: str) -> tuple[int, str]:
        """Send a GET; return status and text."""
        request = urllib.request.Request(f"http://{self.pod.address}{path}")
        request.add_header("Authorization", f"Bearer {self.pod.token}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            raise CheckFailed(f"The agent of {self.name} does not answer at {path}: {error}") from error

    def _lines(self) -> list[LogLine]:
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return [LogLine(line) for line in text[: text.rfind("\n") + 1].splitlines()]
