# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's fork server, with a bare ansible-playbook as its run, since hundreds of tests import the same.

Run as `python -m ... SOCKET`, the descriptor of the socket on which runs are asked for. Each run gets its arguments,
its environment and the file for its output as JSON, and answers with its exit code.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

from ansible_collections.plumb.gitops.controller.runner.fork_server import serve
from ansible_collections.plumb.gitops.controller.runner.playbook_process import (
    import_ansible,
    run_ansible_playbook,
)


def _run(connection: socket.socket, folder: Path) -> None:
    with connection.makefile("rw", encoding="utf-8") as client:
        call = json.load(client)
        output = [os.open(call["output"], os.O_WRONLY | os.O_APPEND) for _stream in ("stdout", "stderr")]
        code = run_ansible_playbook(call["arguments"], str(folder), call["environment"], output)
        json.dump(code, client)


if __name__ == "__main__":
    import_ansible()
    serve(socket.socket(fileno=int(sys.argv[1])), _run)
