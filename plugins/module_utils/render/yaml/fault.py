# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where YAML is wrong, and how, in terms of the file: never a word of its content, which may be a secret.

libyaml says where it noticed a fault. Of an indentation, a quote or a bracket that may be long after the line that is
to be corrected.
"""

from __future__ import annotations

import re
from typing import Any

from ...model.errors import printable

# Faults of what was begun at the context: it is named, not where the parser gave up.
_BEGUN = (
    "while scanning a simple key",
    "while scanning a quoted scalar",
    "while parsing a flow sequence",
    "while parsing a flow mapping",
)
_OPENED = re.compile(r"( *)((?:-(?: +|$))*)")
_COMMENT = re.compile(r"\s*(?:#.*)?$")
_DOCUMENT = re.compile(r"(?:---|\.\.\.)(?:\s|$)")
_LINES_ABOVE = 10_000  # that are searched for the levels of indentation


def fault_of(text: str, error: Any) -> tuple[int, str]:
    """Return the line, from 1, of a MarkedYAMLError (0: not known), and what is wrong there, with its column."""
    context, problem = error.context or "", error.problem or ""
    mark = error.problem_mark or error.context_mark
    if context.startswith(_BEGUN) and error.context_mark is not None:
        mark = error.context_mark
    if mark is None:
        return 0, printable(f"{context} {problem}", 200)
    lines = text.splitlines()[: mark.line + 1]
    if len(lines) == mark.line + 1 and "\t" in lines[-1][: len(lines[-1]) - len(lines[-1].lstrip())]:
        column = lines[-1].index("\t") + 1
        return mark.line + 1, f"column {column}: a tab indents the line, and YAML allows only spaces"
    wrong = _wrong_indentation(lines) if "flow" not in context and "quoted" not in context else ""
    if wrong:
        return mark.line + 1, wrong
    return mark.line + 1, f"column {mark.column + 1}: {printable(f'{context} {problem}', 200)}"


def _wrong_indentation(lines: list[str]) -> str:
    """Return what is wrong with the last line's indentation; empty where it is that of a line above it."""
    own = len(lines[-1]) - len(lines[-1].lstrip(" "))
    levels = _levels(lines[:-1])
    if not levels or own in levels:
        return ""
    above = " or ".join(map(str, sorted(levels)))
    return f"column {own + 1}: the line is indented by {own} spaces, where {above} would fit"


def _levels(lines: list[str]) -> set[int]:
    """Return the indentations of the maps and lists that are open after these lines; `- a` opens two."""
    levels: set[int] = set()
    least = -1
    for line in reversed(lines[-_LINES_ABOVE:]):
        if _DOCUMENT.match(line):
            break
        opened = _OPENED.match(line)
        if opened is None or _COMMENT.match(line):
            continue
        own, inner = len(opened[1]), len(opened[1]) + len(opened[2])
        if least < 0 or own < least:
            levels |= {level for level in (own, inner) if least < 0 or level < least}
            least = own
        if own == 0:
            break
    return levels
