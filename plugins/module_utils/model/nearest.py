# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names nearest to one that is not there, among any number of names."""

from __future__ import annotations

import difflib
import functools
import heapq
from collections import Counter
from collections.abc import Collection

COMPARED = 200  # names that are compared letter by letter
_COUNTED = 2000  # names whose letters are counted
_LONGEST = 256  # characters of a name that count


def nearest_names(name: str, names: Collection[str], *, count: int = 3, cutoff: float = 0.5) -> list[str]:
    """Return up to `count` names that are like `name`, the nearest first; `cutoff` from 0 (any) to 1 (equal).

    Comparing two names costs the product of their lengths. So of many names only those are compared that hold the most
    of the same letters, first by which they hold and then by how often.
    """
    word = name[:_LONGEST]
    few = names
    for most, distance in (
        (_COUNTED, functools.partial(_by_set, frozenset(word), len(word))),
        (COMPARED, functools.partial(_by_number, Counter(word), len(word))),
    ):
        if len(few) > most:
            few = heapq.nsmallest(most, few, key=distance)
    return difflib.get_close_matches(word, [other[:_LONGEST] for other in few], n=count, cutoff=cutoff)


def _by_set(letters: frozenset[str], length: int, name: str) -> int:
    return 2 * len(letters.symmetric_difference(name)) + abs(length - len(name))


def _by_number(letters: Counter[str], length: int, name: str) -> int:
    return length + len(name) - 2 * sum((letters & Counter(name)).values())
