# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes of a file to documents: what Kubernetes would read, and nothing that could hurt the reader.

JSON is read as JSON. Whatever the JSON reader does not like goes to the YAML reader, which reads it or names the line.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...model.errors import RenderError
from ..bounds.limits import MAX_DEPTH, MAX_VALUES, Meter
from ..bounds.memory_budget import memory_of_json, values_of_json
from .events import read_yaml
from .scalars import as_json_number


@dataclass(frozen=True, slots=True)
class Document:
    """One document that is not empty, the line it starts on, and of a List the lines its items start on."""

    value: Any
    line: int
    item_lines: tuple[int, ...] = ()


_BEGINNING = 4096  # bytes in which JSON has begun
_JSON_SPACE = re.compile(r"[ \t\r\n]*")


class _NotPlainJsonError(ValueError):
    """JSON that only the YAML reader can name the fault of."""


def read_documents(data: bytes, *, file: str, meter: Meter) -> tuple[Document, ...]:
    """Return the documents of a YAML or JSON file in order; empty ones are left out.

    `file` names it in errors. Raises RenderError with file and line for what is no valid UTF-8 or YAML, for duplicate
    keys, tags beyond the core ones, and whatever passes a bound of `limits`. Shared parts of a value (aliases) are the
    same Python object: read only.
    """
    if data[:_BEGINNING].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        if values_of_json(data) > MAX_VALUES:  # the JSON reader could count them only when it has them all
            reason = f"the file is JSON with more than {MAX_VALUES} commas and brackets"
            raise meter.refusal(file, reason, "Split the file, or write it as YAML.")
        with meter.parsing(file, len(data), memory_of_json(data)):
            try:
                return tuple(_read_json(_decoded(data, file, meter), file, meter))
            except (_NotPlainJsonError, json.JSONDecodeError, RecursionError, UnicodeEncodeError):
                pass  # the YAML reader names the line, or reads it
    return read_yaml_documents(data, file=file, meter=meter)


def read_yaml_documents(data: bytes, *, file: str, meter: Meter) -> tuple[Document, ...]:
    """As `read_documents`, but always by the YAML reader."""
    with meter.parsing(file, len(data)):
        text = _decoded(data, file, meter)
        return tuple(
            Document(value, line, item_lines)
            for value, line, item_lines in read_yaml(text, file=file, meter=meter)
        )


def _decoded(data: bytes, file: str, meter: Meter) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise RenderError(
            meter.subject, f"reading {file}:{line}", "the file is not valid UTF-8", "Save it as UTF-8."
        ) from exc


def _read_json(text: str, file: str, meter: Meter) -> Iterator[Document]:
    decoder = json.JSONDecoder(
        object_pairs_hook=_unique, parse_float=_finite, parse_int=_integer, parse_constant=_finite
    )
    position, line, values = _after_space(text, 0), 1, []
    line += text.count("\n", 0, position)
    while position < len(text):
        meter.document(f"{file}:{line}")
        value, end = decoder.raw_decode(text, position)
        values.append((value, line))
        after = _after_space(text, end)
        line += text.count("\n", position, after)
        position = after
    for value, at in values:
        meter.expanded(f"{file}:{at}", *_size(value))
        yield Document(value, at)


def _after_space(text: str, position: int) -> int:
    match = _JSON_SPACE.match(text, position)
    return match.end() if match else position


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _NotPlainJsonError
    return members


def _finite(text: str) -> int | float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotPlainJsonError
    return as_json_number(number)


def _integer(text: str) -> int | float:
    return as_json_number(int(text)) if len(text) < 20 else _finite(text)


def _size(value: Any) -> tuple[int, int]:
    """Return how many values and characters a value from JSON holds; refuses what is too deep or no valid text."""
    values, text, level, depth = 0, 0, [value], 0
    while level:
        depth += 1
        values += len(level)
        inner: list[Any] = []
        for item in level:
            if isinstance(item, str):
                text += len(item.encode())
            elif isinstance(item, dict):
                text += sum(len(key.encode()) for key in item)
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        level = inner
    if depth > MAX_DEPTH + 1:
        raise _NotPlainJsonError
    return values, text
