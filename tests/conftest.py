# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share: one control plane for a session, and the ways to use it."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from ansible_collections.plumb.gitops.tests.support.ansible.git_fleet import GitFleet
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.api import api_of
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox, sandbox_session
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream

# No assertion of ours is about time, and a busy machine would make Hypothesis's own one fail at random.
settings.register_profile("plumb", settings(), deadline=None)
settings.load_profile("plumb")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell has what a script starts in the background ignore Ctrl-C, and the programs under test would inherit that.
    # What is handled is not inherited: they mind an interrupt as they do for a user.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)


_TESTS = Path(__file__).parent
# Files are handed out in this order: the longest first, so that the processes that run them end together.
_ORDER = (
    "integration/test_bootstrap", "integration/test_watch", "faults/test_watch", "integration/test_controller",
    "integration", "faults", "e2e", "package", "unit/images", "unit/source", "unit/controller", "",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files; the tests of each stay in their order."""

    def rank(item: pytest.Item) -> int:
        name = item.path.relative_to(_TESTS).as_posix()
        return next(number for number, beginning in enumerate(_ORDER) if name.startswith(beginning))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Yield a real API server with controllers and a forge, for the whole session."""
    with sandbox_session(tmp_path_factory.mktemp("sandbox") / "s") as running:
        yield running


@pytest.fixture
def kubectl(sandbox: Sandbox) -> Kubectl:
    """kubectl as the cluster's admin."""
    return Kubectl(sandbox.kubeconfig)


@pytest.fixture
def namespace(sandbox: Sandbox) -> Iterator[str]:
    """Yield a namespace of the test's own; it goes away in the background afterwards."""
    name, api = f"t-{uuid.uuid4().hex[:10]}", api_of(sandbox.kubeconfig)
    status, answer = api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert status == 201, answer
    yield name
    status, answer = api.request("DELETE", f"/api/v1/namespaces/{name}")
    assert status in {200, 404, 409}, answer  # 409: it is going already


@pytest.fixture
def engine(sandbox: Sandbox, namespace: str, tmp_path: Path) -> Engine:
    """Return the engine, on a folder of manifests that the test writes."""
    return Engine(sandbox, namespace, tmp_path / "git")


@pytest.fixture
def play(sandbox: Sandbox, tmp_path: Path) -> Play:
    """ansible-playbook, with a clean environment."""
    return Play(tmp_path / "play", sandbox)


@pytest.fixture
def git_fleet(sandbox: Sandbox, play: Play, namespace: str, tmp_path: Path) -> Iterator[GitFleet]:
    """Yield the reconcile playbook with an app whose source is a Git server that may misbehave."""
    upstream = Upstream(tmp_path / "git" / "fleet.git")
    with GitServer(tmp_path / "git") as server:
        git = {"url": server.url("fleet.git")}
        yield GitFleet(play, sandbox, git, namespace, tmp_path, upstream, server)
