# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease file: until when processes on this machine may write, kept by the agent, read before each write.

The end is a moment of CLOCK_BOOTTIME, which goes on in a suspended machine and which nobody sets, so wall clocks do not
matter. It is valid only until the machine starts again, so the file names the boot as well.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ..state.folder import Trust
from ..state.record_store import RecordStore

_STORE = RecordStore[dict[str, Any]](
    kind="plumb.gitops/lease", version=1, encode=dict, decode=dict, trust=Trust.STATE
)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_time() -> float:
    """Return the seconds since this machine started, including those in suspension."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def allow_writes(file: Path, until: float, duration: float) -> None:
    """Allow writes to start until `until`, by `boot_time`, for a lease of `duration` seconds. Raises OSError."""
    _STORE.save(file, {"boot": _boot(), "until": until, "duration": duration})


def forbid_writes(file: Path) -> None:
    """Forbid every further write. Raises OSError."""
    file.unlink(missing_ok=True)


def forbidden_reason(file: Path) -> str:
    """Return why no write may start now; empty where one may."""
    lease = _STORE.load(file)
    if lease is None:
        return f"there is no lease in {file}"
    try:
        boot, left, duration = lease["boot"], float(lease["until"]) - boot_time(), float(lease["duration"])
    except (KeyError, TypeError, ValueError):
        return f"the lease in {file} cannot be read"
    if boot != _boot():
        return f"the lease in {file} is from before this machine started"
    if left > duration:
        return f"the lease in {file} runs for longer than a lease does"
    return "" if left > 0 else f"the lease in {file} ran out {-left:.1f} s ago"


def _boot() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip()
