# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the playbook `preview` for each cluster that wants it: at an interval, and at once when a webhook asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from ..core.triggers import Wakeups, Work
from ..runner.run_pool import RunRequest
from ..store.agent_state import AgentServices
from .cluster_loop import ClusterLoop

PLAYBOOK = "plumb.gitops.preview"
_GAP = 5.0  # seconds between two rounds, however often one is asked for


class PreviewScanner:
    """One round after another; a cluster's preview beside its runs, since it writes nothing to the cluster."""

    def __init__(self, clusters: Mapping[str, ClusterLoop], shared: AgentServices, wakeups: Wakeups) -> None:
        self._clusters, self._shared, self._wakeups = clusters, shared, wakeups
        self.used: list[Path] = []  # copies of inventories that previews read now
        self._failing: dict[str, str] = {}

    async def loop(self) -> None:
        """Preview for ever."""
        while True:
            await self._wakeups.wait(Work.PREVIEWS, self._shared.in_force().config.previews_interval)
            if self._shared.in_force().may_run:
                await asyncio.gather(*(self._preview_or_report(name) for name in self._wanted()))
            await asyncio.sleep(_GAP)

    def _wanted(self) -> list[str]:
        """Return the clusters that want it and are not left alone. One without a run has nothing to compare with."""
        suspensions = self._shared.in_force().suspensions
        return [
            name
            for name, cluster in sorted(self._clusters.items())
            if cluster.settings.get("preview")
            and cluster.record.ended
            and not suspensions.holds(name)
            and not cluster.backs_off
        ]

    async def _preview_or_report(self, name: str) -> None:
        try:
            await self._preview(name)
        except Exception as error:  # noqa: BLE001 - of one cluster; the others are previewed all the same
            self._report(name, f"{type(error).__name__}: {error}")

    async def _preview(self, name: str) -> None:
        in_force = self._shared.in_force()
        suspended = list(in_force.suspensions.apps(name))
        request = RunRequest(
            playbook=PLAYBOOK,
            inventory=in_force.accepted.path,
            limit=name,
            timeout=in_force.config.run_timeout,
            variables={"plumb_suspended": suspended} if suspended else {},
            vault_password_file=in_force.config.vault_password_file,
            keep_fork_server=in_force.config.start_ahead,
        )
        self.used.append(in_force.accepted.folder)
        try:
            outcome = await self._shared.runs.make(request)
        finally:
            self.used.remove(in_force.accepted.folder)
        why = "; ".join(outcome.failures[:3]) or f"ansible-playbook ended with code {outcome.code}"
        self._report(name, "" if outcome.code == 0 else why)

    def _report(self, name: str, why: str) -> None:
        """Log a failure (empty: success) once, until it differs or has passed."""
        before = self._failing.get(name, "")
        self._failing[name] = why
        if why and why != before:
            self._shared.log.error("not previewed", cluster=name, why=why)
        elif before and not why:
            self._shared.log.info("previewed again", cluster=name)
