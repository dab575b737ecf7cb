# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command and write how long it took and how large its largest process was, as one line of JSON.

Usage: python -I -S launcher.py <file descriptor> <command> <arguments>...

A program of its own and as small as can be: between fork and exec a child counts as large as its parent, and the kernel
keeps that as its peak. So the benchmark itself must not be the parent of what it measures.
"""

from __future__ import annotations

import os
import sys
import time


def main(output: int, words: list[str]) -> None:
    """Run a command and write its measure to the descriptor."""
    os.set_inheritable(output, False)
    begun = time.monotonic()
    child = os.posix_spawnp(words[0], words, os.environ)
    # The usage of a process that was waited for counts the largest of all that it waited for in turn.
    _pid, status, usage = os.wait4(child, 0)
    seconds = time.monotonic() - begun
    code = os.waitstatus_to_exitcode(status)
    measure = (
        f'{{"code": {code}, "seconds": {seconds:.4f}, "peak_kib": {usage.ru_maxrss},'
        f' "cpu_seconds": {usage.ru_utime + usage.ru_stime:.4f}}}\n'
    )
    os.write(output, measure.encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
