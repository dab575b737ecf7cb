# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the build of the sandbox's programs says: what it does, and how far it is."""

from __future__ import annotations

import io

import pytest
from plumb_sandbox.components.build_progress import compiling, downloading
from plumb_sandbox.components.table import COMPONENTS, linker_flags
from plumb_sandbox.progress import LiveLine

PACKAGES = "internal/goarch\nunsafe\nk8s.io/api/core/v1\n"
NOISE = "go: downloading k8s.io/api v0.36.3\n# github.com/mattn/go-sqlite3\nsqlite3-binding.c:1: warning: x\n"


@pytest.mark.parametrize(
    ("log", "total", "expected"),
    [
        ("", 1300, "compiling, 0 of 1,300 packages"),
        (PACKAGES, 1300, "compiling, 3 of 1,300 packages"),
        (PACKAGES + NOISE, 1300, "compiling, 3 of 1,300 packages"),
        (PACKAGES * 400, 1300, "compiling, 1,200 of 1,300 packages"),
        (PACKAGES, 3, "linking"),
        (PACKAGES, 2, "linking"),
        ("", 0, "linking"),
        (PACKAGES, None, "compiling, 3 packages"),
    ],
)
def test_how_far_a_build_is(log: str, total: int | None, expected: str) -> None:
    assert compiling(log, total) == expected


def test_how_far_a_download_is() -> None:
    assert downloading("") == "looking what is to be downloaded"
    assert downloading("go: downloading a v1\ngo: downloading k8s.io/api v0.36.3\n") == (
        "downloading, 2 modules, at k8s.io/api v0.36.3"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_line_that_changes_and_is_removed() -> None:
    terminal = Terminal()
    line = LiveLine(terminal)
    line.show("one")
    line.show("x" * 10_000)
    line.end()
    assert "\n" not in terminal.getvalue()
    first, second, last = terminal.getvalue().split("\r")[1:]
    assert first == "one\x1b[K"
    assert len(second) < 1000
    assert last == "\x1b[K"


def test_elsewhere_lines_come_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    stream = io.StringIO()
    line = LiveLine(stream)
    for second in range(46):
        clock[0] = float(second)
        line.show(f"at {second}")
    line.end()
    assert stream.getvalue() == "at 15\nat 30\nat 45\n"


def test_programs_of_one_module_have_the_same_flags() -> None:
    """They are made by one build."""
    for component in COMPONENTS:
        for other in COMPONENTS:
            if other.folder == component.folder:
                assert linker_flags(other) == linker_flags(component)
                assert (other.tags, other.cgo) == (component.tags, component.cgo)
