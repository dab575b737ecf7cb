# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diff of an object as text: headers, who changed what, and the hunks.

--- cluster  Deployment shop/web (apps/v1)
+++ git      deploy/web.yaml:1@abc1234
# spec.replicas: by kubectl-edit, 2026-12-01T10:15:00Z
@@ spec @@
 spec:
-  replicas: 5
+  replicas: 3
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..model.change import Cause, FieldChange
from ..model.errors import printable
from ..model.object_diff import Hunk, ObjectDiff
from ..model.plan import Action

_NOBODY = "/dev/null"
_LEFT = "left as it is"
_AROUND_LINE = 3  # characters that an output may add to a line


class DiffLine(str):
    """A line of a diff, in which blanks count."""

    __slots__ = ()


def diff_lines(action: Action) -> list[DiffLine]:
    """Return the diff of an action by lines, each printable; none where it has no diff or an empty one."""
    diff = action.diff
    if diff is None or not diff.hunks:
        return []
    changes = {change.path: change for change in action.changes}
    lines = [f"--- {_live_side(action, diff)}", f"+++ {_git_side(action, diff)}"]
    for hunk in diff.hunks:
        lines += _remarks(hunk, changes, diff)
        if hunk.at and diff.live and diff.wanted:
            lines.append(f"@@ {printable(hunk.at, 200)} @@")
        lines += hunk.lines
    return [DiffLine(_printable(line)) for line in lines]


def _live_side(action: Action, diff: ObjectDiff) -> str:
    return f"cluster  {_title(action)}" if diff.live else _NOBODY


def _git_side(action: Action, diff: ObjectDiff) -> str:
    if not diff.wanted:
        return _NOBODY
    place = str(action.origin) if action.origin is not None else ""
    place = f"{place}@{diff.revision}" if place and diff.revision else place or diff.revision
    title = place if diff.live else f"{_title(action)}  {place}"
    return f"git      {title}".rstrip()


def _title(action: Action) -> str:
    return f"{action.ref} ({action.api_version})" if action.api_version else str(action.ref)


def _remarks(hunk: Hunk, changes: dict[str, FieldChange], diff: ObjectDiff) -> Iterator[str]:
    for path in hunk.changes:
        change = changes.get(path)
        if change is None:
            continue
        author = "" if change.cause is Cause.GIT else _author(change)
        parts = [author, _LEFT if path in diff.left else ""]
        if any(parts):
            yield f"# {path}: {'; '.join(filter(None, parts))}"


def _author(change: FieldChange) -> str:
    verb = "added " if change.cause is Cause.ADDITION else ""
    if change.culprit is not None:
        return f"{verb}by {printable(str(change.culprit), 400)}"
    return f"{verb or 'changed '}by someone who is not recorded"


def _printable(line: str) -> str:
    """Return the line with a blank for each character that could end it or forge output."""
    return line if line.isprintable() else "".join(c if c.isprintable() else " " for c in line)


@dataclass(slots=True)
class DiffBudget:
    """How many lines and characters of diffs an output still takes, and what was left out."""

    lines: int
    of_object: int  # lines that one object may have
    size: int  # characters
    left_out: int = 0  # lines
    objects: int = 0  # that have lines left out

    @property
    def omission(self) -> str:
        """How much was left out, as the beginning of a sentence; empty where nothing was."""
        if not self.left_out:
            return ""
        objects = "1 object is" if self.objects == 1 else f"{self.objects} objects are"
        return f"{self.left_out} lines of the diffs of {objects} left out"

    def take(self, lines: Sequence[DiffLine]) -> list[DiffLine]:
        """Return as many of an object's lines as fit, and a line that counts the rest."""
        shown: list[DiffLine] = []
        for line in lines[: min(self.lines, self.of_object)]:
            self.size -= len(line) + _AROUND_LINE
            if self.size < 0:
                self.lines = 0  # nor does the next object's diff fit
                break
            shown.append(line)
        self.lines = max(0, self.lines - len(shown))
        rest = len(lines) - len(shown)
        if rest:
            self.left_out += rest
            self.objects += 1
        return [*shown, DiffLine(f"# … and {rest} more lines")] if shown and rest else shown
