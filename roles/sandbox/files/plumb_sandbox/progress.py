# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress on stderr, so that stdout stays for results."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

_EVERY = 15.0  # seconds between two lines where nobody sees them change


def print_progress(line: str) -> None:
    """Print one line of progress."""
    print(line, file=sys.stderr, flush=True)


class LiveLine:
    """A line about what goes on: on a terminal it changes in place, elsewhere a new one comes every 15 s."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_live = self._stream.isatty()
        self._printed = time.monotonic()

    def show(self, text: str) -> None:
        """Show the line as it is now."""
        if self._is_live:
            width = shutil.get_terminal_size().columns - 1
            self._write(f"\r{text[:width]}\x1b[K")
        elif time.monotonic() - self._printed >= _EVERY:
            self._printed = time.monotonic()
            self._write(f"{text}\n")

    def end(self) -> None:
        """Remove the line; the next output begins in its place."""
        if self._is_live:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


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
