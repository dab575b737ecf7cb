# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers: comments behind values that hold images, in Plumb's form or in Flux's.

    image: registry.example.com/shop/web:1.4.2 # {"$plumb": "shop"}
    newTag: "1.4.2" # {"$plumb": "shop:tag"}
    image: registry.example.com/shop/web:1.4.2 # {"$imagepolicy": "flux-system:shop"}

Flux's marker is read as fluxcd.io/flux/components/image/imageupdateautomations says; its namespace is ignored.
"""

from __future__ import annotations

import itertools
import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .specs import Part
from .yaml_scalars import YamlScalar

MARKS = (b'"$plumb"', b'"$imagepolicy"')  # a file without any of these has no marker
_COMMENT = re.compile(r"(?<![^ \t])#[ \t]*(\{[^\r\n{}]{0,300}\})[ \t]*(?=[\r\n]|\Z)")
_MENTION = re.compile(r'"\$(?:plumb|imagepolicy)"')
_MOST = 5000  # comments of a file that are parsed
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?"
_PLUMB = re.compile(rf"(?P<policy>{_NAME})(?::(?P<part>name|tag|digest))?", re.ASCII)
_FLUX = re.compile(rf"{_NAME}:(?P<policy>{_NAME})(?::(?P<part>name|tag|digest))?", re.ASCII)
_PATTERNS = {"$plumb": _PLUMB, "$imagepolicy": _FLUX}


@dataclass(frozen=True, slots=True)
class Marker:
    """Which policy decides a value, and which part of its choice."""

    policy: str
    part: Part


@dataclass(frozen=True, slots=True)
class MarkedValue:
    """A value with a marker behind it."""

    marker: Marker
    value: YamlScalar
    line: int  # from 1


@dataclass(frozen=True, slots=True)
class UnusableMarker:
    """A marker that cannot be used."""

    line: int
    reason: str


def parse_marker(comment: str) -> Marker | None:
    """Return the marker in a JSON map; None for another comment. Raises ValueError for a marker with a fault."""
    try:
        content = json.loads(comment)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not content.keys() & _PATTERNS.keys():
        return None
    if len(content) != 1:
        raise ValueError("it has more than one key")
    ((word, value),) = content.items()
    match = _PATTERNS[word].fullmatch(value) if isinstance(value, str) else None
    if match is None:
        form = "POLICY" if word == "$plumb" else "NAMESPACE:POLICY"
        raise ValueError(f"its value is not {form}, with :name, :tag or :digest behind it or not")
    return Marker(match["policy"], Part(match["part"] or ""))


def find_marked(text: str, values: Sequence[YamlScalar]) -> Iterator[MarkedValue | UnusableMarker]:
    """Yield every marker of a file with the value before it on its line, in order. `values` are all of the file's."""
    starts = [value.start for value in values]
    known: set[int] = set()
    for match in itertools.islice(_COMMENT.finditer(text), _MOST):
        before = bisect_right(starts, match.start()) - 1
        last = values[before] if before >= 0 else None
        line = text.count("\n", 0, match.start()) + 1
        known.add(line)
        try:
            marker = parse_marker(match[1])
        except ValueError as error:
            marker, wrong = None, str(error)
        else:
            wrong = ""
        if last is not None and match.start() < last.end:  # inside a text
            continue
        if wrong:
            yield UnusableMarker(line, wrong)
        elif marker is not None:
            yield _marked_value(text, last, marker, match.start(), line)
    for mention in itertools.islice(_MENTION.finditer(text), _MOST):
        line = text.count("\n", 0, mention.start()) + 1
        before = bisect_right(starts, mention.start()) - 1
        if line not in known and (before < 0 or mention.start() >= values[before].end):
            known.add(line)
            yield UnusableMarker(line, 'it is not written like # {"$plumb": "POLICY"} at the end of a line')


def _marked_value(
    text: str, last: YamlScalar | None, marker: Marker, position: int, line: int
) -> MarkedValue | UnusableMarker:
    if last is None or text[last.end : position].strip(" \t"):
        return UnusableMarker(line, "there is no value before it on its line")
    if last.is_key:
        return UnusableMarker(line, "what stands before it is a key")
    if last.is_tagged or last.is_long:
        return UnusableMarker(line, "the value before it is on several lines, or has a tag")
    return MarkedValue(marker, last, line)
