# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent with a repository on the forge and a cluster, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.tests.support.agent.process import AgentProcess
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import Repository, new_repository

NAMESPACE = "agent"


class AgentFleet:
    """A repository, and an agent that follows it on one cluster, `here`."""

    def __init__(self, sandbox: Sandbox, folder: Path, name: str, namespace: str = NAMESPACE) -> None:
        self.repository: Repository = new_repository(sandbox, name, folder / "git", past_hooks=True)
        self.agent = AgentProcess(folder / "agent")
        self.sandbox = sandbox
        self.namespace = namespace
        self.write()

    def source(self, **options: Any) -> dict[str, Any]:
        """Return the source `fleet`, with these options besides or instead."""
        defaults = {"name": "fleet", "url": self.repository.url, "branch": "main", "allow_http": True}
        return defaults | {"token_file": str(self.repository.token_file)} | options

    def app(self, **options: Any) -> dict[str, Any]:
        """Return the app `app`, with these options besides or instead."""
        defaults = {"name": "app", "source": "fleet", "path": "app", "namespace": self.namespace}
        return defaults | {"create_namespace": True, "timeout": "60s"} | options

    def write(self, hosts: dict[str, Any] | None = None, **variables: Any) -> None:
        """Write the inventory, with these variables besides or instead."""
        defaults: dict[str, Any] = {
            "plumb_kubeconfig": str(self.sandbox.kubeconfig),
            "plumb_cache_dir": str(self.agent.folder / "cache"),
            "plumb_sources": [self.source()],
            "plumb_apps": [self.app()],
        }
        self.agent.inventory(hosts or {"here": {}}, **{**defaults, **variables})
