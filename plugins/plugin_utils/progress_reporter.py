# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows how far a task is while it works: a live line, lines, or a file for programs.

    the work of a task -- counts --> Progress (model/progress.py)
                                       ^
                       a thread reads it four times a second
                                       |
    Display, in Ansible's worker -- queue --> Ansible's first process -- writes --> standard error

Standard output has the results, and Ansible does not flush it where it is no terminal; standard error is written line
by line. Whether that is a terminal is asked when this is imported, in Ansible's first process: its workers have none.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ansible.utils.display import Display

from ansible_collections.plumb.gitops.plugins.module_utils.model.progress import Progress, ProgressSnapshot
from ansible_collections.plumb.gitops.plugins.module_utils.state.file import write_whole

ON_TERMINAL = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"

_PAUSE = 0.25  # seconds between two looks
_LINE_EVERY = 5.0  # seconds
_SAME_LINE_EVERY = 30.0  # seconds until a line that says nothing new is printed again
_FILE_EVERY = 1.0  # seconds
_CLEAR = "\r\x1b[K"  # to the beginning of the line, which is emptied


class ProgressOutput(Protocol):
    """Shows a progress. `seconds` is the age of the task."""

    def show(self, snapshot: ProgressSnapshot, seconds: float) -> None:
        """Show it, if it is time to."""

    def close(self) -> None:
        """Leave nothing that is not true any more."""


class LiveLine:
    """One line of a terminal, written again and again."""

    def __init__(self, cluster: str) -> None:
        self._display = Display()
        self._cluster = cluster
        self._line = ""

    def show(self, snapshot: ProgressSnapshot, seconds: float) -> None:
        """Write the line, if it has changed."""
        line = _line(self._cluster, snapshot, seconds)[: max(20, (self._display.columns or 80) - 1)]
        if line != self._line:
            self._write(line)
            self._line = line

    def close(self) -> None:
        """Remove the line."""
        if self._line:
            self._write("")

    def _write(self, line: str) -> None:
        self._display.display(f"{_CLEAR}{line}", stderr=True, newline=False, screen_only=True)


class Lines:
    """A line every few seconds, and less often while it says the same."""

    def __init__(self, cluster: str) -> None:
        self._display = Display()
        self._cluster = cluster
        self._text = ""
        self._printed = 0.0

    def show(self, snapshot: ProgressSnapshot, seconds: float) -> None:
        """Print a line, if the last one is old enough."""
        pause = _LINE_EVERY if snapshot.text != self._text else _SAME_LINE_EVERY
        if seconds - self._printed >= pause:
            self._display.display(_line(self._cluster, snapshot, seconds), stderr=True)
            self._text, self._printed = snapshot.text, seconds

    def close(self) -> None:
        """Do nothing: lines stay."""


class ProgressFile:
    """A file with the progress as JSON, for programs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = ""
        self._written = -_FILE_EVERY

    def show(self, snapshot: ProgressSnapshot, seconds: float) -> None:
        """Write the file, if it has changed and is old enough. Where it cannot be written, the task goes on."""
        if seconds - self._written < _FILE_EVERY:
            return
        content = json.dumps(snapshot.document())
        if content != self._content:
            with contextlib.suppress(OSError):
                write_whole(self._path, content)
            self._content, self._written = content, seconds

    def close(self) -> None:
        """Do nothing: the last progress stays."""


class ProgressReporter:
    """Shows a progress on outputs for as long as a block takes, in a thread of its own."""

    def __init__(self, progress: Progress, outputs: Sequence[ProgressOutput]) -> None:
        self._progress = progress
        self._outputs = outputs
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._report, name="plumb-progress", daemon=True)

    def __enter__(self) -> ProgressReporter:
        if self._outputs:
            self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        if self._outputs:
            self._thread.join()

    def _report(self) -> None:
        started = time.monotonic()
        try:
            while not self._ended.wait(_PAUSE):
                snapshot = self._progress.snapshot()
                if snapshot is not None:
                    for output in self._outputs:
                        output.show(snapshot, time.monotonic() - started)
        finally:
            for output in self._outputs:
                output.close()


def progress_outputs(options: Mapping[str, Any], hosts: int) -> list[ProgressOutput]:
    """Return where a task of these options shows its progress. `hosts` are those of the play."""
    how, file = options.get("progress", "never"), options.get("progress_file")
    outputs: list[ProgressOutput] = [ProgressFile(Path(file))] if file else []
    if how == "never":
        return outputs
    cluster = options.get("cluster") or "cluster"
    live = how == "auto" and ON_TERMINAL and hosts <= 1
    return [*outputs, LiveLine(cluster) if live else Lines(cluster)]


def _line(cluster: str, snapshot: ProgressSnapshot, seconds: float) -> str:
    return f"{cluster}: {snapshot.text}, {seconds:.0f} s"
