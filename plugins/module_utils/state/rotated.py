# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that others only append to, and set aside when they are full."""

from __future__ import annotations

import re
from pathlib import Path

WINDOW = 32 * 1024 * 1024  # bytes of an audit log that are read, from its end


def rotated(path: Path) -> list[Path]:
    """Return the older files of a log, oldest first: the API server names them `audit-<time>.log`."""
    pattern = re.compile(rf"{re.escape(path.stem)}-\d{{4}}-[0-9T.:-]+{re.escape(path.suffix)}")
    return sorted(file for file in path.parent.iterdir() if pattern.fullmatch(file.name))
