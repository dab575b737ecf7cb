# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML to plain values, built from the parser's events: no recursion, each key once, aliases counted as written out.

Differences from PyYAML's own loaders, all towards what sigs.k8s.io/yaml does: scalars by `scalars.resolve_plain`, keys
that are integers or booleans become strings, dates stay strings. Refused here although sigs.k8s.io/yaml lets it pass:
duplicate keys, keys with a fraction, tags beyond the core ones (also `!!binary`), and a `<<` that would replace a key
written above it, which kubectl and kustomize read differently.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from ...model.errors import RenderError, printable
from ...model.objects import Origin
from ..bounds.limits import MAX_DEPTH, Meter
from ..location import Location
from .fault import fault_of
from .pyyaml import parser_class, yaml
from .scalars import LIST_TAG, MAP_TAG, UNKNOWN_TAG, resolve_plain, resolve_tagged

Found = tuple[Any, int, tuple[int, ...]]  # value, line from 1, lines of `items`
_CHECK_EVERY = 4096  # values between two checks of the bounds
_NOTHING: Any = object()  # no key is waiting for its value
_MERGE: Any = object()  # the waiting key is `<<`


class _Anchor:
    """What `&name` stands for. Until its end is reached an alias to it would contain itself."""

    __slots__ = ("done", "text", "value", "values")

    def __init__(self) -> None:
        self.done, self.value, self.values, self.text = False, None, 0, 0


class _Frame:
    """A list or map that is still open."""

    __slots__ = ("anchor", "container", "is_map", "key", "key_lines", "text", "values")

    def __init__(self, container: Any, anchor: _Anchor | None, values: int, text: int) -> None:
        self.container, self.anchor = container, anchor
        self.is_map = isinstance(container, dict)
        self.key: Any = _NOTHING
        self.key_lines: dict[str, int] = {}
        self.values, self.text = values, text


def read_yaml(text: str, *, file: str, meter: Meter) -> Iterator[Found]:
    """Yield the documents of a YAML stream that are not empty; raises as `documents.read_documents` does."""
    loader = parser_class(meter.subject)
    builder = _Builder(file, meter)
    try:
        yield from builder.documents(loader(text))
    except yaml.reader.ReaderError as exc:
        # The C parser gives a position in bytes, the one in Python one in characters.
        before = (
            text.encode()[: exc.position] if loader is not yaml.SafeLoader else text[: exc.position].encode()
        )
        location = Location(meter.subject, Origin(file, before.count(b"\n") + 1))
        raise location.error("a character that YAML does not allow") from exc
    except yaml.MarkedYAMLError as exc:
        line, fault = fault_of(text, exc)
        raise Location(meter.subject, Origin(file, line)).error(f"not valid YAML: {fault}") from exc
    except (ValueError, OverflowError) as exc:
        # The parser in Python stumbles over escapes and directives with numbers that are too large.
        location = Location(meter.subject, Origin(file, builder.line))
        raise location.error("not valid YAML: an escape that is no character, or too large a number") from exc


class _Builder:
    """Puts documents together from events."""

    def __init__(self, file: str, meter: Meter) -> None:
        self._file, self._meter = file, meter
        self._plain: dict[str, Any] = {}  # each plain scalar is resolved once
        self._values = self._text = 0  # of this document, aliases written out
        self._next_check = _CHECK_EVERY
        self._last: Any = None  # event
        self._reset()
        self._handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._start_map,
            yaml.SequenceStartEvent: self._start_list,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
        }

    def _reset(self) -> None:
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchor] = {}
        self._root: Any = None
        self._root_line = 0
        self._item_lines: list[int] = []
        self._values = self._text = 0
        self._next_check = _CHECK_EVERY

    @property
    def line(self) -> int:
        """Of the last event; 0 before the first."""
        return self._last.start_mark.line + 1 if self._last is not None else 0

    def documents(self, parser: Any) -> Iterator[Found]:
        """Read a parser's events to the end of the stream."""
        handlers, next_event = self._handlers, parser.get_event
        try:
            while (event := next_event()) is not None:
                self._last = event
                handler = handlers.get(type(event))
                if handler is not None:
                    handler(event)
                elif isinstance(event, yaml.DocumentStartEvent):
                    self._reset()
                    self._meter.document(self._at(event))
                elif isinstance(event, yaml.DocumentEndEvent):
                    self._meter.expanded(self._at(event), self._values, self._text)
                    if self._root is not None:
                        yield self._root, self._root_line, tuple(self._item_lines)
                elif isinstance(event, yaml.StreamEndEvent):
                    return
        finally:
            parser.dispose()

    def _at(self, event: Any) -> str:
        return f"{self._file}:{event.start_mark.line + 1}"

    def _fail(self, event: Any, reason: str, next_step: str = "Correct the file.") -> RenderError:
        origin = Origin(self._file, event.start_mark.line + 1)
        return Location(self._meter.subject, origin).error(reason, next_step)

    def _count(self, event: Any, values: int, text: int) -> None:
        self._values += values
        self._text += text
        if self._values >= self._next_check:
            # Checked now and then, so that a bomb is refused long before its end.
            self._meter.expanding(self._at(event), self._values, self._text)
            self._next_check = self._values + _CHECK_EVERY

    # Scalars

    def _scalar(self, event: Any) -> None:
        text = event.value
        if not text.isascii():
            text.encode()  # the parser in Python lets half a surrogate pair pass
        value = self._resolve(event)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.is_map and frame.key is _NOTHING:
            self._text += len(text)
            self._set_key(frame, event, value)
        else:
            self._count(event, 1, len(text))
            if isinstance(value, float) and not math.isfinite(value):
                raise self._fail(
                    event, "infinity and NaN cannot be written in JSON", "Quote it if it is a string."
                )
            self._place(event, value)
        if event.anchor:
            self._remember(event)

    def _remember(self, event: Any) -> None:
        anchor = self._anchors[event.anchor] = _Anchor()
        anchor.done, anchor.value = True, self._resolve(event)
        anchor.values, anchor.text = 1, len(event.value)

    def _resolve(self, event: Any) -> Any:
        if event.tag:
            return self._tagged(event)
        if not event.implicit[0]:
            return event.value
        text, known = event.value, self._plain
        if text not in known:
            known[text] = resolve_plain(text)
        return known[text]

    def _tagged(self, event: Any) -> Any:
        try:
            return resolve_tagged(event.tag, event.value)
        except ValueError as exc:
            raise self._fail(event, *exc.args) from None

    def _check_tag(self, event: Any, only: str) -> None:
        if event.tag not in (None, "", "!", only):
            raise self._fail(event, *UNKNOWN_TAG)

    # Lists and maps

    def _start_map(self, event: Any) -> None:
        self._check_tag(event, MAP_TAG)
        stack = self._stack
        if len(stack) == 2 and not stack[1].is_map and stack[0].key == "items":
            self._item_lines.append(event.start_mark.line + 1)
        self._open(event, {})

    def _start_list(self, event: Any) -> None:
        self._check_tag(event, LIST_TAG)
        self._open(event, [])

    def _open(self, event: Any, container: Any) -> None:
        stack = self._stack
        if len(stack) >= MAX_DEPTH:
            raise self._fail(event, f"lists and maps are nested more than {MAX_DEPTH} deep", "Flatten it.")
        if stack and stack[-1].is_map and stack[-1].key is _NOTHING:
            raise self._fail(event, "a list or map cannot be a key")
        anchor = None
        if event.anchor:
            anchor = self._anchors[event.anchor] = _Anchor()
        if not stack:
            self._root_line = event.start_mark.line + 1
        stack.append(_Frame(container, anchor, self._values, self._text))
        self._count(event, 1, 0)

    def _end(self, event: Any) -> None:
        frame = self._stack.pop()
        if frame.anchor is not None:
            frame.anchor.done, frame.anchor.value = True, frame.container
            frame.anchor.values = self._values - frame.values
            frame.anchor.text = self._text - frame.text
        self._place(event, frame.container)

    def _alias(self, event: Any) -> None:
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            raise self._fail(event, "an alias has no anchor above it", "Quote the text if it is none.")
        if not anchor.done:
            raise self._fail(event, "an anchor contains itself")
        self._count(event, anchor.values, anchor.text)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.is_map and frame.key is _NOTHING:
            self._set_key(frame, event, anchor.value)
        else:
            self._place(event, anchor.value)

    # Where values go

    def _set_key(self, frame: _Frame, event: Any, value: Any) -> None:
        if value == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
            name, frame.key = "<<", _MERGE
        else:
            name = frame.key = value if isinstance(value, str) else self._key_text(event, value)
        if name in frame.key_lines:
            shown = printable(name, 100)
            first = frame.key_lines[name]
            raise self._fail(
                event, f"the key {shown!r} is written twice, first on line {first}", "Keep one of them."
            )
        frame.key_lines[name] = event.start_mark.line + 1

    def _key_text(self, event: Any, value: Any) -> str:
        """Return the text of a key that is written as something else."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        raise self._fail(event, "a key is neither text nor an integer nor a boolean", "Quote the key.")

    def _place(self, event: Any, value: Any) -> None:
        if not self._stack:
            self._root = value
            self._root_line = self._root_line or event.start_mark.line + 1
            return
        frame = self._stack[-1]
        if not frame.is_map:
            frame.container.append(value)
            return
        key, frame.key = frame.key, _NOTHING
        if key is _MERGE:
            self._merge(frame, event, value)
        else:
            frame.container[key] = value

    def _merge(self, frame: _Frame, event: Any, value: Any) -> None:
        """`<<: *a` or `<<: [*a, *b]`: of several the first wins, keys written in the map itself win over all."""
        sources = [value] if isinstance(value, dict) else value
        if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
            raise self._fail(event, "<< takes a map or a list of maps")
        for source in reversed(sources):
            for key in source:
                if key in frame.key_lines:
                    raise self._fail(
                        event,
                        f"<< brings the key {printable(key, 100)!r}, which is written above it, and tools differ in "
                        "which of the two they take",
                        "Put << first in its map.",
                    )
            frame.container.update(source)
