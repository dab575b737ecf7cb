# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on this machine, as far as this user may look."""

from __future__ import annotations

import time
from pathlib import Path


def processes() -> dict[str, bytes]:
    """Arguments and environment of each process, by `PID/cmdline` and `PID/environ`."""
    files: dict[str, bytes] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        for part in ("cmdline", "environ"):
            try:
                files[f"{folder.name}/{part}"] = (folder / part).read_bytes()
            except OSError:
                continue  # ended meanwhile, or somebody else's
    return files


def no_process_names(text: str) -> None:
    """Wait until no process has `text` in its arguments: a killed one may take a moment to go."""
    until = time.monotonic() + 20
    while named := [
        n for n, content in processes().items() if n.endswith("cmdline") and text.encode() in content
    ]:
        assert time.monotonic() < until, named
        time.sleep(0.05)
