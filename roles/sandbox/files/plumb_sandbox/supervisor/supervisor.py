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
from plumb_sandbox.process.children import adopt_orphans, end, end_orphans, last_lines, says_port_taken
from plumb_sandbox.process.waiter import ChildEnded, StopAsked, Watch
from plumb_sandbox.supervisor.startup import Boot, Order, Running

ATTEMPTS = 5
# The clients of the API server end before it, and it before etcd: each is gone in a blink that way.
_ENDING = (("kwok", "kube-scheduler", "kube-controller-manager", "gitea"), ("kube-apiserver",), ("etcd",))
_PATIENCE = 5.0


def read_order(text: str) -> Order:
    """The order that `write_order` wrote."""
    told = json.loads(text)
    return Order(
        layout=Layout(Path(told["root"])),
        binaries={name: Path(path) for name, path in told["binaries"].items()},
        versions=told["versions"],
        owner=told["owner"],
    )


def write_order(order: Order) -> str:
    """ORDER as the supervisor reads it on its standard input."""
    return json.dumps(
        {
            "root": str(order.layout.root),
            "binaries": {name: str(path) for name, path in order.binaries.items()},
            "versions": dict(order.versions),
            "owner": order.owner,
        }
    )


def supervise(order: Order, asker: TextIO) -> int:
    """Keep the sandbox of ORDER until something ends it.

    ASKER is told `ready`, or why not, and closed. Returns the exit status.
    """
    os.umask(0o077)
    layout = order.layout
    if not locks.hold_for_life(layout.supervisor_lock, str(os.getpid())):
        return _refuse(asker, f"another supervisor keeps {layout.root}")
    adopt_orphans()
    running = Running()
    try:
        watch = Watch(order.owner)
        write_description(layout, _boot(order, watch, running))
        _log("ready")
        _tell(asker, "ready")
        while True:
            watch.pause(None)
    except (StopAsked, ChildEnded, SandboxError, OSError) as stop:
        why = _explain(stop)
        _log(f"stopping: {why}")
        status = 0 if isinstance(stop, StopAsked) else 1
        _wind_down(layout, running)
        _log("stopped")
        if not asker.closed:
            _refuse(asker, why)
            status = 1
        return status


def _boot(order: Order, watch: Watch, running: Running) -> dict[str, object]:
    """Start everything; anew on other ports if somebody took one of ours in between."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return Boot(order, watch, running).start()
        except ChildEnded as ended:
            watch.forget_children()
            _end_all(running)
            if attempt == ATTEMPTS or not says_port_taken(ended.child):
                raise
            _log(f"a port of {ended.child.name} was taken, attempt {attempt} of {ATTEMPTS}")
    raise AssertionError("unreachable: the last attempt returns or raises")


def _wind_down(layout: Layout, running: Running) -> None:
    layout.description.unlink(missing_ok=True)
    _end_all(running)
    end_orphans()


def _end_all(running: Running) -> None:
    for names in _ENDING:
        end([child for child in running.children if child.name in names], _PATIENCE)
    running.children.clear()


def _explain(stop: Exception) -> str:
    if isinstance(stop, ChildEnded):
        return f"{stop}; the end of {stop.child.log}:\n{last_lines(stop.child.log)}"
    return str(stop)


def _tell(asker: TextIO, word: str) -> None:
    try:
        asker.write(word)
        asker.close()
    except BrokenPipeError:
        raise StopAsked("nobody waits for this sandbox any more") from None


def _refuse(asker: TextIO, why: str) -> int:
    try:
        asker.write(why)
        asker.close()
    except BrokenPipeError:
        _log("nobody waits for the answer")
    return 1


def _log(line: str) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(f"{stamp} {line}", file=sys.stderr, flush=True)
