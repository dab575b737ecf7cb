# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fork server: a process that has imported what runs need, and forks a process for each run.

    agent (fork_client.py)                    fork server                    run (ansible_run.py)
      | -- folder, with a socket of the run --> |
      |                                         | -- forks ------------------> |
      | <-- {"begun": pid} -------------------- |                              |
      | -- on the run's socket: the job, as JSON -----------------------------> |
      | <-- on the run's socket: its outcome, as JSON ------------------------- |
      | <-- {"ended": pid, "code": code} ------ | <-------------------- exits -- |

Ansible and ansible-runner are imported once, here, before anybody asks for a run. They are not imported in the agent,
which stays small. What a run leaves in memory goes with its process, and nothing that it started is left when it ends.
A process that was forked here always ends by `os._exit`: what was registered to be done at the exit of this one
(`atexit`) is not for it to do. The tests' runs of ansible-playbook are forked by the same `serve`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from .ansible_run import answer_job, make_runner, run_playbook
from .event_listener import EventListener
from .playbook_process import import_ansible
from .processes import adopt_orphans, end_descendants, end_with

_LONGEST_REASON = 1000  # characters


def serve(client: socket.socket, work: Callable[[socket.socket, Path], None]) -> NoReturn:
    """Fork a process for each message of the client, until the client has gone.

    A message is the folder of the run, which becomes the working directory, and comes with the socket that is handed to
    `work`. The answers are JSON: `begun`, a process id, or `refused`, a reason, for each message in its turn; `ended`,
    a process id, with `code`.
    """
    runs: dict[int, int] = {}  # process ids, and the descriptors by which they are waited for
    waiting = select.poll()
    waiting.register(client, select.POLLIN)
    while True:
        if client.fileno() in dict(waiting.poll()):
            folder, sockets, _flags, _from = socket.recv_fds(client, 1 << 16, 1)
            if not folder:
                _end_all(signal.SIGTERM, None)
            try:
                pid, descriptor = _fork(client, sockets, Path(os.fsdecode(folder)), work)
            except OSError as error:  # too many processes or descriptors: of this run, and no other
                _send(client, refused=str(error))
            else:
                runs[pid] = descriptor
                waiting.register(descriptor, select.POLLIN)
                _send(client, begun=pid)
        for pid, status in _reap_children():
            if pid in runs:  # else an orphan
                waiting.unregister(runs[pid])
                os.close(runs.pop(pid))
                _send(client, ended=pid, code=os.waitstatus_to_exitcode(status))


def inherited_socket() -> socket.socket:
    """Return the socket to the agent, from the arguments: the agent's process id, and a descriptor."""
    _end_with_parent(int(sys.argv[1]))
    return socket.socket(fileno=int(sys.argv[2]))


def main() -> None:
    """Import all that runs need, then fork them."""
    agent = inherited_socket()
    # Ansible reads its settings while it is imported: it is shown those that ansible-runner will give it.
    environment = dict(os.environ)
    try:
        os.environ.update(make_runner(Path.cwd(), EventListener()).config.env)
        import_ansible()
    except BaseException as error:
        _send(agent, died=f"{type(error).__name__}: {error}"[:_LONGEST_REASON])
        raise
    os.environ.clear()
    os.environ.update(environment)
    serve(agent, partial(answer_job, make=run_playbook))


def _send(client: socket.socket, **message: Any) -> None:
    client.send(json.dumps(message).encode())


def _fork(
    client: socket.socket, sockets: list[int], folder: Path, work: Callable[[socket.socket, Path], None]
) -> tuple[int, int]:
    """Fork one run. Return its process id, and a descriptor by which it is waited for. Raises OSError."""
    if not sockets:
        raise OSError("it has too many open files to take the socket of another run")
    with socket.socket(fileno=sockets[0]) as connection:
        connection.set_inheritable(False)  # by the programs that the run will start
        parent = os.getpid()
        if (pid := os.fork()) == 0:
            try:
                client.close()
                _end_with_parent(parent)
                os.chdir(folder)
                work(connection, folder)
            finally:
                os._exit(0)
    try:
        return pid, os.pidfd_open(pid)
    except OSError:
        os.kill(pid, signal.SIGKILL)
        raise


def _reap_children() -> list[tuple[int, int]]:
    ended = []
    try:
        while (child := os.waitpid(-1, os.WNOHANG))[0]:
            ended.append(child)
    except ChildProcessError:  # there is none at all
        pass
    return ended


def _end_with_parent(parent: int) -> None:
    """Have this process end with its parent, and all that it has started with it."""
    signal.signal(signal.SIGTERM, _end_all)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # or nobody would learn how a run has ended
    adopt_orphans()
    end_with(parent, signal.SIGTERM)


def _end_all(number: int, _frame: FrameType | None) -> None:
    end_descendants(os.getpid())
    os._exit(128 + number)


if __name__ == "__main__":
    main()
