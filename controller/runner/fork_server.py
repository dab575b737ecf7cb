# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that runs are forked from, and what one of them does: exactly one ansible-runner run.

Ansible and ansible-runner are imported once, here, before anybody asks for a run. They are not imported in the agent,
which stays small. A run is a fork: what it leaves in memory goes with it, and nothing that it started is left when it
ends. It reads a `RunJob` from its socket and writes an `RunOutcome` to it, both JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError, printable

from ..core.run_protocol import RunJob, RunOutcome
from . import playbook_process as guarded
from .processes import adopt_orphans, end_descendants, end_with
from .report_digest import digest_of_report
from .reports import findings_of, read_report, summary_of

_STAND_IN = Path(__file__).with_name("runner_shim.py")
# In the folder of a run. The path of a Unix socket has to be short, so it is never said in full.
_DOOR = "door"
_MOST_FAILURES = 20
_LONGEST_REASON = 1000  # characters
_CHECK = "plumb.gitops.check_inventory"
_ANSWERS = frozenset({f"plumb.gitops.{name}" for name in ("commit_status", "images", "notify", "preview")})
_FAILED = frozenset({"runner_on_failed", "runner_on_unreachable", "runner_item_on_failed"})


@dataclass(slots=True)
class RunnerListener:
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


def _arguments(job: RunJob) -> list[str]:
    limit = ["--limit", job.limit] if job.limit else []
    variables = ["--extra-vars", json.dumps(dict(job.variables))] if job.variables else []
    return ["--inventory", job.inventory, *limit, "--forks", "1", *variables, job.playbook]


def run(job: RunJob, place: Path) -> RunOutcome:
    """Run the playbook of the job and say what came of it.

    `place` is the working directory, a folder of this run's own, mode 0700.
    """
    listener = RunnerListener()
    os.environ.update(dict.fromkeys(("ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TEMP"), str(place / "tmp")))
    (place / "project").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(_DOOR)
        door.listen()
        parent = os.getpid()
        if os.fork() == 0:
            guarded.stand_behind(door, parent, _arguments(job))
    runner = _runner(place, listener)
    runner.config.command = [sys.executable, "-I", "-S", str(_STAND_IN), f"../{_DOOR}"]
    runner.run()
    return _ending(job, runner.rc, listener)


def _runner(place: Path, listener: RunnerListener) -> Any:
    import ansible_runner  # noqa: PLC0415 - dear, and only a process that makes runs needs it

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
    return runner


def _ending(job: RunJob, code: int | None, listener: RunnerListener) -> RunOutcome:
    summary, findings, story, failures = None, None, None, listener.failures
    if job.report and Path(job.report).exists():
        try:
            document = read_report(Path(job.report))
            summary, findings, story = summary_of(document), findings_of(document), digest_of_report(document)
        except PlumbError as error:
            failures.append(str(error))
    return RunOutcome(
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


def serve(agent: socket.socket, make: Callable[[RunJob, Path], RunOutcome]) -> NoReturn:
    """Fork a run for each message of the agent, until it has gone.

    A message is the folder of the run, and comes with the socket that gives the job and takes the ending. The answers
    are JSON: `begun`, a process id, or `refused`, a reason, for each in its turn; `ended`, a process id, with `code`.
    """
    runs: dict[int, int] = {}  # process ids, and the descriptors by which they are waited for
    waiting = select.poll()
    waiting.register(agent, select.POLLIN)
    while True:
        if agent.fileno() in dict(waiting.poll()):
            place, sockets, _flags, _from = socket.recv_fds(agent, 1 << 16, 1)
            if not place:
                _end_all(signal.SIGTERM, None)
            try:
                pid, descriptor = _fork(agent, sockets, Path(os.fsdecode(place)), make)
            except OSError as error:  # too many processes or descriptors: of this run, and no other
                _say(agent, refused=str(error))
            else:
                runs[pid] = descriptor
                waiting.register(descriptor, select.POLLIN)
                _say(agent, begun=pid)
        for pid, status in _dead():
            if pid in runs:  # else an orphan
                waiting.unregister(runs[pid])
                os.close(runs.pop(pid))
                _say(agent, ended=pid, code=os.waitstatus_to_exitcode(status))


def _say(agent: socket.socket, **words: Any) -> None:
    agent.send(json.dumps(words).encode())


def _fork(
    agent: socket.socket, sockets: list[int], place: Path, make: Callable[[RunJob, Path], RunOutcome]
) -> tuple[int, int]:
    """Fork one run; its process id, and a descriptor by which it is waited for. Raises OSError."""
    if not sockets:
        raise OSError("it has too many open files to take the socket of another run")
    with socket.socket(fileno=sockets[0]) as connection:
        connection.set_inheritable(False)  # by the programs that the run will start
        parent = os.getpid()
        if (pid := os.fork()) == 0:
            agent.close()
            _be(connection, parent, place, make)
    try:
        return pid, os.pidfd_open(pid)
    except OSError:
        os.kill(pid, signal.SIGKILL)
        raise


def _dead() -> list[tuple[int, int]]:
    found = []
    try:
        while (child := os.waitpid(-1, os.WNOHANG))[0]:
            found.append(child)
    except ChildProcessError:  # there is none at all
        pass
    return found


def _be(
    connection: socket.socket, parent: int, place: Path, make: Callable[[RunJob, Path], RunOutcome]
) -> NoReturn:
    """Be one run."""
    guarded.forked()
    _end_whole(parent)
    try:
        os.chdir(place)
        with connection.makefile("rw", encoding="utf-8") as agent:
            if said := agent.read():  # nothing, where whoever would give the job has gone
                try:
                    ending = make(RunJob(**json.loads(said)), place)
                except Exception as error:  # noqa: BLE001 - it could quote anything
                    said = f": {error}" if isinstance(error, OSError | PlumbError) else ""
                    why = f"ansible-runner: {type(error).__name__}{printable(said)}"
                    ending = RunOutcome(code=254, failures=(why,))
                end_descendants(os.getpid())
                json.dump(dataclasses.asdict(ending), agent)
    finally:
        os._exit(0)


def _end_whole(parent: int) -> None:
    """Have this process end with its parent, and all that it has started with it."""
    signal.signal(signal.SIGTERM, _end_all)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # or nobody would learn how a run has ended
    adopt_orphans()
    end_with(parent, signal.SIGTERM)


def started_by_the_agent() -> socket.socket:
    """The socket of a process that an agent has started, by the arguments: the agent's process id, and a descriptor."""
    _end_whole(int(sys.argv[1]))
    return socket.socket(fileno=int(sys.argv[2]))


def main() -> None:
    """Import all that runs need, then fork them."""
    agent = started_by_the_agent()
    # Ansible reads its settings while it is imported: it is shown those that ansible-runner will give it.
    own = dict(os.environ)
    try:
        os.environ.update(_runner(Path.cwd(), RunnerListener()).config.env)
        guarded.load_ahead()
    except BaseException as error:
        _say(agent, died=f"{type(error).__name__}: {error}"[:_LONGEST_REASON])
        raise
    os.environ.clear()
    os.environ.update(own)
    serve(agent, run)


if __name__ == "__main__":
    main()
