# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are believed by their status."""

import os
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import NotPrivateError, check_status


def test_a_file_that_was_replaced_while_it_was_open_is_believed(tmp_path: Path) -> None:
    """That is how a lease changes: its reader has the former file, which has no name any more."""
    file = tmp_path / "lease"
    file.write_text("former", encoding="utf-8")
    (tmp_path / "new").write_text("new", encoding="utf-8")
    with file.open(encoding="utf-8") as opened:
        (tmp_path / "new").replace(file)
        status = os.fstat(opened.fileno())
        assert status.st_nlink == 0
        check_status(file, status)


def test_a_file_of_two_names_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "lease"
    file.write_text("", encoding="utf-8")
    (tmp_path / "other").hardlink_to(file)
    with pytest.raises(NotPrivateError, match=r"2 names \(hard links\)"):
        check_status(file, file.lstat())
