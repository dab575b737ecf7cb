# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in a file images stand: comments behind values, in Plumb's words or in Flux's.

    image: registry.example.com/shop/web:1.4.2 # {"$plumb": "shop"}
    newTag: "1.4.2" # {"$plumb": "shop:tag"}
    image: registry.example.com/shop/web:1.4.2 # {"$imagepolicy": "flux-system:shop"}

Flux's marker is read as fluxcd.io/flux/components/image/imageupdateautomations says; its namespace means nothing here.
"""

from __future__ import annotations

import itertools
import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .specs import Part
from .yaml_scalars import Written

MARKS = (b'"$plumb"', b'"$imagepolicy"')  # a file without any of these has no marker
_COMMENT = re.compile(r"(?<![^ \t])#[ \t]*(\{[^\r\n{}]{0,300}\})[ \t]*(?=[\r\n]|\Z)")
_MENTION = re.compile(r'"\$(?:plumb|imagepolicy)"')
_MOST = 5000  # comments of a file that are looked at
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?"
_PLUMB = re.compile(rf"(?P<policy>{_NAME})(?::(?P<part>name|tag|digest))?", re.ASCII)
_FLUX = re.compile(rf"{_NAME}:(?P<policy>{_NAME})(?::(?P<part>name|tag|digest))?", re.ASCII)
_WORDS = {"$plumb": _PLUMB, "$imagepolicy": _FLUX}


@dataclass(frozen=True, slots=True)
class Marker:
    """Which policy decides a value, and which part of its choice."""

    policy: str
    part: Part


@dataclass(frozen=True, slots=True)
class Marked:
    """A value with a marker behind it."""

    marker: Marker
    value: Written
    line: int  # from 1


@dataclass(frozen=True, slots=True)
class Stray:
    """A marker that cannot be used."""

    line: int
    reason: str


def parse_marker(comment: str) -> Marker | None:
    """The marker in a JSON map; None where it is another comment. Raises ValueError for a marker that is wrong."""
    try:
        said = json.loads(comment)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not said.keys() & _WORDS.keys():
        return None
    if len(said) != 1:
        raise ValueError("it has more than one key")
    ((word, value),) = said.items()
    found = _WORDS[word].fullmatch(value) if isinstance(value, str) else None
    if found is None:
        form = "POLICY" if word == "$plumb" else "NAMESPACE:POLICY"
        raise ValueError(f"its value is not {form}, with :name, :tag or :digest behind it or not")
    return Marker(found["policy"], Part(found["part"] or ""))


def find_marked(text: str, values: Sequence[Written]) -> Iterator[Marked | Stray]:
    """Every marker of a file with the value before it on its line, in order. `values` are all of the file's."""
    starts = [value.start for value in values]
    known: set[int] = set()
    for found in itertools.islice(_COMMENT.finditer(text), _MOST):
        before = bisect_right(starts, found.start()) - 1
        last = values[before] if before >= 0 else None
        line = text.count("\n", 0, found.start()) + 1
        known.add(line)
        try:
            marker = parse_marker(found[1])
        except ValueError as error:
            marker, wrong = None, str(error)
        else:
            wrong = ""
        if last is not None and found.start() < last.end:  # inside a text
            continue
        if wrong:
            yield Stray(line, wrong)
        elif marker is not None:
            yield _placed(text, last, marker, found.start(), line)
    for mention in itertools.islice(_MENTION.finditer(text), _MOST):
        line = text.count("\n", 0, mention.start()) + 1
        before = bisect_right(starts, mention.start()) - 1
        if line not in known and (before < 0 or mention.start() >= values[before].end):
            known.add(line)
            yield Stray(line, 'it is not written like # {"$plumb": "POLICY"} at the end of a line')


def _placed(text: str, last: Written | None, marker: Marker, position: int, line: int) -> Marked | Stray:
    if last is None or text[last.end : position].strip(" \t"):
        return Stray(line, "there is no value before it on its line")
    if last.is_key:
        return Stray(line, "what stands before it is a key")
    if last.is_tagged or last.is_long:
        return Stray(line, "the value before it is on several lines, or has a tag")
    return Marked(marker, last, line)
