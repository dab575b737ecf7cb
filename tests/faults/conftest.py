# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.tests.faults.proxy import Proxy, proxy_before
from ansible_collections.plumb.gitops.tests.sandbox_session import Sandbox


@pytest.fixture
def proxy(sandbox: Sandbox, tmp_path: Path) -> Iterator[Proxy]:
    """A proxy before the API server, without faults yet."""
    with proxy_before(sandbox, tmp_path) as running:
        yield running
