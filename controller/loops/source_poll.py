# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks remotes between runs whether a ref has moved: one round trip a source, however many clusters follow it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.engine_values import source_spec
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import SourceSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import current_revision

from ..core.log import Log
from ..core.schedule import Trigger
from ..core.triggers import Wakeups, Work
from ..store.agent_state import AgentState
from .cluster_loop import ClusterLoop

_WIDTH = 8  # remotes asked at a time
_SOON = 1.0  # seconds until a requested poll asks again for clusters whose run is under way
_PATIENCE = 20.0  # seconds for an answer; a Git that outlives an agent which was killed ends then, too


class SourcePoller:
    """Asks each remote in a task of its own, so that one which hangs holds up no other."""

    def __init__(
        self,
        clusters: Mapping[str, ClusterLoop],
        in_force: Callable[[], AgentState],
        log: Log,
        wakeups: Wakeups,
    ) -> None:
        self._clusters = clusters
        self._wakeups = wakeups
        self._requested: frozenset[str] | None = (
            None  # sources, empty for all; None where nothing was requested
        )
        self._in_force = in_force
        self._log = log
        self._threads = ThreadPoolExecutor(_WIDTH, thread_name_prefix="poll")
        self._asking: dict[SourceSpec, asyncio.Task[None]] = {}
        self._unanswered: set[SourceSpec] = set()
        # By cluster and source, the commit a run was asked for.
        self._announced: dict[tuple[str, str], str] = {}

    async def loop(self) -> None:
        """Ask for ever: all remotes at the configured interval, and some as soon as a wakeup names their sources."""
        try:
            due = asyncio.get_running_loop().time()
            while True:
                interval = self._in_force().config.poll_interval
                due = min(due + interval, asyncio.get_running_loop().time() + interval)
                await self._wait_until(due)
                wanted = self._wanted() if self._in_force().may_run else set()
                self._unanswered &= wanted
                for spec in wanted - self._asking.keys():
                    self._asking[spec] = asyncio.create_task(self._ask_source(spec))
        finally:
            for task in tuple(self._asking.values()):
                task.cancel()
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _wait_until(self, due: float) -> None:
        """Wait for the interval's end; meanwhile ask the remotes of sources that a wakeup names."""
        clock = asyncio.get_running_loop()
        while (left := due - clock.time()) > 0:
            names = await self._wakeups.wait(
                Work.PULL, min(left, _SOON) if self._requested is not None else left
            )
            if names is not None:
                self._requested = names if not names or not self._requested else self._requested | names
            if self._requested is not None and self._in_force().may_run:
                self._ask_sources(self._requested)

    def _ask_sources(self, names: frozenset[str]) -> None:
        """Ask the remotes of these sources (all, if empty); ask again after a run that may have begun too early."""
        for spec in self._wanted() - self._asking.keys():
            if not names or spec.name in names:
                self._asking[spec] = asyncio.create_task(self._ask_source(spec))
        if not any(cluster.running_since for cluster in self._clusters.values()):
            self._requested = None

    def _wanted(self) -> set[SourceSpec]:
        """Return the sources of all clusters that wait for their next run."""
        return {spec for cluster in self._waiting() for spec in _sources(cluster)}

    def _waiting(self) -> list[ClusterLoop]:
        suspensions = self._in_force().suspensions
        return [
            cluster
            for name, cluster in self._clusters.items()
            if not suspensions.holds(name) and not cluster.running_since and cluster.record.ended
        ]

    async def _ask_source(self, spec: SourceSpec) -> None:
        loop = asyncio.get_running_loop()
        try:
            asked = replace(spec, timeout=min(spec.timeout, _PATIENCE))
            revision = await loop.run_in_executor(self._threads, current_revision, asked)
        except PlumbError as error:
            if spec not in self._unanswered:
                self._unanswered.add(spec)
                self._log.warning("source does not answer", source=spec.name, why=error.account)
            return
        except Exception as error:  # noqa: BLE001 - of one source; the others are asked all the same
            if spec not in self._unanswered:
                self._unanswered.add(spec)
                self._log.error("source not asked", source=spec.name, why=f"{type(error).__name__}: {error}")
            return
        finally:
            del self._asking[spec]
        if spec in self._unanswered:
            self._unanswered.discard(spec)
            self._log.info("source answers again", source=spec.name)
        for cluster in self._waiting():
            if spec in _sources(cluster):
                self._compare(cluster, spec.name, revision.commit)

    def _compare(self, cluster: ClusterLoop, source: str, commit: str) -> None:
        """Ask for a run where the last one had another commit, or none; once for each commit."""
        key = (cluster.name, source)
        if cluster.record.commit_of(source) == commit:
            self._announced.pop(key, None)
        elif self._announced.get(key) != commit:
            self._announced[key] = commit
            cluster.announce(source, commit)
            cluster.request_run(Trigger(f"{source} moved"))


def _sources(cluster: ClusterLoop) -> set[SourceSpec]:
    """Return the sources of the inventory, and those that its config in Git adds."""
    of_git = cluster.config.sources if cluster.config is not None else ()
    specs = set()
    for options in (*cluster.settings["sources"], *of_git):
        with contextlib.suppress(PlumbError):  # the run of that cluster says why
            specs.add(source_spec(options))
    return specs
