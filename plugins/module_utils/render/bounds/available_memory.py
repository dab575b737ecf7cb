# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory this process may still take: what its cgroups, its own limits and the machine leave.

systemd's MemoryMax and a container's limit are both limits of cgroups.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

_MACHINE_SHARE = 2  # of what the machine has available, one part of so many: others live there too
_UNKNOWN = 2 * 1024**3  # bytes of memory, where the machine does not report them
_LEVELS = 32  # of cgroups inside one another that are read
# By version of the interface: its limit, its use, and the key of memory.stat with what the kernel can take back.
_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def available_memory(root: Path = Path("/")) -> int:
    """Return the bytes of memory that are left for this process; `root` is the folder of /proc and /sys."""
    left = [_of_machine(root) // _MACHINE_SHARE, *_of_cgroups(root), *_of_limits(root)]
    return max(0, min(left))


def _of_machine(root: Path) -> int:
    with contextlib.suppress(OSError):
        for line in (root / "proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError):  # no Linux, or no /proc
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return _UNKNOWN


def _of_limits(root: Path) -> Iterator[int]:
    """Yield what the limits of the process itself (`ulimit -d`, `ulimit -v`) leave."""
    try:
        status = (root / "proc/self/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    used = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    for kind, field in ((resource.RLIMIT_DATA, "VmData"), (resource.RLIMIT_AS, "VmSize")):
        limit = resource.getrlimit(kind)[0]
        if limit != resource.RLIM_INFINITY:
            yield limit - int(used[field].split()[0]) * 1024


def _of_cgroups(root: Path) -> Iterator[int]:
    """Yield what each cgroup that this process is in, and each above it, leaves."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        memberships = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        mounts = (root / "proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        for version, top, folder in _folders(root, memberships, mounts):
            for level in (folder, *folder.parents)[:_LEVELS]:
                yield from _of_cgroup(level, version)
                if level == top:
                    break


def _folders(root: Path, memberships: list[str], mounts: list[str]) -> Iterator[tuple[int, Path, Path]]:
    """Version, mount point and own folder of each hierarchy that counts memory (proc_pid_mountinfo(5), cgroups(7))."""
    for mount in mounts:
        fields, _dash, rest = mount.partition(" - ")
        inner, point = fields.split()[3:5]
        kind, _source, options = rest.split()[:3]
        if kind == "cgroup2":
            version, wanted = 2, ""
        elif kind == "cgroup" and "memory" in options.split(","):
            version, wanted = 1, "memory"
        else:
            continue
        for membership in memberships:
            _number, controllers, path = membership.split(":", 2)
            if wanted not in controllers.split(","):
                continue
            top = root / point.lstrip("/")
            relative = os.path.relpath(path, inner)
            # A path outside of what is mounted is one that only the outside of a container knows.
            yield version, top, top if relative.startswith("..") or relative == "." else top / relative


def _of_cgroup(folder: Path, version: int) -> Iterator[int]:
    limit_file, usage_file, reclaimable = _FILES[version]
    try:
        limit = (folder / limit_file).read_text(encoding="ascii").strip()
        if limit == "max":
            return
        used = int((folder / usage_file).read_text(encoding="ascii"))
        statistics = dict(
            line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        )
        yield int(limit) - used + int(statistics.get(reclaimable, 0))
    except (OSError, ValueError):  # the root of a hierarchy has no limit
        return
