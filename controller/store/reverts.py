# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many objects of an app were reverted in the last hour, day and week, in a bounded number of slots. Values only.

A slot is as wide as it is old: five minutes for the last hour, an hour for the last day, six hours for the last week.
So an app has 64 slots at most, however often somebody works against Git, and a number is exact to one slot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_HOUR, _DAY, _WEEK = 3600, 86_400, 604_800  # seconds
SPANS = {"hour": _HOUR, "day": _DAY, "week": _WEEK}
_WIDTHS = ((_HOUR, 300), (_DAY, _HOUR), (_WEEK, 6 * _HOUR))  # of a slot, up to this age; all in seconds
MOST_APPS = 1000  # of a cluster; those that were reverted last

Slots = Sequence[tuple[int, int]]  # since when (seconds since the epoch), and how many; the oldest first


def add_reverts(before: Mapping[str, Slots], counts: Mapping[str, int], now: float) -> dict[str, Slots]:
    """Return the slots of all apps with `counts`, by app, added at `now`; what is older than a week is dropped."""
    names = dict.fromkeys((*(app for app, number in counts.items() if number), *before))
    slots = {app: _compact([*before.get(app, ()), (int(now), counts.get(app, 0))], now) for app in names}
    present = sorted((app for app in slots if slots[app]), key=lambda app: slots[app][-1], reverse=True)
    return {app: slots[app] for app in present[:MOST_APPS]}


def count_reverts(slots: Slots, now: float) -> dict[str, int]:
    """Return how many there were in the last hour, day and week."""
    return {
        word: sum(number for since, number in slots if now - since < seconds)
        for word, seconds in SPANS.items()
    }


def _compact(slots: Slots, now: float) -> Slots:
    numbers: dict[int, int] = {}
    for since, number in slots:
        if number and now - since < _WEEK:
            width = _width(now - since)
            start = since - since % width
            numbers[start] = numbers.get(start, 0) + number
    return tuple(sorted(numbers.items()))


def _width(age: float) -> int:
    return next((width for most, width in _WIDTHS if age < most), _WIDTHS[-1][1])
