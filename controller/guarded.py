# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook that ends with who started it, and whose workers end with it.

The kernel's parent-death signal does not pass through a fork. Ansible forks its workers, so each asks for it again.
Run as `python -m ... PARENT GATE`, where PARENT is the process id of who starts it, and GATE a FIFO: the arguments come
through it as JSON, when what costs time has been done.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import warnings
from pathlib import Path

from ansible_collections.plumb.gitops.controller.processes import end_with


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


def main() -> None:
    """Run ansible-playbook in this process."""
    end_with(int(sys.argv[1]), signal.SIGKILL)
    _guard_forks()
    load_ahead()
    from ansible.cli.playbook import main as ansible_playbook  # noqa: PLC0415 - the guard has to precede it

    arguments = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))  # waits for them
    sys.argv[:] = ["ansible-playbook", *arguments]
    ansible_playbook()


if __name__ == "__main__":
    main()
