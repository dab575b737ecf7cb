# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One child process that can neither hang, nor flood memory, nor leave children behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO

_CHUNK = 65536  # bytes of one read


class Ending(Enum):
    """How a child ended."""

    EXITED = "exited"
    DEADLINE = "deadline"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Finished:
    """What a child left: its exit status (only where it exited), its output and its messages, or not all of these."""

    ending: Ending
    status: int
    stdout: bytes
    stderr: bytes
    stderr_cut: bool


def run_bounded(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    seconds: float,
    max_stdout: int,
    max_stderr: int,
) -> Finished:
    """Run `argv` without input, in a process group of its own that is killed after `seconds` or `max_stdout` bytes.

    Messages beyond `max_stderr` bytes are read and dropped. Raises OSError where it cannot be started.
    """
    deadline = time.monotonic() + seconds
    child = subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
    )
    out, err, cut = bytearray(), bytearray(), False
    with child:
        kept = {_descriptor(child.stdout): (out, max_stdout), _descriptor(child.stderr): (err, max_stderr)}
        try:
            ending, cut = _drain(kept, out, deadline)
            if ending is Ending.EXITED:
                child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            ending = Ending.DEADLINE
        finally:
            if child.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
    return Finished(ending, child.returncode, bytes(out), bytes(err), cut)


def _drain(kept: Mapping[int, tuple[bytearray, int]], out: bytearray, deadline: float) -> tuple[Ending, bool]:
    """Read the pipes into their buffers until they end; too much in `out` is an ending, in another it is dropped.

    The second value says whether something was dropped.
    """
    cut = False
    with selectors.DefaultSelector() as selector:
        for descriptor in kept:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return Ending.DEADLINE, cut
            for key, _events in selector.select(left):
                chunk = os.read(key.fd, _CHUNK)
                buffer, limit = kept[key.fd]
                if not chunk:
                    selector.unregister(key.fd)
                elif len(buffer) + len(chunk) <= limit:
                    buffer += chunk
                elif buffer is out:
                    return Ending.OUTPUT, cut
                else:
                    cut = True
    return Ending.EXITED, cut


def _descriptor(pipe: IO[bytes] | None) -> int:
    if pipe is None:
        raise AssertionError("both pipes were asked for")
    return pipe.fileno()
