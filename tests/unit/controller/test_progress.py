# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run is, from the file in its folder to the agent's log."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.controller.loops.progress_log import ProgressLog
from ansible_collections.plumb.gitops.controller.runner.progress_file import PROGRESS_FILE, read_progress
from ansible_collections.plumb.gitops.tests.unit.controller.test_runs import request, runs

APPLYING = {"phase": "applying", "done": 812, "total": 1000, "waits_for": [], "text": "812 of 1,000 applied"}
# The task ends when the test, which was told of its progress, has made the file `go`.
TASKS = """  - ansible.builtin.shell: >-
      echo '{progress}' > "$FILE"; while [ ! -e {go} ]; do sleep 0.1; done
    environment: {{FILE: "{{{{ plumb_progress_file }}}}"}}
"""


def test_a_run_shows_how_far_it_is_while_it_goes_on(tmp_path: Path) -> None:
    go, heard = tmp_path / "go", list[Any]()

    def progressed(progress: Any) -> None:
        heard.append(progress)
        go.touch()

    tasks = TASKS.format(progress=json.dumps(APPLYING), go=go)
    outcome = asyncio.run(runs(tmp_path).make(request(tmp_path, tasks), progressed))
    assert outcome.code == 0, outcome
    assert heard[0] == APPLYING


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", '"x"', "{}", "[" * 50_000),
        json.dumps({**APPLYING, "done": "x"}),
        json.dumps(APPLYING) + " " * 70_000,
    ],
)
def test_a_file_that_is_no_progress_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / PROGRESS_FILE).write_text(text)
    assert read_progress(tmp_path / PROGRESS_FILE) == {}
    assert read_progress(tmp_path / "none") == {}


def test_what_the_file_says_is_bounded_and_printable(tmp_path: Path) -> None:
    file = tmp_path / PROGRESS_FILE
    file.write_text(json.dumps({**APPLYING, "text": "a\n\x1b[2J" * 200, "waits_for": ["x\ny"] * 50}))
    progress = read_progress(file)
    assert progress["text"].isprintable()
    assert len(progress["text"]) == 400
    assert progress["waits_for"] == ["x y"] * 20


class _Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **values: Any) -> None:
        self.lines.append((event, values))

    warning = error = info


def test_a_long_run_has_a_line_each_half_minute_and_the_page_only_news() -> None:
    log, now, changed = _Log(), [0.0], list[str]()
    progress = ProgressLog("prod", log, changed.append, clock=lambda: now[0])
    progress.begin()
    for second in range(1, 65):
        now[0] = float(second)
        progress.update({**APPLYING, "done": second // 10})
    assert [(event, values["seconds"]) for event, values in log.lines] == [("running", 30), ("running", 60)]
    assert log.lines[0][1] == {"cluster": "prod", "seconds": 30, "progress": "812 of 1,000 applied"}
    assert changed == ["prod"] * 7
    assert progress.current["done"] == 6
    progress.end()
    assert progress.current == {}
