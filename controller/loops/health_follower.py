# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows the health of apps that runs have left in progress, until each wait has ended.

    a run's report -- run_ended --> waits (health_waits.py) <-- object_changed -- the watch
                                      |
                   a thread reads the objects: soon after a change of one of them, else ever later
                                      v
                         ended(wait): healthy, failed or superseded

It only reads. The rules of health are those of a run that waits (reconcile/apply/wait.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.client import Cluster
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.errors import Forbidden, Unauthorized
from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.engine_values import (
    connection_spec,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError, PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.model.health import Health, HealthStatus
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind, ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Awaited, Unhealthy
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.apply.wait import (
    WaitResult,
    read_health,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.health.reasons import explain
from ansible_collections.plumb.gitops.plugins.module_utils.report.document import unhealthy_document

from ..core.daemon_threads import in_daemon_thread
from ..store.health_waits import (
    FAILED,
    HealthWait,
    HealthWaits,
    read_waits,
    wait_after_read,
    wait_after_run,
    write_waits,
)

_AFTER_CHANGE = 0.2  # seconds from a change of an object that is waited for to a read
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0  # seconds between reads of a wait that goes on; doubled with each
_AFTER_FAILURE = 60.0  # seconds between reads of an app whose time is over, or that only a run can read

# Seconds after which a wait that goes on is explained, and until it is explained anew.
_EXPLAIN_AFTER, _EXPLAIN_AGAIN = 10.0, 60.0

_AT_ONCE = 40  # apps whose objects are listed together: their ids stand in the address

FollowedKey = tuple[str, str, str]  # kind with group, namespace, name


class FollowedCluster(Protocol):
    """A cluster's loop, as far as the follower needs it."""

    name: str

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the inventory says of the cluster."""

    @property
    def may_run(self) -> bool:
        """Whether this agent leads, and the cluster is not suspended."""

    def is_in_run(self, app: str) -> bool:
        """Return whether a run that may write to the app is under way; what it leaves is known at its end."""

    def health_ended(self, waits: Sequence[HealthWait]) -> None:
        """Handle that waits have ended, or that apps whose waits had failed are healthy."""

    def health_unreadable(self, apps: frozenset[str]) -> None:
        """Handle that this process cannot read the objects of these apps: only a run can."""


@dataclass(slots=True)
class _Pace:
    """When a wait is read next, by time.monotonic()."""

    due: float
    pause: float = _FIRST_PAUSE


class HealthFollower:
    """The waits of one cluster. `loop` does the work; the others are called in the agent's event loop."""

    def __init__(self, cluster: FollowedCluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder
        self.waits: HealthWaits = read_waits(folder, cluster.name)
        self._apps_by_object = _apps_by_object(self.waits)
        self._paces = {app: _Pace(time.monotonic()) for app in self.waits.by_app}
        self._explained: dict[str, float] = {}  # by app: when its wait was explained last
        self._wakeup = asyncio.Event()
        self._connection: tuple[Mapping[str, Any], Cluster] | None = None

    def run_ended(
        self, summary: Mapping[str, Any], commits: Mapping[str, str], report: str, apps: frozenset[str]
    ) -> None:
        """Take over what a run has left in progress. `commits` are by app; `apps` are those that there are."""
        now = time.time()
        changed: list[HealthWait] = []
        for app in summary.get("apps", ()):
            before = self.waits.by_app.get(app["name"])
            wait = wait_after_run(before, app, commits.get(app["name"], ""), report, now)
            if wait is not None and wait != before:
                changed.append(wait)
                self._paces[app["name"]] = _Pace(time.monotonic() + _FIRST_PAUSE)
        self._replace(changed, apps)
        self._wakeup.set()

    def object_changed(self, kind: GroupKind, namespace: str, name: str) -> None:
        """Read the waits of this object soon."""
        soon = time.monotonic() + _AFTER_CHANGE
        key = str(kind), namespace, name
        for app in self._apps_by_object.get(key, ()):
            pace = self._paces.setdefault(app, _Pace(soon))
            pace.due, pace.pause = min(pace.due, soon), _FIRST_PAUSE
            self._wakeup.set()

    def wake(self) -> None:
        """Look again whether reads may be made now."""
        self._wakeup.set()

    def followed(self) -> frozenset[FollowedKey]:
        """Return the objects that are waited for, whose changes `object_changed` wants to know."""
        return frozenset(self._apps_by_object)

    async def loop(self) -> None:
        """Follow for ever."""
        try:
            while True:
                self._wakeup.clear()
                due = self._due() if self._cluster.may_run else []
                if due:
                    await self._read(due)
                    continue
                await self._pause()
        finally:
            self._disconnect()

    def _due(self) -> list[HealthWait]:
        now = time.monotonic()
        return [
            wait
            for app, wait in self.waits.by_app.items()
            if self._paces.setdefault(app, _Pace(now)).due <= now and not self._cluster.is_in_run(app)
        ]

    async def _pause(self) -> None:
        dues = [
            self._paces[app].due
            for app in self.waits.by_app
            if app in self._paces and not self._cluster.is_in_run(app)
        ]
        if not dues:
            self._disconnect()
        seconds = max(0.05, min(dues) - time.monotonic()) if dues and self._cluster.may_run else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wakeup.wait()

    async def _read(self, due: Sequence[HealthWait]) -> None:
        """Read these waits in a thread, and take over what came of it, unless a run was quicker."""
        for wait in due:
            pace = self._paces[wait.app]
            pause = pace.pause if wait.goes_on else _AFTER_FAILURE
            pace.due, pace.pause = time.monotonic() + pause, min(_LONGEST_PAUSE, pace.pause * 2)
        connection = self._cluster.settings["connection"]
        try:
            after_reads = await in_daemon_thread(lambda: self._read_all(connection, due))
        except (InputError, Unauthorized, Forbidden):  # a key that the agent does not know, most often
            self._disconnect()
            for wait in due:
                self._paces[wait.app].due = time.monotonic() + _AFTER_FAILURE
            self._cluster.health_unreadable(frozenset(wait.app for wait in due))
            return
        except PlumbError as error:
            self._disconnect()
            after_reads = [_after_failed_read(wait, error) for wait in due]
        changed = [
            after
            for wait, after in zip(due, after_reads, strict=True)
            if after != wait
            and self.waits.by_app.get(wait.app) == wait
            and not self._cluster.is_in_run(wait.app)
        ]
        if changed:
            self._replace(changed)

    def _read_all(self, connection: Mapping[str, Any], due: Sequence[HealthWait]) -> list[HealthWait]:
        """Return these waits after a read of their objects; in a thread. Raises PlumbError where none can be read."""
        if self._connection is None or self._connection[0] != connection:
            self._disconnect()
            self._connection = (
                connection,
                connect(connection_spec(connection), circuit_breaker=False),
            )
        cluster = self._connection[1]
        cluster.discover()
        after_reads: list[HealthWait] = []
        for start in range(0, len(due), _AT_ONCE):
            group = due[start : start + _AT_ONCE]
            objects = [awaited for wait in group for awaited in wait.follow_up.objects]
            set_ids = sorted({wait.follow_up.set_id for wait in group})
            pending = {each.ref: each for each in read_health(cluster, set_ids, objects).pending}
            after_reads += [self._after_read(cluster, wait, pending) for wait in group]
        return after_reads

    def _after_read(
        self, cluster: Cluster, wait: HealthWait, pending: Mapping[ObjectRef, Awaited]
    ) -> HealthWait:
        """Return a wait after its objects were read, explained where it fails, or has gone on for some time."""
        refs = [awaited.ref for awaited in wait.follow_up.objects]
        result = WaitResult(tuple(pending[ref] for ref in refs if ref in pending), ())
        now = time.time()
        after = wait_after_read(wait, result.pending, now, moves=result.moves)
        fails_now = after.result == FAILED and wait.goes_on
        explained = self._explained.get(wait.app, 0.0)
        if fails_now or (
            after.goes_on
            and now - wait.began > _EXPLAIN_AFTER
            and (explained < wait.began or now - explained > _EXPLAIN_AGAIN)
        ):
            self._explained[wait.app] = now
            unhealthy = explain(cluster, [Unhealthy(each.ref, each.health) for each in result.pending])
            after = replace(after, unhealthy=tuple(map(unhealthy_document, unhealthy)))
        return after

    def _replace(self, changed: Sequence[HealthWait], apps: frozenset[str] | None = None) -> None:
        """Put these waits in place of those of their apps, and drop those of apps that are not among `apps`."""
        before = self.waits
        self.waits = before.with_(*changed) if apps is None else before.with_(*changed).only(apps)
        self._apps_by_object = _apps_by_object(self.waits)
        self._paces = {app: pace for app, pace in self._paces.items() if app in self.waits.by_app}
        if self.waits != before:
            with contextlib.suppress(OSError):  # the next run finds it again
                write_waits(self._folder, self._cluster.name, self.waits)
        ended = [
            wait
            for wait in changed
            if not wait.goes_on
            and ((known := before.by_app.get(wait.app)) is None or known.result != wait.result)
        ]
        if ended:
            self._cluster.health_ended(ended)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection[1].close()


def _after_failed_read(wait: HealthWait, error: PlumbError) -> HealthWait:
    health = Health(HealthStatus.UNKNOWN, error.account)
    pending = [replace(awaited, health=health) for awaited in wait.follow_up.objects]
    after = wait_after_read(wait, pending, time.time(), moves=True)
    unhealthy = [unhealthy_document(Unhealthy(each.ref, each.health)) for each in pending]
    return replace(after, unhealthy=tuple(unhealthy)) if after.result == FAILED else after


def _apps_by_object(waits: HealthWaits) -> dict[FollowedKey, list[str]]:
    apps: dict[FollowedKey, list[str]] = {}
    for app, wait in waits.by_app.items():
        for ref in (awaited.ref for awaited in wait.follow_up.objects):
            apps.setdefault((str(ref.group_kind), ref.namespace, ref.name), []).append(app)
    return apps
