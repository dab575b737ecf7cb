# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-runner starts in place of ansible-playbook, which waits already with its imports done.

It hands over its output, environment and folder to that process (playbook_process.py) by a Unix socket whose path is
its argument, and ends as ansible-playbook does. Its input stays here: nobody is there to answer a prompt. Run by its
path with `python -I -S`: nothing but the standard library is imported.
"""

from __future__ import annotations

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as playbook:
    playbook.connect(sys.argv[1])
    call = {"folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109 - pathlib takes as long to import as all the rest
    socket.send_fds(playbook, [json.dumps(call).encode()], [1, 2])
    code = playbook.recv(16)
sys.exit(int(code or b"254"))  # it is empty where the process was killed
