# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the words of the agent's configuration file one at a time, each with its type."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.duration import parse_duration
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

OPERATION = "reading the configuration"


@dataclass(frozen=True, slots=True)
class ConfigReader:
    """Reads the words of one map of the file; each method raises InputError for a value that is not allowed."""

    subject: str
    place: str  # with a dot at its end, empty at the top
    values: Mapping[str, Any]
    known: set[str]

    def __post_init__(self) -> None:
        for word in self.values:
            if word not in self.known:
                near = difflib.get_close_matches(str(word), self.known, n=1)
                known = f"The words are {', '.join(sorted(self.known))}."
                why = f"{self.place}{word} is unknown"
                raise InputError(self.subject, OPERATION, why, f"Did you mean {near[0]}?" if near else known)

    def refused(self, word: str, why: str, example: str) -> InputError:
        """Return the error for a word with a wrong value."""
        return InputError(
            f"{self.subject}, {self.place}{word}", OPERATION, why, f"Write for example {example}."
        )

    def missing(self, word: str) -> Any:
        """Raise the error for a word that has to be there."""
        raise InputError(self.subject, OPERATION, f"{word} is missing", f"Add {self.place}{word}.")

    def _typed(self, word: str, kind: type, default: Any, example: str) -> Any:
        value = self.values.get(word, default)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.refused(word, f"{str(value)[:80]!r} is no {_KINDS[kind]}", example)
        return value

    def text(self, word: str, default: str) -> str:
        """Return a text."""
        text: str = self._typed(word, str, default, "a text")
        return text

    def flag(self, word: str, *, default: bool) -> bool:
        """Return true or false."""
        flag: bool = self._typed(word, bool, default, "true")
        return flag

    def number(self, word: str, default: int, least: int, most: int) -> int:
        """Return a whole number from `least` to `most`."""
        number: int = self._typed(word, int, default, str(default))
        if not least <= number <= most:
            raise self.refused(word, f"{number} is not between {least} and {most}", str(default))
        return number

    def choice(self, word: str, choices: tuple[str, ...]) -> str:
        """Return one of the choices; the first is the default."""
        text = self.text(word, choices[0])
        if text not in choices:
            raise self.refused(word, f"{text[:80]!r} is none of {', '.join(choices)}", choices[0])
        return text

    def duration(self, word: str, default: str) -> float:
        """Return a duration in seconds."""
        return parse_duration(self.text(word, default), subject=f"{self.subject}, {self.place}{word}")

    def path(self, word: str) -> Path | None:
        """Return an absolute path."""
        text = self.text(word, "")
        if text and not Path(text).is_absolute():
            raise self.refused(word, f"{text[:80]!r} is no absolute path", f"/etc/plumb/{Path(text).name}")
        return Path(text) if text else None

    def folder(self, word: str, default: str) -> Path:
        """Return an absolute path, or the default."""
        return self.path(word) or Path(default)

    def items(self, word: str) -> Iterator[ConfigReader]:
        """Yield a reader of each map of a list; their words are checked once `known` is set to them."""
        for item in self._typed(word, list, [], "a list of maps"):
            if not isinstance(item, Mapping):
                raise self.refused(word, f"{str(item)[:80]!r} is no map", "a list of maps")
            yield ConfigReader(self.subject, f"{self.place}{word}.", item, set(map(str, item)))

    def texts(self, word: str) -> tuple[str, ...]:
        """Return a list of texts."""
        items = self._typed(word, list, [], "[fleet]")
        if not all(isinstance(item, str) for item in items):
            raise self.refused(word, "it holds other values than text", "[fleet]")
        return tuple(items)

    def inner(self, word: str, known: set[str]) -> ConfigReader:
        """Return a reader of the map of a word."""
        values = self._typed(word, Mapping, {}, "a map") if self.values.get(word) is not None else {}
        return ConfigReader(self.subject, f"{self.place}{word}.", values, known)


_KINDS: Mapping[type, str] = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    Mapping: "map",
    list: "list",
}
