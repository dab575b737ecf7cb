# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook in a process that has imported it long ago; it ends with who forked it, and its workers end with it.

The kernel's parent-death signal does not pass through a fork. Ansible forks its workers, so each asks for it again.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from .processes import end_with

_LONGEST_CALL = 1 << 18  # bytes; the socket takes no more than some 200 KB


def _guard_forks() -> None:
    forking: list[int] = [os.getpid()]

    def remember() -> None:
        forking[0] = os.getpid()

    os.register_at_fork(before=remember, after_in_child=lambda: end_with(forking[0], signal.SIGKILL))


# What a run imports on its way, the collection's own by Ansible's way to import collections.
_AHEAD = (
    "ansible.executor.task_queue_manager",
    "ansible.plugins.strategy.linear",
    *(
        f"ansible_collections.plumb.gitops.plugins.action.{name}"
        for name in ("check_inventory", "pull", "apply", "report")
    ),
)


def load_ahead() -> None:
    """Import Ansible and what a run needs of the collection."""
    gc.disable()  # what is imported stays, and searching it for cycles on the way takes as long as half of the rest
    # Ansible has its own way to import collections, and wants to be the first.
    for name in [name for name in sys.modules if name.partition(".")[0] == "ansible_collections"]:
        del sys.modules[name]
    importlib.import_module("ansible.cli.playbook")
    importlib.import_module("ansible.plugins.loader").init_plugin_loader()
    warnings.filterwarnings("ignore", "AnsibleCollectionFinder has already been configured")
    for name in _AHEAD:
        importlib.import_module(name)
    gc.freeze()  # or a fork copies it by looking through it
    gc.enable()


def play(words: Sequence[str]) -> int:
    """Be ansible-playbook, once: its exit code. What of its settings is a run's own comes from the environment."""
    from ansible import constants  # noqa: PLC0415 - imported long ago
    from ansible.cli.playbook import main as ansible_playbook  # noqa: PLC0415

    constants.DEFAULT_LOCAL_TMP = constants.config.get_config_value("DEFAULT_LOCAL_TMP")
    code: Any = 1
    try:
        ansible_playbook(["ansible-playbook", *words])
    except SystemExit as end:
        code = end.code
    finally:
        atexit._run_exitfuncs()  # noqa: SLF001 - what was registered since `forked`
        sys.stdout.flush()
        sys.stderr.flush()
    return 0 if code is None else code if isinstance(code, int) else 1


def forked() -> None:
    """In a process that was just forked: leave to the other one what it meant to do at its end."""
    atexit._clear()  # noqa: SLF001 - there is no other way
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def stand_behind(door: socket.socket, parent: int, words: Sequence[str]) -> NoReturn:
    """Be ansible-playbook for whoever comes to the door (runner_shim.py): with its output, environment and folder."""
    code = 1
    try:
        forked()
        end_with(parent, signal.SIGKILL)
        _guard_forks()
        stand_in, _address = door.accept()
        said, output, _flags, _from = socket.recv_fds(stand_in, _LONGEST_CALL, 2)
        for number, descriptor in enumerate(output, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        given = json.loads(said)
        os.chdir(given["folder"])
        os.environ.clear()
        os.environ.update(given["environment"])
        code = play(words)
    finally:  # whatever comes up, it is not for the code that forked this process
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_RDWR)
            for number in (1, 2):  # a terminal has an end when nobody holds it any more
                os.dup2(nowhere, number)
            stand_in.send(str(code).encode())
        os._exit(code)
