# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the run of a cluster is: for the status and the page, and in the log where it takes long."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..core.log import Log
from ..runner.progress_file import RunProgress

_LOG_EVERY = 30.0  # seconds


class ProgressLog:
    """The progress of one cluster's runs. `changed` is called when there is news for the page."""

    def __init__(
        self,
        cluster: str,
        log: Log,
        changed: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._cluster = cluster
        self._log = log
        self._changed = changed
        self._began = self._logged = 0.0
        self.current: RunProgress = {}  # empty where no run is under way, or it has not said anything yet

    def begin(self) -> None:
        """Begin a run."""
        self._began = self._logged = self._clock()
        self.current = {}

    def update(self, progress: RunProgress) -> None:
        """Take over how far the run is, which is called each second."""
        now = self._clock()
        if now - self._logged >= _LOG_EVERY:
            self._logged = now
            self._log.info(
                "running", cluster=self._cluster, seconds=round(now - self._began), progress=progress["text"]
            )
        if progress != self.current:
            self.current = progress
            self._changed(self._cluster)

    def end(self) -> None:
        """End the run."""
        self.current = {}
