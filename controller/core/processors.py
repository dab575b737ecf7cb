# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many processors this process may use: those it may run on, or fewer where its cgroup has a limit (a pod's)."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def count_processors(cgroup: Path = _CGROUP) -> int:
    """Return the number, at least 1. A limit of a part of a processor counts as one."""
    return max(1, math.ceil(min(len(os.sched_getaffinity(0)), _limit(cgroup))))


def _limit(cgroup: Path) -> float:
    """Return the cgroup's limit in processors; infinity where it has none. Sources: cgroup v2 cpu.max, v1 cpu.cfs_*."""
    try:
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return math.inf
    limited = quota.isdigit() and period.isdigit() and int(period) > 0 and int(quota) > 0
    return int(quota) / int(period) if limited else math.inf
