# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook with its imports done: a process that forks for each run, since hundreds of runs import the same.

Run as `python -m ... SOCKET`, the descriptor of a socket that listens. Each connection is one run: words, folder and
environment as JSON come with the file that takes its output, and the exit code goes back. It ends when its standard
input does.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from typing import Any, NoReturn

from ansible_collections.plumb.gitops.controller.runner import playbook_process as guarded

_LARGEST = 1 << 20  # bytes of a call


def main() -> None:
    """Serve until nobody is there to ask."""
    guarded.load_ahead()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for a run
    with socket.socket(fileno=int(sys.argv[1])) as server:
        while server in select.select([server, sys.stdin], [], [])[0]:
            connection, _address = server.accept()
            with connection:
                if os.fork() == 0:
                    server.close()
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    _answer(connection)


def _answer(connection: socket.socket) -> NoReturn:
    """Wait for one run in a process of its own."""
    call, (output,), _flags, _address = socket.recv_fds(connection, _LARGEST, 1)
    child = os.fork()
    if child == 0:
        connection.close()
        _play(json.loads(call), output)
    _child, status = os.waitpid(child, 0)
    connection.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _play(call: dict[str, Any], output: int) -> NoReturn:
    """Be ansible-playbook."""
    guarded.forked()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["environment"])
    code = 1
    try:
        code = guarded.play(call["words"])
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
