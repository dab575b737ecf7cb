# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks registries between runs whether there are new images, and starts the run that commits them to Git.

It reads through the engine and writes nothing itself. A cluster whose inventory names no update costs nothing.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.plumb.gitops.plugins.module_utils.images.registry.registry_cache import RegistryCache
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError

from ..core.daemon_threads import in_daemon_thread
from ..core.run_protocol import RunOutcome
from ..core.schedule import Pace, Trigger, wait_after
from ..core.triggers import Wakeups, Work
from ..runner.run_pool import RunRequest
from ..store.agent_state import AgentServices
from .cluster_loop import ClusterLoop

if TYPE_CHECKING:
    from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.images import ImageScan

PLAYBOOK = "plumb.gitops.images"


@dataclass(slots=True)
class _ScanState:
    """What is known of one cluster between its scans."""

    failures: tuple[str, ...] = ()  # of the last scan, so that each is logged once
    choices: tuple[tuple[str, str], ...] = ()  # those of the last run that failed
    failed: int = 0  # runs in a row
    not_before: float = 0.0  # when a run with the same choices may be tried again
    inventory: Path | None = None  # of a run that is under way


class ImageScanner:
    """Scans for each cluster at an interval, each in a task of its own: a registry that hangs holds up no other."""

    def __init__(self, clusters: Mapping[str, ClusterLoop], shared: AgentServices, wakeups: Wakeups) -> None:
        self._clusters, self._shared, self._wakeups = clusters, shared, wakeups
        self._registry_cache = RegistryCache()
        self._states: dict[str, _ScanState] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()  # were to be scanned while a scan was under way

    @property
    def inventories(self) -> set[Path]:
        """The inventories that runs under way work with."""
        return {state.inventory for state in self._states.values() if state.inventory is not None}

    async def loop(self) -> None:
        """Scan for ever, at the configured interval or when a wakeup asks for it."""
        try:
            while True:
                requested = await self._wakeups.wait(
                    Work.IMAGES, self._shared.in_force().config.images_interval
                )
                if requested is not None:
                    self._again |= self._tasks.keys()  # they may have asked the registry too early
                for cluster in self._due():
                    self._tasks[cluster.name] = asyncio.create_task(self._scan_or_log(cluster))
        finally:
            for task in tuple(self._tasks.values()):
                task.cancel()

    def _due(self) -> list[ClusterLoop]:
        in_force = self._shared.in_force()
        for gone in self._states.keys() - self._clusters.keys():
            del self._states[gone]
        return [
            cluster
            for name, cluster in self._clusters.items()
            if in_force.may_run
            and not in_force.suspensions.holds(name)
            and name not in self._tasks
            and cluster.settings.get("image_updates")
        ]

    async def _scan_or_log(self, cluster: ClusterLoop) -> None:
        state = self._states.setdefault(cluster.name, _ScanState())
        try:
            await self._scan(cluster, state)
        except PlumbError as error:
            self._log_failures(cluster, state, (str(error),))
        except Exception as error:  # noqa: BLE001 - the loop goes on whatever a scan came to
            self._shared.log.error(
                "images not scanned", cluster=cluster.name, why=f"{type(error).__name__}: {error}"
            )
        finally:
            del self._tasks[cluster.name]
            if cluster.name in self._again:
                self._again.discard(cluster.name)
                self._wakeups.wake(Work.IMAGES)

    async def _scan(self, cluster: ClusterLoop, state: _ScanState) -> None:
        began, settings = time.monotonic(), cluster.settings
        scan = await in_daemon_thread(lambda: _scan_images(settings, cluster.name, self._registry_cache))
        self._shared.metrics.count_scan(cluster.name, time.monotonic() - began, failed=bool(scan.failures))
        self._log_failures(cluster, state, scan.failures)
        waits = state.choices == scan.choices and time.monotonic() < state.not_before
        if scan.new and not waits:
            await self._write(cluster, state, scan)

    def _log_failures(self, cluster: ClusterLoop, state: _ScanState, failures: tuple[str, ...]) -> None:
        """Log failures that are new, and that there are none any more."""
        for failure in failures:
            if failure not in state.failures:
                self._shared.log.warning("image not scanned", cluster=cluster.name, why=failure)
        if state.failures and not failures:
            self._shared.log.info("images scanned again", cluster=cluster.name)
        state.failures = failures

    async def _write(self, cluster: ClusterLoop, state: _ScanState, scan: ImageScan) -> None:
        in_force, began = self._shared.in_force(), time.monotonic()
        request = RunRequest(
            playbook=PLAYBOOK,
            inventory=in_force.accepted.path,
            limit=cluster.name,
            timeout=in_force.config.run_timeout,
            vault_password_file=in_force.config.vault_password_file,
            keep_fork_server=in_force.config.start_ahead,
        )
        state.inventory = in_force.accepted.folder
        try:
            outcome = await self._shared.runs.make(request)
        finally:
            state.inventory = None
        succeeded = outcome.code == 0
        self._shared.metrics.count_image_run(cluster.name, succeeded=succeeded)
        values = {
            "cluster": cluster.name,
            "updates": ",".join(scan.new),
            "seconds": round(time.monotonic() - began, 1),
        }
        for why in outcome.warnings:
            self._shared.log.warning("images not all written", cluster=cluster.name, why=why)
        if outcome.pushed:
            self._shared.log.info("images committed", **values, choices=_choices_text(scan))
        if set(outcome.pushed) & {source.get("branch") for source in cluster.settings["sources"]}:
            await self._shared.sources.ask(cluster.name)
            cluster.request_run(Trigger("new images"))
        if succeeded:
            state.failed, state.choices = 0, ()
            if not outcome.pushed:
                self._shared.log.info("images already in git", **values, choices=_choices_text(scan))
        else:
            state.failed, state.choices = state.failed + 1, scan.choices
            pace = Pace(in_force.config.interval, in_force.config.jitter)
            state.not_before = time.monotonic() + wait_after(pace, state.failed, random.random())  # noqa: S311 - spreads load
            self._shared.log.error("images not committed", **values, why=_why(outcome))


def _scan_images(settings: Mapping[str, Any], cluster: str, cache: RegistryCache) -> ImageScan:
    from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.images import (  # noqa: PLC0415
        scan_for_updates,  # brings requests, which only an agent that scans is to hold in memory
    )

    return scan_for_updates(settings, cluster, cache)


def _choices_text(scan: ImageScan) -> str:
    return ",".join(f"{policy}={tag}" for policy, tag in scan.choices[:10])


def _why(outcome: RunOutcome) -> str:
    return "; ".join(outcome.failures[:3]) or f"ansible-playbook ended with code {outcome.code}"
