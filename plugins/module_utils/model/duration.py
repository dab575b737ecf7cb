# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations as operators write them: `90s`, `5m`, `1h30m`."""

from __future__ import annotations

import re

from .errors import InputError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|h|m|s)", re.ASCII)
_NUMBER = re.compile(r"[1-9]\d{0,8}", re.ASCII)
_LIKE = "Write numbers with units, for example 90s, 5m or 1h30m; up to 7 days (168h)."
MAX_SECONDS = 7 * 24 * 3600.0


def parse_duration(text: str, *, subject: str) -> float:
    """Return seconds of a duration such as `90s`, `5m` or `1h30m`; more than 0, at most 7 days.

    Raises InputError, naming `subject`, for anything else; a bare number is refused because its unit is a guess.
    """
    parts = _PART.findall(text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if (
        not parts
        or "".join(number + unit for number, unit in parts) != text
        or not 0 < seconds <= MAX_SECONDS
    ):
        raise InputError(subject, "reading a duration", *_fault(text, seconds))
    return seconds


def _fault(text: str, seconds: float) -> tuple[str, str]:
    """Return what is wrong with a duration, and what to write instead."""
    shown = repr(text[:40])
    if _NUMBER.fullmatch(text):
        return (
            f"{shown} is not a duration, because it has no unit",
            f"Write {text}s for seconds or {text}m for minutes.",
        )
    if text.startswith("-") or (text and seconds <= 0 and _PART.match(text)):
        return f"{shown} is not above 0", _LIKE
    if seconds > MAX_SECONDS:
        return f"{shown} is longer than 7 days", _LIKE
    return (
        f"{shown} is not a duration",
        f"{_LIKE} The units are h, m, s and ms, the largest first, without blanks.",
    )


def format_seconds(seconds: float) -> str:
    """Return seconds for people: `0.4s`, `12s`, `5m`, `1h30m`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}h" * bool(hours) + f"{minutes}m" * bool(minutes) + f"{left}s" * bool(left)
