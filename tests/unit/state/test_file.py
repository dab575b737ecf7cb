# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written whole, and whether a disk has space for one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.state.file import write_whole


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "file"
    write_whole(file, "before")
    with pytest.raises(UnicodeEncodeError):
        write_whole(file, "\ud800")
    assert file.read_text() == "before"
    assert list(file.parent.iterdir()) == [file]


ROOM = """
import resource, sys
from pathlib import Path
from ansible_collections.plumb.gitops.plugins.module_utils.state.file import ensure_space
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
ensure_space(Path(sys.argv[1]), 4096)
try:
    ensure_space(Path(sys.argv[1]), 4097)
except OSError:
    print("no room")
"""


def test_row_20_a_disk_without_room_is_noticed_and_nothing_is_left_there(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "report.json"
    done = subprocess.run(
        [sys.executable, "-c", ROOM, str(target)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "no room\n"), done.stderr
    assert list(target.parent.iterdir()) == []
