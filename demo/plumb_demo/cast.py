# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who and what plays: the developer and the forge, and clusters with their agents."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import sandbox, screen
from .agent import Agent
from .audit import AuditLog
from .bootstrap import bootstrap, write_inventory
from .cluster import Cluster
from .developer import Developer
from .forge import Forge
from .looks import holds
from .place import Place
from .pod import ACCOUNT, NAME, NAMESPACE, lay_out


@dataclass(slots=True, kw_only=True)
class Site:
    """A cluster with its agent."""

    cluster: Cluster
    audit: AuditLog
    agent: Agent


@dataclass(slots=True, kw_only=True)
class Stage:
    """All of it; `sites` has the clusters that have an agent."""

    place: Place
    keep: bool
    forge: Forge
    developer: Developer
    clusters: dict[str, sandbox.Sandbox]
    sites: dict[str, Site] = field(default_factory=dict)

    @property
    def east(self) -> Site:
        return self.sites["east"]

    def set_up(self, name: str, *, images: bool = False) -> Site:
        """Bootstrap an agent into a cluster, again if it has one, and start what its Pod would.

        With IMAGES, the agent writes new images to Git.
        """
        write_inventory(self.place, self.clusters, self.forge, images=images)
        if name in self.sites:
            self.sites[name].agent.end()
        bootstrap(self.place, name)
        cluster = Cluster(name, self.clusters[name])
        cluster.kubectl(
            "wait",
            "--namespace",
            NAMESPACE,
            "--for=condition=Available",
            f"deployment/{NAME}",
            "--timeout=30s",
        )
        pod = lay_out(cluster, self.place.pod(name))
        screen.verified(
            f"Deployment {NAMESPACE}/{NAME} is available. Its Pod is played; its process runs beside it, with its files"
        )
        agent = Agent(name, pod, self.place.log(f"agent-{name}"), outlives_us=self.keep)
        site = Site(cluster=cluster, audit=AuditLog(self.clusters[name].audit_log, ACCOUNT), agent=agent)
        self.sites[name] = site
        may = cluster.kubectl(
            "auth", "can-i", "--list", "--namespace", NAMESPACE, "--as", ACCOUNT, "--no-headers"
        )
        holds("*.*" not in may, f"It acts as {ACCOUNT}, with the rights that its apps need and no others")
        agent.skip()
        agent.start()
        return site
