# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one module that runs programs on content from Git: kubectl's kustomize, later helm and sops.

Such a program has no network at all, the loopback included, no descriptor but its pipes, no environment but what it is
given, and bounded memory, processor time, time, output and files. It cannot leave children behind. How: `launcher`,
`system_call_filter` and docs/adr/0016.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import IO

from . import launcher
from .system_call_filter import filter_for

# The operator's permission, from the environment of whoever runs Plumb; nothing in Git can give it.
UNCONFINED_PROGRAMS = "PLUMB_UNCONFINED_PROGRAMS"
_ALLOW = "allow"
# What Go's runtime writes where it gets no memory; see runtime/malloc.go, mheap.go and os_linux.go.
_GO_OUT_OF_MEMORY = re.compile(
    rb"^(?:fatal error|runtime): .*(?:out of memory|cannot (?:allocate|map)|failed to create new OS thread)",
    re.MULTILINE,
)
_CHUNK = 65536  # bytes of one read
_PYTHON = sys.executable
_LONGEST_REFUSAL = 1000  # bytes of the launcher's message


class ProcessEnd(Enum):
    """How a program ended."""

    EXITED = "exited"
    DEADLINE = "deadline"  # it took too long, by the clock or of the processor
    OUTPUT = "output"  # it wrote more than it may
    MEMORY = "memory"  # it needed more than it may have, or than there was
    REFUSED = "refused"  # it was never started, for the reason in `stderr`


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLimits:
    """What a program may take. Memory is what it allocates, for each process; children are refused unless allowed."""

    memory: int  # bytes
    seconds: float
    max_stdout: int  # bytes
    max_stderr: int  # bytes; more is read and dropped
    file_bytes: int = 1024 * 1024  # of each file that it writes
    open_files: int = 256
    may_start_programs: bool = False

    @property
    def limits(self) -> str:
        """As the launcher reads them."""
        limits = {
            "DATA": self.memory,
            "CPU": max(1, int(self.seconds)),
            "FSIZE": self.file_bytes,
            "NOFILE": self.open_files,
            "CORE": 0,
        }
        return ",".join(f"{name}={value}" for name, value in limits.items())


@dataclass(frozen=True, slots=True)
class ProgramOutput:
    """What a program left: its exit status (only where it exited), its output and its messages, or not all of these."""

    ending: ProcessEnd
    status: int
    stdout: bytes
    stderr: bytes
    stderr_cut: bool


def _count_nothing(_size: int) -> None:
    """Count nothing: the bounds alone hold."""


def run_bounded(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    bounds: ProcessLimits,
    count_output: Callable[[int], None] = _count_nothing,
) -> ProgramOutput:
    """Run `argv`, whose first word is a path, confined and without input; it is killed with all it started at a bound.

    Where this machine has no means to confine it, it is not started unless the operator allows that. `count_output` is
    called with the bytes of each part of its output, and may raise. Raises OSError where Python cannot be started.
    """
    reading, writing = os.pipe()
    try:
        child = subprocess.Popen(
            _command(argv, bounds, writing),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
            pass_fds=(writing,),
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    with os.fdopen(reading, "rb") as refusals:
        return _finished(child, refusals, bounds, count_output)


def _command(argv: Sequence[str], bounds: ProcessLimits, descriptor: int) -> list[str]:
    instructions = filter_for(os.uname().machine, may_start_programs=bounds.may_start_programs)
    policy = "anyhow" if os.environ.get(UNCONFINED_PROGRAMS) == _ALLOW else "confined"
    settings = (str(os.getpid()), str(descriptor), bounds.limits, instructions.hex(), policy)
    return [_PYTHON, "-I", "-S", "-c", _launcher_text(), *settings, *argv]


@cache
def _launcher_text() -> str:
    return inspect.getsource(launcher)


def _finished(
    child: subprocess.Popen[bytes],
    refusals: IO[bytes],
    bounds: ProcessLimits,
    count_output: Callable[[int], None],
) -> ProgramOutput:
    deadline = time.monotonic() + bounds.seconds
    out, err, cut = bytearray(), bytearray(), False
    with child:
        buffers = {
            _descriptor(child.stdout): (out, bounds.max_stdout),
            _descriptor(child.stderr): (err, bounds.max_stderr),
        }
        try:
            ending, cut = _drain(buffers, out, deadline, count_output)
            if ending is ProcessEnd.EXITED:
                _wait(child, deadline)
        except subprocess.TimeoutExpired:
            ending = ProcessEnd.DEADLINE
        finally:
            # Its group is there as long as anything of it is, or it has not been waited for.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    refusal = refusals.read(_LONGEST_REFUSAL)
    if refusal:
        return ProgramOutput(ProcessEnd.REFUSED, child.returncode, b"", refusal, stderr_cut=False)
    if ending is ProcessEnd.EXITED:
        ending = _ending_of(child.returncode, err)
    return ProgramOutput(ending, child.returncode, bytes(out), bytes(err), cut)


def _ending_of(status: int, messages: bytearray) -> ProcessEnd:
    """Return how a program that has ended by itself, or by the kernel, came to its end."""
    if status == -signal.SIGXCPU:
        return ProcessEnd.DEADLINE
    if status == -signal.SIGKILL or (status != 0 and _GO_OUT_OF_MEMORY.search(messages)):
        return ProcessEnd.MEMORY
    return ProcessEnd.EXITED


def _wait(child: subprocess.Popen[bytes], deadline: float) -> None:
    """Wait until the program has exited, and leave its id to it; TimeoutExpired where it takes too long."""
    while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise subprocess.TimeoutExpired(child.args, left)
        time.sleep(min(left, 0.002))


def _drain(
    buffers: Mapping[int, tuple[bytearray, int]],
    out: bytearray,
    deadline: float,
    count_output: Callable[[int], None],
) -> tuple[ProcessEnd, bool]:
    """Read the pipes into their buffers until they end; too much in `out` is an ending, in another it is dropped.

    The second value says whether something was dropped.
    """
    cut = False
    with selectors.DefaultSelector() as selector:
        for descriptor in buffers:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return ProcessEnd.DEADLINE, cut
            for key, _events in selector.select(left):
                chunk = os.read(key.fd, _CHUNK)
                buffer, limit = buffers[key.fd]
                if not chunk:
                    selector.unregister(key.fd)
                elif len(buffer) + len(chunk) <= limit:
                    if buffer is out:
                        count_output(len(chunk))
                    buffer += chunk
                elif buffer is out:
                    return ProcessEnd.OUTPUT, cut
                else:
                    cut = True
    return ProcessEnd.EXITED, cut


def _descriptor(pipe: IO[bytes] | None) -> int:
    if pipe is None:
        raise AssertionError("both pipes were requested")
    return pipe.fileno()
