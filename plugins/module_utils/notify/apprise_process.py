# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending by apprise, in a child process that is killed at the deadline.

Apprise speaks to some hundred services, over HTTP and SMTP, with timeouts of single reads only, and its connections
cannot be reached from here; a process can be ended from outside, and its connections with it. The address goes to the
child by standard input: it is a secret.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum

from ..http.deadline import Deadline, DeadlinePassed

_LOADING = 60.0  # seconds for importing apprise, which the deadline does not count


class AppriseResult(Enum):
    """How a child ended."""

    SENT = "sent"
    NOT_SENT = "not sent"
    UNKNOWN_ADDRESS = "unknown address"
    MISSING = "missing"  # apprise cannot be imported


# Writes that it is ready, reads one JSON document, writes one of the results. Apprise's log may quote addresses.
_CHILD = """
import json, logging, sys
sys.path[:] = json.loads(sys.stdin.readline())
try:
    import apprise
except ImportError:
    print("missing", flush=True)
    sys.exit()
logging.disable(logging.CRITICAL)
print("ready", flush=True)
message = json.loads(sys.stdin.readline())
sender = apprise.Apprise(asset=apprise.AppriseAsset(secure_logging=True, async_mode=False))
if not sender.add(message.pop("url")):
    print("unknown address", flush=True)
else:
    print("sent" if sender.notify(**message) else "not sent", flush=True)
"""


def send_by_apprise(url: str, message: Mapping[str, str], seconds: float) -> AppriseResult:
    """Send a message, by the names of `Apprise.notify`, within so many seconds. Raises DeadlinePassed."""
    with _child() as child:
        if _answer(child, sys.path, Deadline.after(_LOADING)) != "ready":
            return AppriseResult.MISSING
        line = _answer(child, {"url": url, **message}, Deadline.after(seconds))
    results = {result.value: result for result in AppriseResult}
    return results.get(line, AppriseResult.NOT_SENT)


@contextmanager
def _child() -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd="/",
        start_new_session=True,  # what it starts is ended with it
    )
    try:
        yield child
    finally:
        _kill(child)
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        child.wait()


def _answer(child: subprocess.Popen[str], document: object, deadline: Deadline) -> str:
    """Return the line with which the child answers a document; empty where it has ended. Raises DeadlinePassed."""
    if child.stdin is None or child.stdout is None:
        raise ValueError("the child was started without pipes")
    passed = threading.Event()

    def end() -> None:
        passed.set()
        _kill(child)

    timer = threading.Timer(max(deadline.left, 0.0), end)
    timer.daemon = True
    timer.start()
    try:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(json.dumps(document) + "\n")
            child.stdin.flush()
        line = child.stdout.readline().strip()
    finally:
        timer.cancel()
    if passed.is_set():
        raise DeadlinePassed(deadline)
    return line


def _kill(child: subprocess.Popen[str]) -> None:
    if child.returncode is None:  # not reaped: the number still belongs to it
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
