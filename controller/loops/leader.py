# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several agents works: the one that holds the Lease. What writes for it reads the lease file first."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.client import Cluster
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.lease import Lease, LeaseSpec
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.lease_file import (
    allow_writes,
    boot_time,
    forbid_writes,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError


class LeaderLog(Protocol):
    """The log of a leader."""

    def info(self, event: str, **values: Any) -> None:
        """Log an event."""

    def warning(self, event: str, **values: Any) -> None:
        """Log an event that somebody should look at."""


def holder_name() -> str:
    """Return a name for this process that no other has, and that says where it runs."""
    return f"{socket.gethostname()[:100]}_{os.getpid()}_{uuid.uuid4().hex[:12]}"


class Leader:
    """Acquires and renews the lease every `retry` seconds, for as long as `run` runs.

    `open_cluster` connects to the cluster that has the lease; it is called again after a failure, so that renewed
    credentials count. `started` is awaited when the lease is held and `file` says so. `ended` is awaited when it is
    lost or let go, with `file` gone already: what writes for this agent has to be gone when it returns.
    """

    def __init__(
        self,
        *,
        spec: LeaseSpec,
        open_cluster: Callable[[], Cluster],
        retry: float,
        file: Path,
        started: Callable[[], Awaitable[None]],
        ended: Callable[[], Awaitable[None]],
        log: LeaderLog,
    ) -> None:
        self.leads = False
        self._lease = Lease(spec)
        self._open = open_cluster
        self._retry = retry
        self._file = file
        self._started = started
        self._ended = ended
        self._log = log
        self._cluster: Cluster | None = None
        self._problem = ""
        self._stopping = False

    @property
    def holder(self) -> str:
        """Who held the lease when it was last read; empty for nobody."""
        return self._lease.holder

    async def run(self, stop: asyncio.Event) -> None:
        """Hold the lease as long as possible until `stop` is set; then end all, and free the lease for another."""
        forbid_writes(self._file)  # of a process before this one
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                step = asyncio.ensure_future(self._step())
                await asyncio.wait({step, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if stop.is_set():  # a request that is under way must not hold it up
                    self._stopping = True
                    await self._end("stopping")
                await step
                await self._pause(stop)
        finally:
            stopped.cancel()
            self._stopping = True
            await self._end("stopping")
            await asyncio.to_thread(self._release)

    async def _step(self) -> None:
        """Send one request to acquire or to renew, and do what follows from it."""
        led = self.leads
        try:
            holds = await asyncio.to_thread(self._request, self._lease.renew if led else self._lease.acquire)
        except PlumbError as error:
            self._log_problem(str(error))
            if led and boot_time() >= self._lease.until:
                await self._end("the lease could not be renewed in time")
            return
        self._log_problem("")
        if self._stopping:
            return
        if not holds:
            await self._end(f"{self.holder or 'nobody'} holds the lease")
        elif await self._allow() and not led:
            self.leads = True
            self._log.info("leading", lease=f"{self._lease.spec.namespace}/{self._lease.spec.name}")
            await self._started()

    async def _allow(self) -> bool:
        """Write to the lease file until when writes for this agent are allowed. Return whether that succeeded."""
        try:
            allow_writes(self._file, self._lease.until, self._lease.spec.duration)
        except OSError as error:
            self._log_problem(
                f"lease file {self._file}: writing it: {error.strerror}. Nothing can be written without it."
            )
            await self._end("the lease file cannot be written")
            await asyncio.to_thread(self._release)  # another may be able to
            return False
        return True

    async def _end(self, why: str) -> None:
        if self.leads:
            self.leads = False
            with contextlib.suppress(OSError):  # it runs out by itself
                forbid_writes(self._file)
            self._log.info("no longer leading", why=why)
            await self._ended()

    def _request(self, ask: Callable[[Cluster], bool]) -> bool:
        """Send a request that ends early enough for another try before the lease runs out. Runs in a thread."""
        if self._cluster is None:
            self._cluster = self._open()
        try:
            with self._cluster.deadline(max(1.0, self._lease.spec.duration / 3)):
                return ask(self._cluster)
        except PlumbError:
            self._close()
            raise

    def _release(self) -> None:
        try:
            self._request(self._lease.release)
        except PlumbError as error:
            self._log.warning("lease not released", why=str(error), instead="it runs out by itself")
        self._close()

    def _close(self) -> None:
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            cluster.close()

    def _log_problem(self, problem: str) -> None:
        """Log what is wrong with the lease (empty: nothing) once, not at every try."""
        if problem and problem != self._problem:
            self._log.warning("lease not reachable", why=problem)
        self._problem = problem

    async def _pause(self, stop: asyncio.Event) -> None:
        seconds = self._retry if self.leads else self._retry * random.uniform(1.0, 1.2)  # noqa: S311 - no secret
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
