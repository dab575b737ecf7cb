# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls the sources of all clusters, each at its own pace, and asks for runs of what has moved.

A run pulls nothing itself: it takes what was pulled last. So a remote that says nothing holds up no run.
"""

from __future__ import annotations

import asyncio
import contextlib
import operator
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.git_config import (
    read_git_config,
)
from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.git_config_store import (
    GitConfig,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import SourceSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import PulledSource

from ..core.daemon_threads import in_daemon_thread
from ..core.log import Log
from ..core.schedule import Trigger
from ..core.triggers import Wakeups, Work
from ..store.agent_state import AgentState
from ..store.metrics import Metrics
from .cluster_loop import ClusterLoop
from .source_follower import FollowerServices, SourceFollower
from .source_needs import Needs, SourceNeed, needs_of

FIRST_PULL = 5.0  # seconds that a run waits for sources that are new to its cluster
BY_HAND = 10.0  # seconds that a run by hand waits for the sources of its apps
_MOMENT = 1.0  # seconds that runs of what has moved wait to become one with a run of all


class SourcePuller:
    """Follows each source of clusters that may have runs, in a task of its own."""

    def __init__(
        self,
        clusters: Mapping[str, ClusterLoop],
        in_force: Callable[[], AgentState],
        log: Log,
        wakeups: Wakeups,
        metrics: Metrics,
    ) -> None:
        self._clusters, self._in_force, self._wakeups = clusters, in_force, wakeups
        self._metrics = metrics
        self._services = FollowerServices(self, log, lambda: in_force().config.poll_interval)
        self._followers: dict[SourceSpec, SourceFollower] = {}
        self._tasks: dict[SourceSpec, asyncio.Task[None]] = {}
        self._requests: set[asyncio.Task[None]] = set()
        self._configs: dict[str, GitConfig] = {}  # by cluster: pulled, and not read by a run yet
        self._needs: dict[
            str, tuple[tuple[Any, ...], Needs]
        ] = {}  # by cluster: what they follow from, and they
        self._followed: dict[str, Needs] = {}  # by cluster that may have runs
        self._announced: dict[tuple[str, str], tuple[str, bool]] = {}  # the commits that runs were asked for
        self._deferred: dict[str, list[Trigger]] = {}  # by cluster that gets a run of all in a moment
        self._changed = asyncio.Event()
        metrics.set_silent_sources(self._count_silent)

    async def loop(self) -> None:
        """Follow them for ever: also those that come, and at once those that a wakeup names."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow_changes())
                tasks.create_task(self._follow_wakeups())
        finally:
            ending = {*self._tasks.values(), *self._requests}
            self._followers, self._tasks, self._followed = {}, {}, {}
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    async def _follow_changes(self) -> None:
        while True:
            self._changed.clear()
            self._forget_clusters()
            self.update()
            await self._changed.wait()

    def _forget_clusters(self) -> None:
        """Forget what clusters needed that have left the inventory."""
        for name in self._needs.keys() - self._clusters.keys():
            del self._needs[name]
            self._configs.pop(name, None)

    async def _follow_wakeups(self) -> None:
        while True:
            names = await self._wakeups.wait(Work.PULL)
            for follower in tuple(self._followers.values()):
                if not names or follower.spec.name in names:
                    follower.wake()

    def _count_silent(self) -> int:
        return sum(bool(follower.state.silent_since) for follower in self._followers.values())

    def changed(self) -> None:
        """Note that something may have changed in what clusters need: an inventory, a suspension, a config in Git."""
        self._changed.set()

    def update(self) -> None:
        """Begin to follow sources that are new, and follow no longer those that nobody needs."""
        now = {name: self._needs_of(each) for name, each in self._clusters.items() if each.may_run}
        before, self._followed = self._followed, now
        if before.keys() == now.keys() and all(needs is before[name] for name, needs in now.items()):
            return
        wanted: dict[SourceSpec, dict[str, SourceNeed]] = {}
        for name, of_cluster in now.items():
            for spec, need in of_cluster.items():
                wanted.setdefault(spec, {})[name] = need
        for spec in self._followers.keys() - wanted.keys():
            del self._followers[spec]
            self._tasks.pop(spec).cancel()
        for spec, needs in wanted.items():
            if spec not in self._followers:
                follower = self._followers[spec] = SourceFollower(spec, self._services)
                follower.set_needs(needs)
                self._tasks[spec] = asyncio.create_task(follower.loop(), name=f"source {spec.name}")
            elif self._followers[spec].needs != needs:
                self._followers[spec].set_needs(needs)

    def _needs_of(self, cluster: ClusterLoop) -> Needs:
        pulled = self._configs.get(cluster.name)
        if pulled is not None and pulled == cluster.config:
            pulled = None
        basis = (cluster.settings, cluster.config, pulled)
        known = self._needs.get(cluster.name)
        if known is None or any(map(operator.is_not, known[0], basis)):
            configs = [config for config in (cluster.config, pulled) if config is not None]
            known = self._needs[cluster.name] = (basis, needs_of(cluster.name, cluster.settings, configs))
        return known[1]

    async def pulled(self, cluster: str, need: SourceNeed, source: PulledSource) -> None:
        """Read the config in Git that was pulled, to follow the sources that it adds before a run needs them."""
        if need.config is None or source.checkout is None:
            return
        checkout, options = source.checkout, need.config
        with contextlib.suppress(PlumbError, OSError):  # the run says what is wrong with it
            self._configs[cluster] = await in_daemon_thread(lambda: read_git_config(checkout, options))
            self.update()

    def asked(self, spec: SourceSpec, *, answered: bool) -> None:
        """Count a question to a remote. After one without an answer the next answer is compared anew."""
        self._metrics.count_source_poll(answered=answered)
        for key in [key for key in self._announced if key[1] == spec.name and not answered]:
            del self._announced[key]

    def moved(self, spec: SourceSpec, cluster: str, commit: str, *, fine: bool) -> None:
        """Ask for a run of a cluster whose last one had another commit, or none; once for each commit."""
        follower, loop = self._followers.get(spec), self._clusters.get(cluster)
        need = follower.needs.get(cluster) if follower is not None else None
        if loop is None or need is None:
            return
        key = (cluster, spec.name)
        if loop.record.commit_of(spec.name) == commit:
            self._announced.pop(key, None)
        elif self._announced.get(key) != (commit, fine):
            self._announced[key] = (commit, fine)
            loop.announce(spec.name, commit)
            self._request_run(loop, need, Trigger(f"{spec.name} moved", need.apps))

    def _request_run(self, cluster: ClusterLoop, need: SourceNeed, trigger: Trigger) -> None:
        if not cluster.begun or trigger.apps == frozenset():
            return  # the first run of all is to come, and takes it; or no app is from it
        if cluster.name in self._deferred:
            self._deferred[cluster.name].append(trigger)
        elif need.config is not None:
            self.request(cluster, trigger)
        else:
            cluster.request_run(trigger)

    def failed_since(self, cluster: str, source: str, when: float) -> bool:
        """Return whether a run of the cluster that ended after `when`, seconds since the epoch, missed the source."""
        loop = self._clusters.get(cluster)
        return loop is not None and loop.record.ended > when and loop.record.misses(source)

    def request(self, cluster: ClusterLoop, trigger: Trigger) -> None:
        """Ask for a run as soon as the sources that are new to a cluster were pulled, or did not answer in time."""

        async def wait_and_request() -> None:
            await self._defer_runs(cluster.name, self.first_pulls(cluster.name))
            cluster.request_run(trigger)

        task = asyncio.create_task(wait_and_request())
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    async def _defer_runs(self, cluster: str, pulls: Coroutine[Any, Any, object]) -> None:
        """Wait for pulls before a run of all; what moves meanwhile is left to that run, unless it takes long."""
        waiting = asyncio.ensure_future(pulls)
        self._deferred.setdefault(cluster, [])
        try:
            await asyncio.wait({waiting}, timeout=_MOMENT)
            deferred, loop = self._deferred.pop(cluster, []), self._clusters.get(cluster)
            for trigger in deferred if not waiting.done() else ():
                if loop is not None:
                    loop.request_run(trigger)
            await waiting
        finally:
            self._deferred.pop(cluster, None)
            waiting.cancel()

    async def first_pulls(self, cluster: str) -> None:
        """Wait until the sources of a cluster were pulled once, FIRST_PULL seconds at most."""
        self.update()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_PULL):
                while waiting := [each for each in self._followers.values() if not each.is_ready(cluster)]:
                    await waiting[0].round_ended()

    async def ask(self, cluster: str, apps: frozenset[str] | None = None) -> tuple[str, ...]:
        """Have the sources of some apps of a cluster (None: of all) asked and pulled, in BY_HAND seconds at most.

        Return the names of those that did not answer. Nobody but the caller waits for them.
        """
        self.update()
        asked = [
            follower
            for follower in self._followers.values()
            if (need := follower.needs.get(cluster)) is not None
            and (apps is None or need.apps is None or need.apps & apps)
        ]
        questions = {asyncio.create_task(follower.ask()): follower for follower in asked}
        try:
            if questions and apps is None:
                await self._defer_runs(cluster, asyncio.wait(questions, timeout=BY_HAND))
            elif questions:
                await asyncio.wait(questions, timeout=BY_HAND)
            return tuple(
                sorted(
                    each.spec.name
                    for task, each in questions.items()
                    if not task.done() or each.state.silent_since
                )
            )
        finally:
            for task in questions:
                task.cancel()

    @property
    def followers(self) -> tuple[SourceFollower, ...]:
        """The followers of the sources, by name."""
        return tuple(
            sorted(self._followers.values(), key=lambda each: (each.spec.name, each.spec.url, each.spec.ref))
        )
