# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one run does, in a process of its own: exactly one ansible-runner run, and the digest of its report."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError, printable

from ..core.run_protocol import RunJob, RunOutcome
from .event_listener import EventListener
from .playbook_process import serve_shim
from .processes import end_descendants
from .report_digest import digest_of
from .reports import read_report

_SHIM = Path(__file__).with_name("runner_shim.py")
# In the folder of a run. The path of a Unix socket has to be short, so it is always a relative one.
_SOCKET = "playbook"
_MOST_FAILURES = 20


def answer_job(connection: socket.socket, folder: Path, make: Callable[[RunJob, Path], RunOutcome]) -> None:
    """Read a job from the connection, make its run in `folder`, and write the outcome back; both are JSON."""
    with connection.makefile("rw", encoding="utf-8") as agent:
        text = agent.read()
        if not text:  # the agent has gone before it sent the job
            return
        try:
            outcome = make(RunJob(**json.loads(text)), folder)
        except Exception as error:  # noqa: BLE001 - it could quote anything
            detail = f": {error}" if isinstance(error, OSError | PlumbError) else ""
            why = f"ansible-runner: {type(error).__name__}{printable(detail)}"
            outcome = RunOutcome(code=254, failures=(why,))
        end_descendants(os.getpid())
        json.dump(dataclasses.asdict(outcome), agent)


def run_playbook(job: RunJob, folder: Path) -> RunOutcome:
    """Run the playbook of the job. `folder` is the working directory, a folder of this run's own, mode 0700."""
    listener = EventListener(keeps_lines=job.check)
    os.environ.update(dict.fromkeys(("ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TEMP"), str(folder / "tmp")))
    (folder / "project").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as shims:
        shims.bind(_SOCKET)
        shims.listen()
        parent = os.getpid()
        if os.fork() == 0:
            serve_shim(shims, parent, _arguments(job))
    runner = make_runner(folder, listener)
    runner.config.command = [sys.executable, "-I", "-S", str(_SHIM), f"../{_SOCKET}"]
    runner.run()
    return _outcome(job, runner.rc, listener)


def make_runner(folder: Path, listener: EventListener) -> Any:
    """Make an ansible-runner `Runner` that keeps neither events, output nor its environment in files."""
    import ansible_runner  # noqa: PLC0415 - it takes long, and only a process that makes runs needs it

    runner = ansible_runner.interface.init_runner(
        private_data_dir=str(folder),
        ident="run",
        playbook="of the job",
        quiet=True,
        suppress_env_files=True,
        fact_cache_type="",
        event_handler=listener.handle,
        status_handler=_remove_command_file,
        cancel_callback=lambda: False,
    )
    # Settings for these are read from the files that are not written.
    runner.config.suppress_output_file = True
    runner.config.suppress_ansible_output = True
    return runner


def _arguments(job: RunJob) -> list[str]:
    limit = ["--limit", job.limit] if job.limit else []
    variables = ["--extra-vars", json.dumps(dict(job.variables))] if job.variables else []
    check = ["--check", "--diff"] if job.check else []
    return ["--inventory", job.inventory, *limit, "--forks", "1", *check, *variables, job.playbook]


def _outcome(job: RunJob, code: int | None, listener: EventListener) -> RunOutcome:
    digest, failures = None, listener.failures
    if job.report and Path(job.report).exists():
        try:
            digest = digest_of(read_report(Path(job.report)))
        except PlumbError as error:
            failures.append(str(error))
    return RunOutcome(
        code=code if code is not None else 254,
        failures=tuple(failures[:_MOST_FAILURES]),
        warnings=tuple(dict.fromkeys(listener.warnings))[:_MOST_FAILURES],
        undelivered=listener.undelivered,
        pushed=tuple(dict.fromkeys(listener.pushed)),
        lines=tuple(listener.lines),
        changed=listener.changed,
        settings=listener.settings,
        digest=digest,
    )


def _remove_command_file(status: Mapping[str, Any], runner_config: Any) -> None:
    """Remove the file with the environment before anything runs: a proxy's address may hold a password."""
    if status.get("status") == "running":
        (Path(runner_config.artifact_dir) / "command").unlink(missing_ok=True)
