# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How text is shown: colours only on a terminal, tables as wide as it is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from typing import TextIO

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import printable

_GAP = "  "
_LONGEST = 2000  # characters of a cell


class Tone(Enum):
    """What a text is about, as the terminal's code for it."""

    PLAIN = ""
    HEAD = "1"
    GOOD = "32"
    WARN = "33"
    BAD = "31"
    STILL = "36"


@dataclass(frozen=True, slots=True)
class Cell:
    """A text in a table."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Where lines are shown: columns and rows (0: no bound, as in a file), and whether there are colours."""

    width: int = 0
    height: int = 0
    colour: bool = False

    @classmethod
    def of(cls, stream: TextIO, environment: Mapping[str, str]) -> Screen:
        """Return the screen of a stream. NO_COLOR and a terminal without colours are respected."""
        if not stream.isatty():
            return cls()
        size = shutil.get_terminal_size()
        colour = not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb"
        return cls(width=size.columns, height=size.lines, colour=colour)

    def paint(self, text: str, tone: Tone) -> str:
        """Return the text in its colour, if there are colours."""
        return f"\x1b[{tone.value}m{text}\x1b[0m" if self.colour and tone.value and text else text

    def line(self, text: str, tone: Tone = Tone.PLAIN, indent: int = 0) -> str:
        """Return a line of text from outside: printable, indented, and cut at the width."""
        whole = " " * indent + printable(text, _LONGEST)
        return self.paint(_cut(whole, self.width), tone)

    def table(self, rows: Sequence[Sequence[Cell]], indent: int = 0) -> list[str]:
        """Return the rows as lines with aligned columns, each cut at the width."""
        cells = [[Cell(printable(cell.text, _LONGEST), cell.tone) for cell in row] for row in rows]
        columns = zip_longest(*cells, fillvalue=Cell(""))
        widths = [max(len(cell.text) for cell in column) for column in columns]
        return [self._row(row, widths, indent) for row in cells]

    def _row(self, row: Sequence[Cell], widths: Sequence[int], indent: int) -> str:
        line, used = " " * indent, indent
        for number, (cell, width) in enumerate(zip(row, widths, strict=False)):
            gap = len(_GAP) if number else 0
            room = self.width - used - gap if self.width else width
            if room <= 0:
                break
            text = _cut(cell.text, room)
            line += " " * gap + self.paint(text, cell.tone) + " " * (min(width, room) - len(text))
            used += gap + min(width, room)
        return line.rstrip()


def _cut(text: str, width: int) -> str:
    return text if not width or len(text) <= width else f"{text[: max(0, width - 1)]}…"
