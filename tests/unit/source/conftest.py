# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository on a real server, and sources that point at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """Return the folder whose repositories are served."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def upstream(served: Path) -> Upstream:
    """Return a repository with one commit on its branch main."""
    repository = Upstream(served / "fleet.git")
    repository.commit({"app.yaml": "kind: ConfigMap\n"}, "First commit")
    return repository


@pytest.fixture
def server(served: Path) -> Iterator[GitServer]:
    """Serve to everybody."""
    with GitServer(served) as running:
        yield running


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Where a cache may be made."""
    return tmp_path / "cache"
