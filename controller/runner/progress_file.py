# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads how far a run is, from the file that its tasks write in the run's folder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import printable
from ansible_collections.plumb.gitops.plugins.module_utils.state.file import read_bounded

PROGRESS_FILE = "progress.json"
_EVERY = 1.0  # seconds between two reads
_LARGEST = 64 * 1024  # bytes
_MOST_WAITS = 20  # apps that wait, in the status
_LONGEST = 400  # characters of a text

RunProgress = Mapping[str, Any]  # phase, done, total, waits_for, text


def progress_variables(folder: Path) -> dict[str, str]:
    """Return the extra variables of a run that tells the agent how far it is, and nobody else."""
    return {"plumb_progress": "never", "plumb_progress_file": str(folder / PROGRESS_FILE)}


async def follow_progress(folder: Path, progressed: Callable[[RunProgress], None]) -> None:
    """Call `progressed` each second with how far the run in this folder is, as soon as it says so. Until cancelled."""
    while True:
        await asyncio.sleep(_EVERY)
        progress = read_progress(folder / PROGRESS_FILE)
        if progress:
            progressed(progress)


def read_progress(file: Path) -> RunProgress:
    """Return what the file says; empty where there is none, or it is no progress."""
    try:
        content = json.loads(read_bounded(file, _LARGEST))
        return {
            "phase": str(content["phase"])[:_LONGEST],
            "done": int(content["done"]),
            "total": int(content["total"]),
            "waits_for": [printable(str(text), _LONGEST) for text in content["waits_for"][:_MOST_WAITS]],
            "text": printable(str(content["text"]), _LONGEST),
        }
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}
