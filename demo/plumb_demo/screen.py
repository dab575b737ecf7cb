# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The terminal. Colours only where output is one, and never with NO_COLOR (https://no-color.org)."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from time import monotonic

WIDTH = 100


class Style(Enum):
    """ANSI select-graphic-rendition codes."""

    TITLE = "1;36"
    GOOD = "32"
    BAD = "1;31"
    CHANGE = "33"
    FAINT = "2"
    STRONG = "1"


def _colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


TICK, CROSS = ("✓", "✗") if _can_show("✓✗") else ("ok", "FAILED")


def paint(text: str, style: Style) -> str:
    """Return `text` in a style, or as it is where there are no colours."""
    return f"\x1b[{style.value}m{text}\x1b[0m" if _colours() and text else text


def print_line(text: str = "") -> None:
    """Print one line at once."""
    print(
        text.encode(sys.stdout.encoding or "ascii", "replace").decode(sys.stdout.encoding or "ascii"),
        flush=True,
    )


def print_heading(number: int, text: str) -> None:
    """Print the heading of a scene."""
    print_line()
    print_line(paint(f"{number}  {text}", Style.TITLE))


def print_text(text: str) -> None:
    """Print what is about to happen."""
    for line in textwrap.wrap(text, WIDTH - 3):
        print_line(f"   {line}")


def print_command(text: str) -> None:
    """Print a command that anyone could type, as it is run."""
    print_line(paint(f"   $ {text}", Style.STRONG))


def print_output(line: str) -> None:
    """Print a line of a command's output."""
    print_line(f"   {paint('|', Style.FAINT)} {_marked(line)}")


def _marked(line: str) -> str:
    """Plumb's own marks in colour: ~ change, ! drift, + new, - gone."""
    styles = {"~": Style.CHANGE, "!": Style.CHANGE, "+": Style.GOOD, "-": Style.BAD, "x": Style.BAD}
    mark = line.lstrip()[:2]
    if len(mark) == 2 and mark[1] == " " and mark[0] in styles:
        return paint(line, styles[mark[0]])
    return line


def print_verified(text: str) -> None:
    """Print a fact that the demo has checked itself."""
    print_line(f"   {paint(TICK, Style.GOOD)} {text}")


def print_failed(text: str) -> None:
    """Print a check that failed."""
    print_line(f"   {paint(CROSS, Style.BAD)} {paint(text, Style.BAD)}")


def print_duration(what: str, seconds: float) -> None:
    """Print how long something took, in seconds."""
    print_line(paint(f"   {what} took {seconds:.1f} s", Style.FAINT))


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long the body took, if it succeeds."""
    start = monotonic()
    yield
    print_duration(what, monotonic() - start)
