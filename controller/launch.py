# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The child process of one run: exactly one ansible-runner run, and nothing of it is left when the process ends.

It reads a `Job` from standard input and writes an `Ending` to standard output, both JSON. All that takes time and does
not depend on the job is done before: Ansible is started, and waits with its imports done (guarded.py). So a process
that was started ahead runs its job at once. ansible-runner is imported here and not in the agent, which stays small;
what a run leaves in memory goes with the process.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from ansible_collections.plumb.gitops.controller.processes import adopt_orphans, end_descendants, end_with
from ansible_collections.plumb.gitops.controller.reports import findings_of, read_report, summary_of
from ansible_collections.plumb.gitops.controller.story import story_of
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError, printable

GUARDED = "ansible_collections.plumb.gitops.controller.guarded"
_MOST_FAILURES = 20
_CHECK = "plumb.gitops.check_inventory"
_ANSWERS = frozenset({f"plumb.gitops.{name}" for name in ("commit_status", "images", "notify", "preview")})
_FAILED = frozenset({"runner_on_failed", "runner_on_unreachable", "runner_item_on_failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to run; variables hold paths and checked names only."""

    playbook: str
    inventory: str
    limit: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    report: str = ""  # where the playbook writes its report, if it does


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What came of it: exit code, what failed (a line each), settings by host, and the report in brief."""

    code: int
    failures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()  # what could not be told to others
    pushed: tuple[str, ...] = ()  # the branches that got commits with new images
    settings: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] | None = None
    findings: Mapping[str, Any] | None = None  # see reports.findings_of
    story: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Listener:
    """Takes what matters from Ansible's events. Of a result only the message is kept: the rest may quote anything."""

    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    pushed: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def hear(self, event: Mapping[str, Any]) -> bool:
        """Take one event; False, so that it is not kept in a file."""
        kind, data = event.get("event"), event.get("event_data") or {}
        if kind in _FAILED and not data.get("ignore_errors"):
            self._say(f"{data.get('host')}: {data.get('task')}", data.get("res") or {})
        elif kind == "runner_on_ok" and data.get("task_action") in _ANSWERS:
            said = (data.get("res") or {}).get("warnings") or ()
            self.warnings += [printable(str(line)) for line in said]
            self.pushed += [
                str(branch["branch"])
                for update in (data.get("res") or {}).get("updates") or ()
                for branch in update["branches"]
                if branch["commit"]
            ]
        elif kind == "runner_on_ok" and data.get("task_action") == _CHECK:
            found = (data.get("res") or {}).get("settings")
            if isinstance(found, Mapping):
                self.settings[str(data.get("host"))] = found
        elif kind in {"error", "verbose"}:
            self._said_outside_tasks(str(event.get("stdout") or ""))
        return False

    def _say(self, where: str, result: Mapping[str, Any]) -> None:
        said = result.get("censored") or result.get("msg") or "it failed and gave no reason"
        self.failures += [
            f"{where}: {printable(line)}" for line in str(said).splitlines()[:5] if line.strip()
        ]

    def _said_outside_tasks(self, text: str) -> None:
        """Keep the first line of an error. Those below it quote the file, which may hold a secret."""
        first = printable(text.lstrip().partition("\n")[0])
        if "ERROR" in first[:20]:
            self.failures.append(first)


@dataclass(slots=True)
class Order:
    """The job, which comes when it comes; it is passed on to Ansible, which waits for it at the other end of `gate`."""

    gate: Path
    job: Job | None = None

    def take(self) -> None:
        """Wait for the job. Without one, because whoever would give it has gone, this process ends."""
        said = sys.stdin.read()
        if not said:
            _end_all(signal.SIGTERM, None)
        self.job = Job(**json.loads(said))
        with self.gate.open("w", encoding="utf-8") as gate:  # waits until Ansible has come so far
            json.dump(_arguments(self.job), gate)


def _arguments(job: Job) -> list[str]:
    limit = ["--limit", job.limit] if job.limit else []
    variables = ["--extra-vars", json.dumps(dict(job.variables))] if job.variables else []
    return ["--inventory", job.inventory, *limit, "--forks", "1", *variables, job.playbook]


def run(place: Path) -> Ending:
    """Start Ansible, run the playbook of the job as soon as that is known, and say what came of it.

    `place` is a folder of this run's own, mode 0700.
    """
    import ansible_runner  # noqa: PLC0415 - dear, and only this process needs it

    listener, order = Listener(), Order(place / "gate")
    os.mkfifo(order.gate, 0o600)
    (place / "project").mkdir(mode=0o700)
    runner = ansible_runner.interface.init_runner(
        private_data_dir=str(place),
        ident="run",
        playbook="of the job",
        quiet=True,
        suppress_env_files=True,
        fact_cache_type="",
        event_handler=listener.hear,
        status_handler=_forget_command,
        cancel_callback=lambda: False,
    )
    # Settings for these are read from the files that are not written.
    runner.config.suppress_output_file = True
    runner.config.suppress_ansible_output = True
    runner.config.command = [sys.executable, "-P", "-m", GUARDED, str(os.getpid()), str(order.gate)]
    taking = threading.Thread(target=order.take, daemon=True)
    taking.start()
    runner.run()  # in this thread: the kernel ends a child with the thread that started it
    if order.job is None:
        taking.join()
    return _ending(order.job, runner.rc, listener)


def _ending(job: Job | None, code: int | None, listener: Listener) -> Ending:
    summary, findings, story, failures = None, None, None, listener.failures
    if job is not None and job.report and Path(job.report).exists():
        try:
            document = read_report(Path(job.report))
            summary, findings, story = summary_of(document), findings_of(document), story_of(document)
        except PlumbError as error:
            failures.append(str(error))
    return Ending(
        code=code if code is not None else 254,
        failures=tuple(failures[:_MOST_FAILURES]),
        warnings=tuple(dict.fromkeys(listener.warnings))[:_MOST_FAILURES],
        pushed=tuple(dict.fromkeys(listener.pushed)),
        settings=listener.settings,
        summary=summary,
        findings=findings,
        story=story,
    )


def _forget_command(status: Mapping[str, Any], runner_config: Any) -> None:
    """Remove the file with the environment before anything runs: a proxy's address may hold a password."""
    if status.get("status") == "running":
        (Path(runner_config.artifact_dir) / "command").unlink(missing_ok=True)


def _end_all(number: int, _frame: FrameType | None) -> None:
    end_descendants(os.getpid())
    os._exit(128 + number)


def main() -> None:
    """Run one job; the arguments are the parent's process id, and the folder of the run."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever is printed on the way is no answer
    signal.signal(signal.SIGTERM, _end_all)
    adopt_orphans()
    end_with(int(sys.argv[1]), signal.SIGTERM)
    try:
        ending = run(Path(sys.argv[2]))
    except Exception as error:  # noqa: BLE001 - the only exit of this process; a traceback could quote anything
        ending = Ending(
            code=254, failures=(f"ansible-runner: {type(error).__name__}: {printable(str(error))}",)
        )
    end_descendants(os.getpid())
    with answer:
        json.dump(dataclasses.asdict(ending), answer)


if __name__ == "__main__":
    main()
