# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of an operator to a running agent: sync now, suspend, resume; a cluster, or one of its apps."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

from ..core.log import Log
from ..core.schedule import RESUMED, SYNC, Trigger
from ..core.suspensions import WHOLE, Suspensions, write_suspensions
from ..store.agent_state import AgentState
from .cluster_loop import ClusterLoop
from .source_pull import SourcePuller


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands, on the clusters of one agent."""

    clusters: Mapping[str, ClusterLoop]
    in_force: Callable[[], AgentState]
    switch: Callable[[AgentState], None]
    log: Log
    sources: SourcePuller

    async def sync(self, cluster: str, app: str) -> dict[str, Any]:
        """Have the sources of the apps pulled, then start a run; after the one that is under way. Raises InputError.

        Sources that do not answer are waited for in bounds, and named in `silent`.
        """
        named = self._named(cluster, app)
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

    async def suspend(self, cluster: str, app: str) -> dict[str, Any]:
        """Leave a cluster or an app alone from the next run on; a run under way goes on to its end."""
        return self._suspensions("suspended", cluster, app, Suspensions.with_)

    async def resume(self, cluster: str, app: str) -> dict[str, Any]:
        """Take it up again, with a run at once; of a whole cluster its apps, too."""
        done = self._suspensions("resumed", cluster, app, Suspensions.without)
        for name in done["clusters"]:
            self.sources.request(self.clusters[name], Trigger(RESUMED))
        return done

    def _suspensions(
        self, done: str, cluster: str, app: str, change: Callable[[Suspensions, str, str], Suspensions]
    ) -> dict[str, Any]:
        named = self._named(cluster, app)
        in_force = self.in_force()
        after = in_force.suspensions
        for loop in named:
            after = change(after, loop.name, app or WHOLE)
        write_suspensions(_file(in_force), after)
        self.switch(replace(in_force, suspensions=after))
        names = sorted(loop.name for loop in named)
        self.log.info(done, clusters=",".join(names), app=app or "all")
        return {"clusters": names, "app": app}

    def _named(self, cluster: str, app: str) -> list[ClusterLoop]:
        """Return the loops of the named cluster, else of all clusters that have the app. Raises InputError."""
        if cluster and cluster not in self.clusters:
            raise _unknown("cluster", cluster, self.clusters)
        named = [self.clusters[cluster]] if cluster else list(self.clusters.values())
        having = [loop for loop in named if not app or app in loop.apps]
        if not having:
            raise _unknown("app", app, {known for loop in named for known in loop.apps})
        return having


def _file(in_force: AgentState) -> Path:
    return in_force.config.state_dir / "suspensions"


def _unknown(what: str, name: str, known: Any) -> InputError:
    near = difflib.get_close_matches(name, known, n=1)
    step = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(sorted(known)) or 'none'}."
    return _refused(f"{what} {name}", f"there is no such {what}", step)


def _refused(subject: str, why: str, next_step: str) -> InputError:
    return InputError(subject, "carrying out the command", why, next_step)
