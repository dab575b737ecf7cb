# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress on stderr, so that stdout stays for results."""

from __future__ import annotations

import sys
import time


def print_progress(line: str) -> None:
    """Print one line of progress."""
    print(line, file=sys.stderr, flush=True)


class Stopwatch:
    """Time since it was made, for people."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since this watch was started."""
        return time.monotonic() - self._start

    def __str__(self) -> str:
        minutes, seconds = divmod(int(self.seconds), 60)
        return f"{minutes} min {seconds:02d} s" if minutes else f"{self.seconds:.1f} s"
