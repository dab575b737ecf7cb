# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of an operator to a running agent: sync now, suspend, resume; a cluster, or one of its apps."""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import (
    InputError,
    PlumbError,
    printable,
)
from ansible_collections.plumb.gitops.plugins.module_utils.report.trail import write_trail

from ..core.instants import end_of_suspension, instant
from ..core.log import Log
from ..core.paths import trail_file
from ..core.schedule import RESUMED, SUSPENSION_ENDED, SYNC, Trigger
from ..core.suspensions import WHOLE, Suspension, Suspensions, Target, write_suspensions
from ..store.agent_state import AgentState
from .cluster_loop import ClusterLoop
from .source_pull import SourcePuller

_LONGEST_REASON, _LONGEST_NAME = 500, 100  # characters
_PACE = 1.0  # seconds between two looks for suspensions that are over
_AFTER_FAILURE = 30.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """What a command is about, and for `suspend` and `resume` who sends it; all of it is text from outside.

    Empty: all clusters, all apps. `lasts` (a duration) or `until` (RFC 3339) ends a suspension.
    """

    cluster: str = ""
    app: str = ""
    reason: str = ""
    by: str = ""
    lasts: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands, on the clusters of one agent."""

    clusters: Mapping[str, ClusterLoop]
    in_force: Callable[[], AgentState]
    switch: Callable[[AgentState], None]
    log: Log
    sources: SourcePuller

    async def sync(self, request: CommandRequest) -> dict[str, Any]:
        """Have the sources of the apps pulled, then start a run; after the one that is under way. Raises InputError.

        Sources that do not answer are waited for in bounds, and named in `silent`.
        """
        app = request.app
        named = self.named(request.cluster, app)
        suspensions = self.in_force().suspensions
        held = [
            loop.name for loop in named if suspensions.holds(loop.name) or app in suspensions.apps(loop.name)
        ]
        if held:
            what = f"app {app} of " if app else ""
            raise _refused(f"cluster {held[0]}", f"{what}it is suspended", "Resume it first.")
        apps = frozenset({app}) if app else None
        silent = await asyncio.gather(*(self.sources.ask(loop.name, apps) for loop in named))
        runs = {loop.name: loop.begun + 1 for loop in named}  # one under way has begun already
        for loop in named:
            loop.request_run(Trigger(SYNC, apps))
        names = sorted({name for each in silent for name in each})
        return {"clusters": sorted(runs), "app": app, "runs": runs, "silent": names}

    async def suspend(self, request: CommandRequest) -> dict[str, Any]:
        """Leave a cluster or an app alone from the next run on; a run under way goes on to its end.

        What is suspended already keeps the time since when, and takes the new reason and end. Raises InputError.
        """
        now = time.time()
        suspension = Suspension(
            reason=printable(request.reason, _LONGEST_REASON),
            by=printable(request.by, _LONGEST_NAME),
            since=now,
            until=end_of_suspension(request.lasts, request.until, now),
        )
        named = self.named(request.cluster, request.app)
        targets = [(loop.name, request.app or WHOLE) for loop in named]
        after = self.in_force().suspensions
        for target in targets:
            former = after.by_target.get(target)
            after = after.with_(*target, replace(suspension, since=former.since if former else now))
        self._put_in_force(after)
        await self._record("suspend", targets, suspension, now)
        return {"clusters": _names(targets), "app": request.app, "until": instant(suspension.until)}

    async def resume(self, request: CommandRequest) -> dict[str, Any]:
        """Take it up again, with a run at once; of a whole cluster its apps, too. Raises InputError."""
        named = self.named(request.cluster, request.app)
        before = after = self.in_force().suspensions
        for loop in named:
            after = after.without(loop.name, request.app or WHOLE)
        self._put_in_force(after)
        for loop in named:
            self.sources.request(loop, Trigger(RESUMED))
        by = printable(request.by, _LONGEST_NAME)
        resumed = sorted(before.by_target.keys() - after.by_target.keys())
        await self._record("resume", resumed, Suspension(by=by), time.time())
        return {"clusters": sorted(loop.name for loop in named), "app": request.app}

    async def end_overdue(self) -> None:
        """End suspensions whose time has passed, for ever: each with a run of its cluster."""
        while True:
            pause = _PACE
            now = time.time()
            suspensions = self.in_force().suspensions
            if overdue := suspensions.overdue(now):
                try:
                    self._put_in_force(suspensions.without_targets(*overdue))
                except (PlumbError, OSError) as error:
                    self.log.error("suspension not ended", clusters=",".join(_names(overdue)), why=error)
                    pause = _AFTER_FAILURE
                else:
                    for name in self.clusters.keys() & set(_names(overdue)):
                        self.sources.request(self.clusters[name], Trigger(SUSPENSION_ENDED))
                    for target in overdue:
                        await self._record("end suspension", [target], suspensions.by_target[target], now)
            await asyncio.sleep(pause)

    def named(self, cluster: str, app: str) -> list[ClusterLoop]:
        """Return the loops of the named cluster, else of all clusters that have the app. Raises InputError."""
        if cluster and cluster not in self.clusters:
            raise _unknown("cluster", cluster, self.clusters)
        named = [self.clusters[cluster]] if cluster else list(self.clusters.values())
        having = [loop for loop in named if not app or app in loop.apps]
        if not having:
            raise _unknown("app", app, {known for loop in named for known in loop.apps})
        return having

    def _put_in_force(self, suspensions: Suspensions) -> None:
        """Write the suspensions, and put them in force. Raises OSError."""
        in_force = self.in_force()
        write_suspensions(_file(in_force), suspensions)
        self.switch(replace(in_force, suspensions=suspensions))

    async def _record(
        self, action: str, targets: Iterable[Target], suspension: Suspension, now: float
    ) -> None:
        """Write what was done into the log and into each cluster's audit trail."""
        fields = {"by": suspension.by, "reason": suspension.reason, "until": instant(suspension.until)}
        about = {name: text for name, text in fields.items() if text}
        folder = self.in_force().config.state_dir
        for cluster, app in targets:
            self.log.info(_LOGGED[action], cluster=cluster, app=app or "all", **about)
            record = {"time": instant(now), "cluster": cluster, "app": app, "action": action, **about}
            try:
                await asyncio.to_thread(write_trail, trail_file(folder, cluster), [record])
            except (PlumbError, OSError) as error:  # what was done is in force, and in the log
                self.log.error("not in the audit trail", cluster=cluster, why=error)


_LOGGED = {"suspend": "suspended", "resume": "resumed", "end suspension": "suspension ended"}


def _names(targets: Iterable[Target]) -> list[str]:
    return sorted({cluster for cluster, _app in targets})


def _file(in_force: AgentState) -> Path:
    return in_force.config.state_dir / "suspensions"


def _unknown(what: str, name: str, known: Any) -> InputError:
    near = difflib.get_close_matches(name, known, n=1)
    step = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(sorted(known)) or 'none'}."
    return _refused(f"{what} {name}", f"there is no such {what}", step)


def _refused(subject: str, why: str, next_step: str) -> InputError:
    return InputError(subject, "carrying out the command", why, next_step)
