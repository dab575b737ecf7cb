# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times for people: how long ago something was."""

from __future__ import annotations

from datetime import datetime

_UNITS = (("d", 86400), ("h", 3600), ("m", 60))


def age_between(then: str, now: str) -> str:
    """Return the time from one instant (RFC 3339) to another, such as `35s` or `3h`; empty where one is."""
    if not then or not now:
        return ""
    return seconds_text((datetime.fromisoformat(now) - datetime.fromisoformat(then)).total_seconds())


def seconds_text(seconds: float) -> str:
    """Return seconds in the largest unit that is not 0: `35s`, `12m`, `3h`, `4d`; below 0 counts as 0."""
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{seconds // length:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"
