# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running agent on one cluster, `here`, with a Git server and perhaps an API server that a test can make fail."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.tests.support.agent.process import AgentProcess
from ansible_collections.plumb.gitops.tests.support.ansible.git_fleet import GitFleet
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream


@dataclass(slots=True)
class FollowedGit(GitFleet):
    """What the agent follows, and the agent. `follow` puts an inventory in force, `push` a commit."""

    agent: AgentProcess

    def follow(self, **variables: Any) -> None:
        """Write the agent's inventory, with these variables besides or instead; it takes it by itself."""
        self.agent.inventory({"here": {}}, **self.variables(plumb_report_path=None, **variables))

    def push(self, app: Mapping[str, Any], **beside: Any) -> str:
        """Commit exactly these files of the app, and these beside it."""
        return self.upstream.commit({"app": app, **beside})

    def sync(self) -> str:
        """Ask for a run and await its line."""
        runs = len(self.agent.runs())
        status, output = self.agent.get("/api/v1/sync", token=self.token, body=b"{}")
        assert status == 200, output
        return self.agent.await_run(more_than=runs)

    @property
    def token(self) -> str:
        """The token of the agent's HTTP listener."""
        return Path(self.agent.words["http"]["token_file"]).read_text(encoding="utf-8")

    def is_well(self) -> None:
        """Check that the agent reports itself healthy, so that nothing restarts it."""
        assert self.agent.get("/healthz") == (200, "ok\n")
        assert self.agent.get("/readyz") == (200, "ok\n")
        assert not [line for line in self.agent.lines() if "Traceback" in line]


@contextmanager
def followed_git(
    sandbox: Sandbox, folder: Path, *, kubeconfig: Path | None = None, git_token: str = ""
) -> Iterator[FollowedGit]:
    """Yield an agent that is not started yet, in a namespace of its own; whatever is left of it at the end is killed.

    `kubeconfig` is what it reaches the sandbox's API server with, the admin's by default.
    """
    namespace, kubectl = f"t-{uuid.uuid4().hex[:10]}", Kubectl(sandbox.kubeconfig)
    kubectl("create", "namespace", namespace)
    upstream = Upstream(folder / "git" / "fleet.git")
    agent = AgentProcess(folder / "agent")
    agent.configure(runtime_dir=str(agent.folder / "run"))
    play = Play(folder / "play", sandbox)
    reached = replace(sandbox, kubeconfig=kubeconfig or sandbox.kubeconfig)
    with GitServer(folder / "git", token=git_token) as server:
        git = {"url": server.url("fleet.git")}
        fleet = FollowedGit(play, reached, git, namespace, agent.folder, upstream, server, agent)
        fleet.follow()
        try:
            yield fleet
        finally:
            if agent.process is not None and agent.process.poll() is None:
                agent.end(signal.SIGKILL)
            if kubeconfig is None:  # a server of the test's own goes with all that is in it
                kubectl("delete", "namespace", namespace, "--wait=false")
