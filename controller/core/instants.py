# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instants as text (RFC 3339) and as seconds since the epoch, which is what the agent calculates with."""

from __future__ import annotations

from datetime import UTC, datetime

from ansible_collections.plumb.gitops.plugins.module_utils.model.duration import parse_duration
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

_EXAMPLE = "Write it with its time zone, for example 2026-12-24T08:00Z or 2026-12-24T09:00+01:00."


def instant(seconds: float) -> str:
    """Return the instant as RFC 3339 in UTC; empty for 0, which is never."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""


def file_stamp(seconds: float) -> str:
    """Return the instant as it stands in names of files, which are sorted by it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def parse_instant(text: str, *, subject: str) -> float:
    """Return an instant in seconds since the epoch. Raises InputError for text that is none, or names no time zone."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise _refused(subject, f"{text[:40]!r} is not a date and time") from None
    if parsed.tzinfo is None:
        raise _refused(subject, f"{text[:40]!r} names no time zone")
    return parsed.timestamp()


def end_of_suspension(lasts: str, until: str, now: float) -> float:
    """Return when a suspension ends, by its duration or its end; 0 where neither is set. Raises InputError."""
    if lasts and until:
        raise InputError(
            "suspend", "reading when it ends", "both a duration and an end are set", "Leave one out."
        )
    if lasts:
        return now + parse_duration(lasts, subject="suspend for")
    if not until:
        return 0.0
    ends = parse_instant(until, subject="suspend until")
    if ends <= now:
        raise InputError(
            "suspend until",
            "reading when it ends",
            f"{until[:40]!r} has passed already",
            "Name a later time.",
        )
    return ends


def _refused(subject: str, why: str) -> InputError:
    return InputError(subject, "reading a time", why, _EXAMPLE)
