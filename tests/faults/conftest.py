# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.faults.app_life import Life, life_in
from ansible_collections.plumb.gitops.tests.support.faults.proxy import Proxy, proxy_before


@pytest.fixture
def proxy(sandbox: Sandbox, tmp_path: Path) -> Iterator[Proxy]:
    """Yield a proxy before the API server, without faults yet."""
    with proxy_before(sandbox, tmp_path) as running:
        yield running


@pytest.fixture
def life(engine: Engine, kubectl: Kubectl) -> Life:
    """Return an app of 40 objects before its first apply, among objects of others."""
    return life_in(engine, kubectl)
