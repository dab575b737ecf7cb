# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An object as lines of YAML, each with its place in the object, and what two of them have different.

The YAML is what people write: keys in the order of the object, text in blocks, lists as kubectl indents them. It is for
reading: a line that is too long is cut, and has the digest of the whole.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any, NamedTuple

from ...model.change import ABSENT
from ...model.object_diff import Hunk
from ...render.yaml.scalars import resolve_plain

_LONGEST = 300  # characters of a line
_CONTEXT = 3  # lines around a change
_MOST_COMPARED = 4_000_000  # pairs of lines that are compared; above, all lines count as changed
_PLAIN = re.compile(r"[A-Za-z0-9_./](?:[\w./@%+=,~:-]|[ ](?=\S))*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Changed:
    """A value of which changes are known, by their paths."""

    value: Any
    paths: tuple[str, ...]


class Verbatim(str):
    """Text that is written as it is, and is no value of YAML."""

    __slots__ = ()


class Line(NamedTuple):
    """A line of YAML, the path of what it is in, and the paths of the changes that it is part of."""

    text: str
    at: str
    paths: tuple[str, ...] = ()


def yaml_lines(value: Any) -> list[Line]:
    """Return a value of JSON types as lines of YAML; parts of it may be `Changed`."""
    lines: list[Line] = []
    if value is not ABSENT:
        _add(lines, value, "", "", ())
    return lines


def hunks(before: Sequence[Line], after: Sequence[Line]) -> tuple[Hunk, ...]:
    """Return the parts in which the lines differ, each with three lines around it; none where they are equal."""
    tagged = list(_tagged(before, after))
    changed = [number for number, (tag, _line) in enumerate(tagged) if tag != " "]
    spans: list[tuple[int, int]] = []
    for number in changed:
        start, end = max(0, number - _CONTEXT), min(len(tagged), number + _CONTEXT + 1)
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    shown: set[str] = set()
    return tuple(_hunk(tagged[start:end], shown) for start, end in spans)


def _hunk(tagged: Sequence[tuple[str, Line]], shown: set[str]) -> Hunk:
    paths = dict.fromkeys(path for tag, line in tagged if tag != " " for path in line.paths)
    new = tuple(path for path in paths if path not in shown)
    shown.update(new)
    changed = next(line for tag, line in tagged if tag != " ")
    at = tagged[0][1].at or changed.at or changed.text.partition(":")[0]
    return Hunk(at, new, tuple(f"{tag}{_cut(line.text)}" for tag, line in tagged))


def _tagged(before: Sequence[Line], after: Sequence[Line]) -> Iterator[tuple[str, Line]]:
    """Yield all lines, each with a blank, `-` or `+`."""
    first, second = ([line[:2] for line in lines] for lines in (before, after))
    start = _common(first, second)
    end = _common(first[: start - 1 if start else None : -1], second[: start - 1 if start else None : -1])
    yield from ((" ", line) for line in after[:start])
    middle = first[start : len(first) - end], second[start : len(second) - end]
    for tag, begin, until, new_begin, new_until in _operations(*middle):
        if tag == "equal":
            yield from ((" ", line) for line in after[start + new_begin : start + new_until])
        else:
            yield from (("-", line) for line in before[start + begin : start + until])
            yield from (("+", line) for line in after[start + new_begin : start + new_until])
    yield from ((" ", line) for line in after[len(after) - end :])


def _common(first: Sequence[Any], second: Sequence[Any]) -> int:
    """Return how many of the first items are equal."""
    pairs = zip(first, second, strict=False)
    return next((n for n, (left, right) in enumerate(pairs) if left != right), min(len(first), len(second)))


def _operations(first: Sequence[Any], second: Sequence[Any]) -> list[tuple[str, int, int, int, int]]:
    if not first or not second or len(first) * len(second) > _MOST_COMPARED:
        return [("replace", 0, len(first), 0, len(second))]
    return [*SequenceMatcher(None, first, second, autojunk=False).get_opcodes()]


def _add(lines: list[Line], value: Any, indent: str, at: str, paths: tuple[str, ...]) -> None:
    """Add the lines of a map, a list, or a value that stands alone."""
    if isinstance(value, Changed):
        value, paths = value.value, (*paths, *value.paths)
    if isinstance(value, Mapping) and value:
        for key, child in value.items():
            _add_field(lines, str(key), child, indent, at, paths)
    elif isinstance(value, list) and value:
        for item in value:
            start = len(lines)
            _add(lines, item, f"{indent}  ", f"{at}[{_label(item)}]", paths)
            first_line = lines[start]
            lines[start] = first_line._replace(text=f"{indent}- {first_line.text[len(indent) + 2 :]}")
    else:
        first, *more = _value_lines(value, indent[2:])
        lines.append(Line(f"{indent}{first}", at, paths))
        lines += [Line(text, at, paths) for text in more]


def _add_field(  # noqa: PLR0917 - a step of a recursion
    lines: list[Line], key: str, child: Any, indent: str, at: str, paths: tuple[str, ...]
) -> None:
    if isinstance(child, Changed):
        child, paths = child.value, (*paths, *child.paths)
    head, below = f"{indent}{_text(key)}:", f"{at}.{key}" if at else key
    if isinstance(child, Mapping) and child:
        lines.append(Line(head, at, paths))
        _add(lines, child, f"{indent}  ", below, paths)
    elif isinstance(child, list) and child:
        lines.append(Line(head, at, paths))
        _add(lines, child, indent, below, paths)
    else:
        first, *more = _value_lines(child, indent)
        lines.append(Line(f"{head} {first}", at, paths))
        lines += [Line(text, below, paths) for text in more]


def _label(item: Any) -> str:
    if isinstance(item, Changed):
        item = item.value
    name = item.get("name") if isinstance(item, Mapping) else None
    return name if isinstance(name, str) else ""


def _value_lines(value: Any, indent: str) -> list[str]:
    """Return a value that is no map and no list, or an empty one; the lines of text in a block are indented."""
    if isinstance(value, Verbatim):
        return [str(value)]
    if isinstance(value, str):
        return _block(value, indent) if "\n" in value else [_text(value)]
    if isinstance(value, Mapping):
        return ["{}"]
    return [json.dumps(value)]


def _block(text: str, indent: str) -> list[str]:
    lines = text.rstrip("\n").split("\n")
    if text[0] in " \n\t" or not all(line.replace("\t", "").isprintable() for line in lines):
        return [_quoted(text)]
    ending = len(text) - len(text.rstrip("\n"))
    mark = {0: "|-", 1: "|"}.get(ending, "|+")
    lines += [""] * (ending - 1)
    return [mark, *(f"{indent}  {line}" if line else "" for line in lines)]


@lru_cache(maxsize=8192)
def _text(text: str) -> str:
    """Return text on one line, in quotes where it could be read as something else."""
    is_plain = _PLAIN.fullmatch(text) and ": " not in text and text[-1] != ":"
    return text if is_plain and isinstance(resolve_plain(text), str) else _quoted(text)


def _quoted(text: str) -> str:
    shown = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else _escaped(char) for char in shown)


def _escaped(char: str) -> str:
    number = ord(char)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]
    return f"{text[:_LONGEST]}… ({len(text) - _LONGEST} more characters, {digest})"
