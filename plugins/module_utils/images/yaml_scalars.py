# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scalars of a YAML text with their positions in it, in characters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Union

from ..render.bounds.limits import MAX_DEPTH
from ..render.yaml.pyyaml import parser_class, yaml

Step = Union[str, int]  # noqa: UP007 - pylint takes the other form for arithmetic
Path = tuple[Step, ...]
_BYTE_ORDER_MARK = "\ufeff"
_PROPERTIES = re.compile(r"(?:[&!]\S*[ \t\r\n]+)+")


@dataclass(frozen=True, slots=True)
class YamlScalar:
    """A scalar: where its text begins and ends, without anchor and tag, with its quotes.

    `path` begins with the number of its document.
    """

    path: Path
    start: int
    end: int
    style: str  # the quote, `|` or `>`; empty for plain
    value: str
    is_key: bool
    is_tagged: bool
    is_long: bool  # on several lines, or in a block


class NotYamlError(Exception):
    """The text is not YAML; the message says why."""


def scalars(text: str, subject: str) -> tuple[YamlScalar, ...]:
    """Return all scalars of a text, in order. Raises NotYamlError; RenderError where PyYAML is missing."""
    loader = parser_class(subject)
    skipped = int(text.startswith(_BYTE_ORDER_MARK))  # the parsers do not agree on whether it is counted
    try:
        return tuple(_walk(text, loader, skipped))
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        raise NotYamlError(
            f"line {mark.line + 1}" if mark else "a character that YAML does not allow"
        ) from exc
    except (ValueError, OverflowError, RecursionError) as exc:
        raise NotYamlError("an escape that is no character, or too large a number") from exc


class _OpenCollection:
    """A list or map that is still open."""

    __slots__ = ("count", "is_map", "key")

    def __init__(self, *, is_map: bool) -> None:
        self.is_map, self.key, self.count = is_map, "", 0

    @property
    def wants_key(self) -> bool:
        return self.is_map and self.count % 2 == 0

    @property
    def step(self) -> str | int:
        return self.key if self.is_map else self.count


def _walk(text: str, loader: Any, skipped: int) -> Iterator[YamlScalar]:
    document = -1
    stack: list[_OpenCollection] = []
    for event in yaml.parse(text[skipped:], Loader=loader):
        if isinstance(event, yaml.DocumentStartEvent):
            document, stack = document + 1, []
        elif isinstance(event, yaml.ScalarEvent):
            path = (document, *(level.step for level in stack))
            is_key = bool(stack) and stack[-1].wants_key
            yield from _scalars_of(text, event, path, skipped, is_key=is_key)
            if is_key:
                stack[-1].key = event.value
            _count(stack)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(stack) >= MAX_DEPTH:
                raise ValueError("nested too deep")
            stack.append(_OpenCollection(is_map=isinstance(event, yaml.MappingStartEvent)))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            stack.pop()
            _count(stack)
        elif isinstance(event, yaml.AliasEvent):
            _count(stack)


def _count(stack: list[_OpenCollection]) -> None:
    if stack:
        stack[-1].count += 1


def _scalars_of(text: str, event: Any, path: Path, skipped: int, *, is_key: bool) -> Iterator[YamlScalar]:
    start, end = event.start_mark.index + skipped, event.end_mark.index + skipped
    if event.anchor or event.tag:
        properties = _PROPERTIES.match(text, start, end)
        start = properties.end() if properties else end
    if start >= end:  # a value that is not there
        return
    style = event.style or ""
    yield YamlScalar(
        path=path,
        start=start,
        end=end,
        style=style,
        value=event.value,
        is_key=is_key,
        is_tagged=bool(event.tag),
        is_long=style in {"|", ">"} or "\n" in text[start:end] or "\r" in text[start:end],
    )
