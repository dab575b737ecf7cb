# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends processes together with the process that started them, by the kernel's means and the process table.

Ansible's workers call setsid, and git and kubectl get an environment of their own; so neither a process group nor a
mark in the environment finds all of a run. What does is the tree: the root of a run adopts the orphans below it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True)
_PAUSE = 0.005  # seconds between two checks whether killed processes have ended
_PATIENCE = 10.0  # seconds; a killed process that has not ended then hangs in the kernel


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """A line of the process table."""

    pid: int
    state: str  # one letter; Z for a zombie
    parent: int


def end_with(parent: int, number: signal.Signals) -> None:
    """Have the kernel send `number` to this process when `parent`, which started it, ends, however it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:  # it ended before the request reached the kernel
        os.kill(os.getpid(), number)


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans, so that its tree holds all that it started."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def process_table() -> Iterator[ProcessEntry]:
    """Yield the processes that can be seen now."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it ended meanwhile
            continue
        # The command's name may hold blanks and brackets; the fields after the last bracket do not.
        state, parent = text.rpartition(")")[2].split()[:2]
        yield ProcessEntry(int(folder.name), state, int(parent))


def descendants(root: int) -> tuple[ProcessEntry, ...]:
    """Return all processes below `root`, children before grandchildren, zombies too."""
    below: dict[int, list[ProcessEntry]] = {}
    for entry in process_table():
        below.setdefault(entry.parent, []).append(entry)
    entries, due = [], [root]
    for pid in due:
        children = below.get(pid, [])
        entries += children
        due += [child.pid for child in children]
    return tuple(entries)


def end_descendants(root: int) -> None:
    """Kill all that is below `root`, which has to be a process that adopts orphans and starts nothing more."""
    deadline = time.monotonic() + _PATIENCE
    while alive := [entry.pid for entry in descendants(root) if entry.state != "Z"]:
        for pid in alive:
            _send(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return
        time.sleep(_PAUSE)


def end_tree(root: int) -> None:
    """Kill `root`, which this process has started or had started and which adopts orphans, with all that is below it.

    It is stopped first, so that it starts nothing more while its tree is walked.
    """
    _send(root, signal.SIGSTOP)
    end_descendants(root)
    dead = [entry.pid for entry in descendants(root)]
    _send(root, signal.SIGKILL)
    for pid in dead:
        reap(pid)


def reap(pid: int) -> None:
    """Take a dead process off the table where it is a child of this one, as orphans are in a container."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
