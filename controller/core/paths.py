# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the agent that more than one of its packages reads or writes."""

from __future__ import annotations

from pathlib import Path


def audit_file(folder: Path, cluster: str) -> Path:
    """Return the file with the newest events of a cluster."""
    return folder / f"{cluster}.jsonl"


def trail_file(state_dir: Path, cluster: str) -> Path:
    """Return the file of a cluster's audit trail."""
    return state_dir / "trail" / f"{cluster}.jsonl"
