# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one process that keeps a sandbox: it starts the programs, watches them and ends them."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TextIO

from plumb_sandbox.errors import SandboxError
from plumb_sandbox.layout import Layout, write_description
from plumb_sandbox.process import locks
from plumb_sandbox.process.children import adopt_orphans, end, end_orphans, failed_on_taken_port, last_lines
from plumb_sandbox.process.waiter import ChildEnded, StopRequested, Waiter
from plumb_sandbox.supervisor.startup import RunningPrograms, StartRequest, Startup

ATTEMPTS = 5
# The clients of the API server end before it, and it before etcd: each is gone in a blink that way.
_ENDING = (("kwok", "kube-scheduler", "kube-controller-manager", "gitea"), ("kube-apiserver",), ("etcd",))
_PATIENCE = 5.0


def parse_start_request(text: str) -> StartRequest:
    """Parse the request that `dump_start_request` wrote."""
    values = json.loads(text)
    return StartRequest(
        layout=Layout(Path(values["root"])),
        binaries={name: Path(path) for name, path in values["binaries"].items()},
        versions=values["versions"],
        owner=values["owner"],
    )


def dump_start_request(request: StartRequest) -> str:
    """Return REQUEST as JSON, as the supervisor reads it on its standard input."""
    return json.dumps(
        {
            "root": str(request.layout.root),
            "binaries": {name: str(path) for name, path in request.binaries.items()},
            "versions": dict(request.versions),
            "owner": request.owner,
        }
    )


def supervise(request: StartRequest, caller: TextIO) -> int:
    """Keep the sandbox of the request until something ends it.

    CALLER gets `ready`, or why not, and is closed. Return the exit status.
    """
    os.umask(0o077)
    layout = request.layout
    if not locks.hold_for_life(layout.supervisor_lock, str(os.getpid())):
        return _refuse(caller, f"another supervisor keeps {layout.root}")
    adopt_orphans()
    running = RunningPrograms()
    try:
        waiter = Waiter(request.owner)
        write_description(layout, _start_programs(request, waiter, running))
        _log("ready")
        _answer(caller, "ready")
        while True:
            waiter.pause(None)
    except (StopRequested, ChildEnded, SandboxError, OSError) as stop:
        why = _explain(stop)
        _log(f"stopping: {why}")
        status = 0 if isinstance(stop, StopRequested) else 1
        _stop_all(layout, running)
        _log("stopped")
        if not caller.closed:
            _refuse(caller, why)
            status = 1
        return status


def _start_programs(request: StartRequest, waiter: Waiter, running: RunningPrograms) -> dict[str, object]:
    """Start everything; anew on other ports if somebody took one of ours in between."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return Startup(request, waiter, running).start()
        except ChildEnded as ended:
            waiter.forget_children()
            _end_all(running)
            if attempt == ATTEMPTS or not failed_on_taken_port(ended.child):
                raise
            _log(f"a port of {ended.child.name} was taken, attempt {attempt} of {ATTEMPTS}")
    raise AssertionError("unreachable: the last attempt returns or raises")


def _stop_all(layout: Layout, running: RunningPrograms) -> None:
    layout.description.unlink(missing_ok=True)
    _end_all(running)
    end_orphans()


def _end_all(running: RunningPrograms) -> None:
    for names in _ENDING:
        end([child for child in running.children if child.name in names], _PATIENCE)
    running.children.clear()


def _explain(stop: Exception) -> str:
    if isinstance(stop, ChildEnded):
        return f"{stop}; the end of {stop.child.log}:\n{last_lines(stop.child.log)}"
    return str(stop)


def _answer(caller: TextIO, word: str) -> None:
    try:
        caller.write(word)
        caller.close()
    except BrokenPipeError:
        raise StopRequested("nobody waits for this sandbox any more") from None


def _refuse(caller: TextIO, why: str) -> int:
    try:
        caller.write(why)
        caller.close()
    except BrokenPipeError:
        _log("nobody waits for the answer")
    return 1


def _log(line: str) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(f"{stamp} {line}", file=sys.stderr, flush=True)
