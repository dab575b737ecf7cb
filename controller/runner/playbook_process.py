# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook in a process that has imported Ansible long ago.

    run (ansible_run.py) -- forks --> this process, ansible-playbook -- forks --> Ansible's workers
      |                                   ^
      +-- ansible-runner starts --> runner_shim.py: output, folder, environment; the exit code comes back

ansible-runner wants to start a program. It starts runner_shim.py, which takes some milliseconds and hands over to this
process what it was started with. This process ends with the run, and its workers end with it. The kernel's parent-death
signal does not pass through a fork, so each worker asks for it again.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ansible_collections.plumb.gitops.plugins.plugin_utils.process_tuning import (
    garbage_collection_paused,
    tune_process,
)

from .processes import end_with

_LONGEST_CALL = 1 << 18  # bytes; the socket takes no more than some 200 KB

# What a run imports on its way, the collection's own by Ansible's way to import collections.
_IMPORTED = (
    "ansible.executor.task_queue_manager",
    "ansible.plugins.strategy.linear",
    *(
        f"ansible_collections.plumb.gitops.plugins.action.{name}"
        for name in ("check_inventory", "pull", "apply", "report")
    ),
)


def import_ansible() -> None:
    """Import Ansible and what a run needs of the collection."""
    # What is imported stays, and searching it for cycles on the way takes as long as half of the rest.
    with garbage_collection_paused():
        # Ansible has its own way to import collections, and wants to be the first.
        for name in [name for name in sys.modules if name.partition(".")[0] == "ansible_collections"]:
            del sys.modules[name]
        importlib.import_module("ansible.cli.playbook")
        importlib.import_module("ansible.plugins.loader").init_plugin_loader()
        warnings.filterwarnings("ignore", "AnsibleCollectionFinder has already been configured")
        for name in _IMPORTED:
            importlib.import_module(name)
        tune_process()


def run_ansible_playbook(
    arguments: Sequence[str], folder: str, environment: Mapping[str, str], output: Sequence[int]
) -> int:
    """Run ansible-playbook once, in this process. Return its exit code.

    `output` has the descriptors for standard output and error. What of Ansible's settings is a run's own comes from the
    environment. Nothing that Ansible registered for its exit is done: its temporary folder has to lie in one that is
    removed (ANSIBLE_LOCAL_TEMP), and the caller ends this process by `os._exit`.
    """
    from ansible import constants  # noqa: PLC0415 - imported long ago
    from ansible.cli.playbook import main as ansible_playbook  # noqa: PLC0415

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for number, descriptor in enumerate(output, start=1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    constants.DEFAULT_LOCAL_TMP = constants.config.get_config_value("DEFAULT_LOCAL_TMP")
    code: Any = 1
    try:
        ansible_playbook(["ansible-playbook", *arguments])
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0 if code is None else code if isinstance(code, int) else 1


def serve_shim(shims: socket.socket, parent: int, arguments: Sequence[str]) -> NoReturn:
    """Run ansible-playbook for the shim that connects: with its output, environment and folder. Ends this process."""
    code = 1
    try:
        end_with(parent, signal.SIGKILL)
        _end_workers_with_this_process()
        shim, _address = shims.accept()
        text, output, _flags, _from = socket.recv_fds(shim, _LONGEST_CALL, 2)
        call = json.loads(text)
        code = run_ansible_playbook(arguments, call["folder"], call["environment"], output)
    finally:  # whatever comes up, it is not for the code that forked this process
        with contextlib.suppress(OSError):
            null = os.open(os.devnull, os.O_RDWR)
            for number in (1, 2):  # a terminal has an end when nobody holds it any more
                os.dup2(null, number)
            shim.send(str(code).encode())
        os._exit(code)


def _end_workers_with_this_process() -> None:
    forking: list[int] = [os.getpid()]

    def set_parent() -> None:
        forking[0] = os.getpid()

    os.register_at_fork(before=set_parent, after_in_child=lambda: end_with(forking[0], signal.SIGKILL))
