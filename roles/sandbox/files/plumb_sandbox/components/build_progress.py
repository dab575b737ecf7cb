# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far Go is, from what it has written so far. Values only."""

from __future__ import annotations

_DOWNLOADING = "go: downloading "


def downloading(log: str) -> str:
    """Return what `go list -deps` does: `downloading, 45 modules, at k8s.io/api v0.36.3`."""
    lines = [line.removeprefix(_DOWNLOADING) for line in log.splitlines() if line.startswith(_DOWNLOADING)]
    return (
        f"downloading, {len(lines):,} modules, at {lines[-1]}"
        if lines
        else "looking what is to be downloaded"
    )


def compiling(log: str, total: int | None) -> str:
    """Return what `go build -v` does: `compiling, 412 of 1,300 packages`, and then `linking`.

    TOTAL is the number of packages beside the programs themselves, None where it is not known.
    """
    compiled = sum(_is_package(line) for line in log.splitlines())
    if total is None:
        return f"compiling, {compiled:,} packages"
    return f"compiling, {compiled:,} of {total:,} packages" if compiled < total else "linking"


def _is_package(line: str) -> bool:
    """Return whether a line names a package, and is neither a message of Go nor one of a compiler."""
    return bool(line) and not line.startswith(("go: ", "#")) and " " not in line and ":" not in line
