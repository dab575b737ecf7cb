# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors where something is missing that sources need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from pathlib import Path
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import SourceError
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import pull_sources
try:
    pull_sources([], Path(sys.argv[2]))
except SourceError as error:
    sys.exit(str(error))
"""


def test_a_missing_package_is_named_with_what_installs_it(cache: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "semver", str(cache)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Install semver" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("program", "message"),
    [("", "Install git"), ("#!/bin/sh\necho git version 2.25.1\n", "git 2.32 or newer")],
)
def test_a_missing_or_old_git_is_named(tmp_path: Path, program: str, message: str) -> None:
    if program:
        (tmp_path / "git").write_text(program)
        (tmp_path / "git").chmod(0o700)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "nothing", str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(tmp_path)},
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
