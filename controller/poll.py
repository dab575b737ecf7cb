# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks remotes between runs whether a ref has moved: one round trip a source, however many clusters follow it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ansible_collections.plumb.gitops.controller.cluster import Cluster, InForce
from ansible_collections.plumb.gitops.controller.log import Log
from ansible_collections.plumb.gitops.controller.schedule import Trigger
from ansible_collections.plumb.gitops.plugins.module_utils.interface.values import source_spec
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import SourceSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import current_revision

_WIDTH = 8  # remotes asked at a time
_PATIENCE = 20.0  # seconds for an answer; a Git that outlives an agent which was killed ends then, too


class Poller:
    """Asks each remote in turn of its own, so that one which hangs holds up no other."""

    def __init__(self, clusters: Mapping[str, Cluster], in_force: Callable[[], InForce], log: Log) -> None:
        self._clusters = clusters
        self._in_force = in_force
        self._log = log
        self._threads = ThreadPoolExecutor(_WIDTH, thread_name_prefix="poll")
        self._asking: dict[SourceSpec, asyncio.Task[None]] = {}
        self._silent: set[SourceSpec] = set()
        self._announced: dict[
            tuple[str, str], str
        ] = {}  # by cluster and source, the commit a run was asked for

    async def loop(self) -> None:
        """Ask for ever, at the configured interval."""
        try:
            while True:
                await asyncio.sleep(self._in_force().config.poll_interval)
                wanted = self._wanted() if self._in_force().may_run else set()
                self._silent &= wanted
                for spec in wanted - self._asking.keys():
                    self._asking[spec] = asyncio.create_task(self._ask(spec))
        finally:
            for task in tuple(self._asking.values()):
                task.cancel()
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _wanted(self) -> set[SourceSpec]:
        """The sources of all clusters that wait for their next run."""
        return {spec for cluster in self._waiting() for spec in _sources(cluster)}

    def _waiting(self) -> list[Cluster]:
        suspensions = self._in_force().suspensions
        return [
            cluster
            for name, cluster in self._clusters.items()
            if not suspensions.holds(name) and not cluster.running_since and cluster.record.ended
        ]

    async def _ask(self, spec: SourceSpec) -> None:
        loop = asyncio.get_running_loop()
        try:
            asked = replace(spec, timeout=min(spec.timeout, _PATIENCE))
            found = await loop.run_in_executor(self._threads, current_revision, asked)
        except PlumbError as error:
            if spec not in self._silent:
                self._silent.add(spec)
                self._log.warning("source does not answer", source=spec.name, why=error.account)
            return
        finally:
            del self._asking[spec]
        if spec in self._silent:
            self._silent.discard(spec)
            self._log.info("source answers again", source=spec.name)
        for cluster in self._waiting():
            if spec in _sources(cluster):
                self._compare(cluster, spec.name, found.commit)

    def _compare(self, cluster: Cluster, source: str, commit: str) -> None:
        """Ask for a run where the last one had another commit, or none; once for each commit."""
        key = (cluster.name, source)
        if cluster.record.commit_of(source) == commit:
            self._announced.pop(key, None)
        elif self._announced.get(key) != commit:
            self._announced[key] = commit
            cluster.pull(Trigger(f"{source} moved"))


def _sources(cluster: Cluster) -> set[SourceSpec]:
    """The sources of the inventory, and those that its config in Git adds."""
    of_git = cluster.config.sources if cluster.config is not None else ()
    given = [*cluster.settings["sources"], *of_git]
    return {source_spec(one) for one in given}
