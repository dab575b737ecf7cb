# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows one source: asks its remote whether the ref has moved, and pulls what is new, for all clusters that need it.

    asked ---> answered ---> each checkout that is missing, or of another commit, is pulled ---> runs are asked for
      ^          |
      |          +--> no answer: what runs report of the source is the error, with its last good revision
      +--- after poll_interval, or where there is no answer ever later; at once where somebody asks for it

A remote that says nothing holds a thread of its own, and for a moment one of the places in which remotes are asked side
by side: however many are silent, the others are asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.cache_folder import check_cache
from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.checkout_paths import REFERENCES
from ansible_collections.plumb.gitops.plugins.module_utils.model.app import SourceSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError, SourceError
from ansible_collections.plumb.gitops.plugins.module_utils.source.pull import (
    PulledSource,
    Resolution,
    current_revision,
    pull_resolved,
)

from ..core.daemon_threads import in_daemon_thread
from ..core.log import Log
from ..core.source_state import SourceState, after_answer, after_silence, silence_after
from .source_needs import PullTarget, SourceNeed

PATIENCE = 20.0  # seconds for an answer
_REFRESH = 300.0  # seconds after which a pull is made even if nothing has moved: the cache forgets what is not pulled
_SIDE_BY_SIDE = 16  # remotes
_SLOW = 0.5  # seconds; who takes longer gives its place to another, and goes on
_END = 1.0  # seconds for a Git to end that is cancelled
_Result = TypeVar("_Result")


class PullObserver(Protocol):
    """Who is told what became of a source."""

    async def pulled(self, cluster: str, need: SourceNeed, source: PulledSource) -> None:
        """Note that a cluster's first checkout of a source with a config in Git was pulled."""

    def asked(self, spec: SourceSpec, *, answered: bool) -> None:
        """Note that the remote was asked, and whether it answered."""

    def moved(self, spec: SourceSpec, cluster: str, commit: str, *, fine: bool) -> None:
        """Note that the ref is at a commit, and that it was pulled for a cluster, or why not is known (not `fine`)."""

    def failed_since(self, cluster: str, source: str, when: float) -> bool:
        """Return whether a run of the cluster that ended after `when`, seconds since the epoch, missed the source."""


@dataclass(slots=True)
class FollowerServices:
    """What the followers of one agent share."""

    observer: PullObserver
    log: Log
    poll_interval: Callable[[], float]
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_SIDE_BY_SIDE))


@dataclass(frozen=True, slots=True)
class _LastPull:
    """The last pull of a target. `at` in seconds since the epoch, `again` by time.monotonic()."""

    commit: str
    error: str
    at: float
    again: float
    failures: int


class SourceFollower:
    """Follows one source, given without paths."""

    def __init__(self, spec: SourceSpec, services: FollowerServices) -> None:
        self.spec = spec
        self.needs: Mapping[str, SourceNeed] = {}
        self.state = SourceState()
        self._services = services
        self._pulls: dict[PullTarget, _LastPull] = {}
        self._tried: set[PullTarget] = set()
        self._wakeup = asyncio.Event()
        self._round_ended = asyncio.Event()
        self._rounds_begun = 0
        self._rounds_ended = 0
        self._cancelled = threading.Event()

    @property
    def pull_errors(self) -> tuple[str, ...]:
        """Why what the remote answered could not be pulled, each reason once."""
        return tuple(dict.fromkeys(last.error for last in self._pulls.values() if last.error))

    def set_needs(self, needs: Mapping[str, SourceNeed]) -> None:
        """Set what clusters need, by cluster; what is new of it is pulled at once."""
        self.needs = needs
        targets = self._targets()
        self._tried &= targets
        self._pulls = {target: last for target, last in self._pulls.items() if target in targets}
        if targets - self._tried:
            self._wakeup.set()

    def wake(self) -> None:
        """Ask at once, and again and again at the usual interval, however often there was no answer."""
        self.state = replace(self.state, failures=0)
        self._pulls = {
            target: replace(last, again=0.0, failures=0) if last.error else last
            for target, last in self._pulls.items()
        }
        self._wakeup.set()

    def is_ready(self, cluster: str) -> bool:
        """Return whether all that a cluster needs of the source was pulled, or tried to be."""
        need = self.needs.get(cluster)
        return need is None or self._tried.issuperset(need.targets)

    async def ask(self) -> None:
        """Ask at once; wait until the remote has answered a question that began after this call."""
        wanted = self._rounds_begun + 1
        self.wake()
        while self._rounds_ended < wanted:
            await self.round_ended()

    async def round_ended(self) -> None:
        """Wait until the remote was asked, and what is new was pulled."""
        await self._round_ended.wait()

    async def loop(self) -> None:
        """Follow it for ever. Cancelling this ends the Git that is under way."""
        while True:
            self._wakeup.clear()
            try:
                await self._round()
            except Exception as error:  # noqa: BLE001 - of one source; the others are followed all the same
                self._fail(
                    SourceError(
                        f"source {self.spec.name}", "following it", f"{type(error).__name__}: {error}"
                    )
                )
            finally:
                self._rounds_ended += 1
                ended, self._round_ended = self._round_ended, asyncio.Event()
                ended.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self.state.next_try - time.time())):
                    await self._wakeup.wait()

    def _targets(self) -> set[PullTarget]:
        return {target for need in self.needs.values() for target in need.targets}

    async def _round(self) -> None:
        """Ask once, and pull what is new."""
        self._rounds_begun += 1
        self.state = replace(self.state, asked=time.time())
        resolution = await self._resolve()
        if isinstance(resolution, SourceError):
            self._fail(resolution)
        else:
            self._succeed(resolution.commit)
        needs = dict(self.needs)
        pulled: dict[PullTarget, PulledSource] = {}
        for cluster, need in needs.items():
            for target in need.targets:
                if target not in pulled and self._is_due(target, resolution):
                    pulled[target] = await self._pull(target, resolution)
            if need.config is not None and need.targets[0] in pulled:
                await self._services.observer.pulled(cluster, need, pulled[need.targets[0]])
            self._tried |= set(need.targets)
            if not isinstance(resolution, SourceError):
                fine = not any(self._pulls[target].error for target in need.targets)
                self._services.observer.moved(self.spec, cluster, resolution.commit, fine=fine)

    async def _resolve(self) -> Resolution:
        asked = replace(self.spec, timeout=min(self.spec.timeout, PATIENCE))
        try:
            return await self._in_thread(lambda: current_revision(asked, cancelled=self._cancelled))
        except SourceError as error:
            return error
        except PlumbError as error:
            return SourceError(error.subject, error.operation, error.reason, error.next_step)

    def _is_due(self, target: PullTarget, resolution: Resolution) -> bool:
        last = self._pulls.get(target)
        if last is None or isinstance(resolution, SourceError) or last.commit != resolution.commit:
            return True
        missed = not last.error and any(
            self._services.observer.failed_since(cluster, self.spec.name, last.at)
            for cluster, need in self.needs.items()
            if target in need.targets
        )
        return missed or time.monotonic() >= last.again

    async def _pull(self, target: PullTarget, resolution: Resolution) -> PulledSource:
        try:
            pulled = await self._in_thread(lambda: _pull_target(target, resolution, self._cancelled))
        except PlumbError as exc:  # of the cache; the run says it, too
            pulled = PulledSource(self.spec.name, None, SourceError(exc.subject, exc.operation, exc.reason))
        before, commit = self._pulls.get(target), _commit_of(resolution)
        error = pulled.error.account if pulled.error is not None and commit else ""
        failures = (before.failures if before is not None else 0) + 1 if error else 0
        wait = self._wait(failures) if error else _REFRESH
        self._pulls[target] = _LastPull(commit, error, time.time(), time.monotonic() + wait, failures)
        if error and (before is None or before.error != error):
            self._services.log.warning("source not pulled", source=self.spec.name, why=error)
        elif before is not None and before.error and commit and not error:
            self._services.log.info("source pulled again", source=self.spec.name)
        return pulled

    def _wait(self, failures: int) -> float:
        return silence_after(failures, self._services.poll_interval(), random.random())  # noqa: S311 - spreads load

    def _fail(self, error: SourceError) -> None:
        if not self.state.silent_since:
            self._services.log.warning("source does not answer", source=self.spec.name, why=error.account)
        interval = self._services.poll_interval()
        self.state = after_silence(self.state, error.account, time.time(), interval, random.random())  # noqa: S311 - spreads load
        self._services.observer.asked(self.spec, answered=False)

    def _succeed(self, commit: str) -> None:
        if self.state.silent_since:
            self._services.log.info("source answers again", source=self.spec.name)
        self.state = after_answer(self.state, commit, time.time(), self._services.poll_interval())
        self._services.observer.asked(self.spec, answered=True)

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        """Do the work in a thread of its own: at once for a remote that is known to be silent, else in its turn."""
        turn = contextlib.nullcontext() if self.state.silent_since else self._services.places
        async with turn:
            thread = asyncio.ensure_future(in_daemon_thread(work))
            try:
                await asyncio.wait({thread}, timeout=_SLOW)
            except asyncio.CancelledError:
                await self._end(thread)
                raise
        try:
            return await asyncio.shield(thread)
        except asyncio.CancelledError:
            await self._end(thread)
            raise

    async def _end(self, thread: asyncio.Future[_Result]) -> None:
        self._cancelled.set()
        await asyncio.wait({thread}, timeout=_END)
        if thread.done() and not thread.cancelled():
            thread.exception()  # it was cancelled; nobody asks why


def _commit_of(resolution: Resolution) -> str:
    """Return the commit; empty where the remote did not answer."""
    return "" if isinstance(resolution, SourceError) else resolution.commit


def _pull_target(target: PullTarget, resolution: Resolution, cancelled: threading.Event) -> PulledSource:
    check_cache(target.cache)
    return pull_resolved(
        target.spec,
        resolution,
        target.cache / "sources",
        cancelled=cancelled,
        cache_size=target.cache_size,
        references=REFERENCES,
    )
