# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes that cannot outlive the supervisor."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PORT_TAKEN = "address already in use"
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to start: name, arguments and the environment it sees."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A started program."""

    name: str
    process: subprocess.Popen[bytes]
    pidfd: int
    log: Path

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid


def dies_with(parent: int) -> Callable[[], None]:
    """Return a `preexec_fn` by which the kernel kills the child when the process PARENT ends, however it ends."""

    def arrange() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the request reached the kernel
            os._exit(1)

    return arrange


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans, so that it can end them."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def spawn(program: Program, cwd: Path, log: Path) -> Child:
    """Start PROGRAM in CWD with its output in LOG, written anew. Call it from the main thread only: the kernel
    watches the thread that forks."""
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            program.argv,
            cwd=cwd,
            env=dict(program.env),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            preexec_fn=dies_with(os.getpid()),  # noqa: PLW1509 - the supervisor has one thread
        )
    return Child(name=program.name, process=process, pidfd=os.pidfd_open(process.pid), log=log)


def last_lines(log: Path, lines: int = 15) -> str:
    """Return the last lines of a program's output."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def failed_on_taken_port(child: Child) -> bool:
    """Return whether CHILD's output says that another process listens on its port."""
    return _PORT_TAKEN in last_lines(child.log)


def end(children: Iterable[Child], patience: float) -> None:
    """Ask CHILDREN to end, and kill those that are still there after PATIENCE seconds."""
    listed = list(children)
    for child in listed:
        if child.process.poll() is None:
            child.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + patience
    for child in listed:
        try:
            child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        os.close(child.pidfd)


def end_orphans() -> None:
    """Kill and reap whatever descendants are left (Gitea's git processes, say)."""
    while True:
        left = children_of(os.getpid())
        for pid in left:
            _signal(pid, signal.SIGKILL)
        if not left:
            return
        for pid in left:
            _reap(pid)


def children_of(parent: int) -> list[int]:
    """Return process ids of the direct children of PARENT."""
    return [entry.pid for entry in _process_table() if entry.parent == parent]


def living_in_session(session: int) -> list[int]:
    """Return process ids of the processes in SESSION (the supervisor's id), zombies aside."""
    return [entry.pid for entry in _process_table() if entry.session == session and entry.state != "Z"]


@dataclass(frozen=True, slots=True)
class _Entry:
    pid: int
    state: str
    parent: int
    session: int


def _process_table() -> list[_Entry]:
    entries = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it ended meanwhile
            continue
        # The command's name may hold blanks and brackets; the fields after the last bracket do not.
        state, parent, _group, session = text.rpartition(")")[2].split()[:4]
        entries.append(_Entry(int(folder.name), state, int(parent), int(session)))
    return sorted(entries, key=lambda entry: entry.pid)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return
