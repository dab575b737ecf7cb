# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scene works with: the developer, the forge, and clusters with their agents."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import sandbox, screen
from .agent import Agent
from .audit_log import AgentAuditLog
from .bootstrap import bootstrap, write_inventory
from .checks import check
from .cluster import Cluster
from .developer import Developer
from .forge import ForgeRepository
from .pod import ACCOUNT, NAME, NAMESPACE, make_pod_folder
from .programs import Workspace


@dataclass(slots=True, kw_only=True)
class ManagedCluster:
    """A cluster with its agent."""

    cluster: Cluster
    audit: AgentAuditLog
    agent: Agent


@dataclass(slots=True, kw_only=True)
class DemoContext:
    """All of it; `managed_clusters` are those that have an agent."""

    workspace: Workspace
    keep: bool
    forge: ForgeRepository
    developer: Developer
    sandboxes: dict[str, sandbox.Sandbox]
    managed_clusters: dict[str, ManagedCluster] = field(default_factory=dict)

    @property
    def east(self) -> ManagedCluster:
        """The first cluster."""
        return self.managed_clusters["east"]

    def start_agent(self, name: str, *, images: bool = False) -> ManagedCluster:
        """Bootstrap an agent into a cluster, again if it has one, and start what its Pod would.

        With IMAGES, the agent writes new images to Git.
        """
        write_inventory(self.workspace, self.sandboxes, self.forge, images=images)
        if name in self.managed_clusters:
            self.managed_clusters[name].agent.end()
        bootstrap(self.workspace, name)
        cluster = Cluster(name, self.sandboxes[name])
        cluster.kubectl(
            "wait",
            "--namespace",
            NAMESPACE,
            "--for=condition=Available",
            f"deployment/{NAME}",
            "--timeout=30s",
        )
        pod = make_pod_folder(cluster, self.workspace.pod(name))
        screen.print_verified(
            f"Deployment {NAMESPACE}/{NAME} is available. kwok reports its Pod as ready; its process runs beside it"
        )
        agent = Agent(name, pod, self.workspace.log(f"agent-{name}"), keep_running=self.keep)
        managed = ManagedCluster(
            cluster=cluster, audit=AgentAuditLog(self.sandboxes[name].audit_log, ACCOUNT), agent=agent
        )
        self.managed_clusters[name] = managed
        may = cluster.kubectl(
            "auth", "can-i", "--list", "--namespace", NAMESPACE, "--as", ACCOUNT, "--no-headers"
        )
        check("*.*" not in may, f"It acts as {ACCOUNT}, with the rights that its apps need and no others")
        agent.skip_log()
        agent.start()
        return managed
