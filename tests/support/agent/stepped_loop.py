# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An event loop whose time is what a test says."""

from __future__ import annotations

import asyncio


class SteppedLoop(asyncio.SelectorEventLoop):
    """Its clock stands still until the test moves `now`, in seconds."""

    now = 1000.0  # not 0, which means never in records

    def time(self) -> float:
        """Return the time that the test has set."""
        return self.now
