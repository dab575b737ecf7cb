# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of the machine went to work that is not the benchmark's: what makes numbers too high."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox

_TICKS = os.sysconf("SC_CLK_TCK")
_IDLE = (3, 4)  # idle and waiting for a disk, in the first line of /proc/stat
_GUEST = 8  # from here on: counted in the others already


@dataclass(frozen=True, slots=True)
class Mark:
    """Processor seconds so far: of the whole machine and of the sandbox."""

    clock: float
    machine: float
    sandbox: float

    def others(self, before: Mark, contender: float) -> float:
        """Return the share of all cores, from 0 to 1, that neither the sandbox nor the contender's seconds explain."""
        elsewhere = (self.machine - before.machine) - (self.sandbox - before.sandbox) - contender
        whole = (self.clock - before.clock) * (os.cpu_count() or 1)
        return min(max(elsewhere / whole, 0.0), 1.0) if whole else 0.0


def mark(sandbox: Sandbox) -> Mark:
    """Return the processor seconds up to now."""
    pids = json.loads((sandbox.dir / "sandbox.json").read_text(encoding="utf-8"))["pids"].values()
    used = machine_seconds(Path("/proc/stat").read_text(encoding="ascii"))
    return Mark(time.monotonic(), used, sum(map(_process_seconds, pids)))


def machine_seconds(stat: str) -> float:
    """Processor seconds of all cores since the start, from the text of /proc/stat."""
    spent = [int(word) for word in stat.splitlines()[0].split()[1:]][:_GUEST]
    return sum(ticks for index, ticks in enumerate(spent) if index not in _IDLE) / _TICKS


def _process_seconds(pid: int) -> float:
    # The second field is the program's name in brackets, and may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS  # its own and its children's
