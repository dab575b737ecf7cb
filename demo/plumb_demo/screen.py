# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the audience sees. Colours only on a terminal, and never with NO_COLOR (https://no-color.org)."""

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


TICK, CROSS, ARROW = ("✓", "✗", "▸") if _can_show("✓✗▸") else ("ok", "FAILED", ">")


def paint(text: str, style: Style) -> str:
    """`text` in a style, or as it is where there are no colours."""
    return f"\x1b[{style.value}m{text}\x1b[0m" if _colours() and text else text


def say(text: str = "") -> None:
    """One line, at once."""
    print(
        text.encode(sys.stdout.encoding or "ascii", "replace").decode(sys.stdout.encoding or "ascii"),
        flush=True,
    )


def title(number: int, text: str) -> None:
    """The heading of a scene."""
    say()
    say(paint(f"{number}  {text}", Style.TITLE))


def tell(text: str) -> None:
    """What is about to happen, for a reader."""
    for line in textwrap.wrap(text, WIDTH - 3):
        say(f"   {line}")


def command(text: str) -> None:
    """A command that anyone could type, as it is run."""
    say(paint(f"   $ {text}", Style.STRONG))


def output(line: str) -> None:
    """A line of a command's output."""
    say(f"   {paint('|', Style.FAINT)} {_marked(line)}")


def _marked(line: str) -> str:
    """Plumb's own marks in colour: ~ change, ! drift, + new, - gone."""
    styles = {"~": Style.CHANGE, "!": Style.CHANGE, "+": Style.GOOD, "-": Style.BAD, "x": Style.BAD}
    mark = line.lstrip()[:2]
    if len(mark) == 2 and mark[1] == " " and mark[0] in styles:
        return paint(line, styles[mark[0]])
    return line


def verified(text: str) -> None:
    """A fact that the demo has looked up itself."""
    say(f"   {paint(TICK, Style.GOOD)} {text}")


def refuted(text: str) -> None:
    """A fact that turned out otherwise."""
    say(f"   {paint(CROSS, Style.BAD)} {paint(text, Style.BAD)}")


def took(what: str, seconds: float) -> None:
    """How long something took."""
    say(paint(f"   {what} took {seconds:.1f} s", Style.FAINT))


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Say how long the body took, if it succeeds."""
    start = monotonic()
    yield
    took(what, monotonic() - start)
