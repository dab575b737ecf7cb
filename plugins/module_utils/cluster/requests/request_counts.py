# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The number of requests of a run."""

from __future__ import annotations

import threading


class RequestCounts:
    """Counters that several threads may raise. A request that is tried three times is one write and two retries."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reads = 0
        self.writes = 0
        self.dry_runs = 0
        self.retries = 0
        self.bytes = 0  # received, after decompression

    def add(
        self, *, reads: int = 0, writes: int = 0, dry_runs: int = 0, retries: int = 0, received: int = 0
    ) -> None:
        """Add to the counters."""
        with self._lock:
            self.reads += reads
            self.writes += writes
            self.dry_runs += dry_runs
            self.retries += retries
            self.bytes += received
