# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one program by `run_bounded` in a process of its own, which may be nobody's and may lack means to confine it.

Arguments: JSON with `argv`, `cwd`, `env`, `bounds`, `uid` and `lacking` (`seccomp`, `namespaces`). It writes JSON.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import struct
import sys
from pathlib import Path

from ansible_collections.plumb.gitops.plugins.module_utils.render.bounds.bounded_subprocess import (
    ProcessLimits,
    run_bounded,
)

# The numbers of prctl and unshare; a kernel without either answers as these filters do.
NUMBERS = {"x86_64": (157, 272), "aarch64": (167, 97)}
_LOAD, _EQUAL, _RETURN, _ALLOW, _ERROR = 0x20, 0x15, 0x06, 0x7FFF0000, 0x50000
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38


def take_away(means: str) -> None:
    """Have the kernel answer as one that has no seccomp filters, or as one that forbids namespaces."""
    prctl, unshare = NUMBERS[os.uname().machine]
    steps = [(_LOAD, 0, 0, 0)]
    if means == "namespaces":
        steps += [(_EQUAL, 0, 1, unshare), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    else:
        steps += [
            (_EQUAL, 0, 3, prctl),
            (_LOAD, 0, 0, 16),
            (_EQUAL, 0, 1, _PR_SET_SECCOMP),
            (_RETURN, 0, 0, _ERROR | errno.EINVAL),
        ]
    code = b"".join(struct.pack("HBBI", *step) for step in [*steps, (_RETURN, 0, 0, _ALLOW)])
    held = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(held)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(_PR_SET_SECCOMP, 2, program, 0, 0) == 0, os.strerror(ctypes.get_errno())


def main() -> None:
    """Do what the argument says."""
    wanted = json.loads(sys.argv[1])
    if wanted["uid"] != os.getuid():
        os.setgroups([])
        os.setresgid(*(wanted["uid"],) * 3)
        os.setresuid(*(wanted["uid"],) * 3)
    for means in wanted["lacking"]:  # namespaces last: a filter cannot be added once seccomp is gone
        take_away(means)
    done = run_bounded(
        wanted["argv"], env=wanted["env"], cwd=Path(wanted["cwd"]), bounds=ProcessLimits(**wanted["bounds"])
    )
    sys.stdout.write(
        json.dumps(
            {
                "ending": done.ending.value,
                "status": done.status,
                "stdout": done.stdout.decode(),
                "stderr": done.stderr.decode(),
                "uid": os.getuid(),
            }
        )
    )


if __name__ == "__main__":
    main()
