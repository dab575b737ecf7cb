# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the inventory: which are known, and which was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .options import Spec

PREFIX = "plumb_"


def wrong_words(variables: Iterable[str], given: Mapping[str, Any], spec: Spec) -> list[str]:
    """What is wrong with the words of an inventory, each with the nearest right one.

    `variables` are all names of variables that a host has; `given` the values of those that are known, without the
    prefix. Types and choices are not looked at here.
    """
    known = {f"{PREFIX}{name}" for name in spec}
    found = [
        _unknown("variable", name, known)
        for name in sorted(variables)
        if name.startswith(PREFIX) and name not in known
    ]
    for name in sorted(given):
        found += _inside(f"{PREFIX}{name}", given[name], spec[name])
    return found


def _inside(place: str, value: Any, option: Mapping[str, Any]) -> Iterator[str]:
    """The unknown keys of a list of dicts, an item at a time."""
    inner = option.get("options")
    if inner is None or not isinstance(value, (list, tuple)):
        return
    for index, item in enumerate(value):
        if not isinstance(item, Mapping):
            continue
        where = f"{place}[{item.get('name', index)}]"
        for key in item:
            if key not in inner:
                yield _unknown(f"{where}: option", str(key), inner)


def _unknown(what: str, word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"{what} {word!r} is unknown; " + (
        f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}."
    )
