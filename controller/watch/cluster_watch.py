# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch of a cluster: which kinds are of interest, whose objects they are, and what is said of its troubles.

Watches only wake the agent: what a change is, and what becomes of it, the run decides. Runs at the interval find what
is missed here. All of this is in the agent's loop; the threads are in followers.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ansible_collections.plumb.gitops.plugins.module_utils.interface.parsing.engine_values import (
    app_specs,
    connection_spec,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind
from ansible_collections.plumb.gitops.plugins.module_utils.model.run_options import DEFAULT_NAMESPACE
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.desired.desired_state import (
    identities_of,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.drift.fingerprint import Movement

from ..core.log import Log
from ..core.run_protocol import RunOutcome
from ..core.schedule import Trigger
from ..runner.reports import key_of
from .change_queue import ChangeQueue, HeldApps, RunTarget
from .conflicts import FieldConflict
from .reflectors import ObjectChange, Reflectors

_PATIENCE = 5.0  # seconds that a watch may be broken without a word in the log


class WatchTarget(RunTarget, Protocol):
    """A cluster's loop, and what it knows of the cluster."""

    @property
    def settings(self) -> Mapping[str, Any]: ...
    @property
    def git_apps(self) -> tuple[Mapping[str, Any], ...]: ...
    @property
    def kinds(self) -> frozenset[GroupKind]: ...


class ClusterWatch:
    """The watch of one cluster: `follow` it, tell it of runs, `end` it."""

    def __init__(
        self, cluster: WatchTarget, held: Callable[[], HeldApps], log: Log, restarted: Callable[[], None]
    ) -> None:
        self.wakes = ChangeQueue(cluster, held, log)
        self.restarted = restarted
        self._cluster = cluster
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._followers: Reflectors | None = None
        self._hears: _Hears | None = None
        self._where: Mapping[str, Any] | None = None
        self._ours: dict[str, str] = {}  # the apps by set
        self._hints: dict[str, frozenset[GroupKind]] = {}  # by set, what its parent says
        self._listed: set[GroupKind] = set()
        self._troubles: dict[str, str] = {}
        self._told = False  # whether the log says that the watch is broken

    @property
    def objects(self) -> int:
        """How many objects are in sight."""
        return self._followers.objects if self._followers is not None else 0

    def conflicts(self) -> tuple[FieldConflict, ...]:
        """The field conflicts that go on."""
        return self.wakes.conflicts()

    def status(self) -> dict[str, Any]:
        """As the agent's status shows it."""
        return {
            "on": self._followers is not None,
            "kinds": self._followers.kinds if self._followers is not None else [],
            "objects": self.objects,
            "troubles": sorted(set(self._troubles.values())),
        }

    def follow(self) -> None:
        """Watch what the settings of this moment, the last report and the parents say. Connecting is not waited for."""
        where = self._cluster.settings["connection"]
        if self._followers is None or self._where != where:
            self.end()
            self._where = where
            self._hears = _Hears(self)
            self._followers = Reflectors(self._cluster.name, connection_spec(where), self._hears)
            self._followers.start()
        self._want()

    def end(self) -> None:
        """Watch nothing any more."""
        if self._followers is not None:
            self._followers.stop.now()
        self._followers = self._hears = None
        self._hints, self._troubles, self._listed = {}, {}, set()
        self._told = False

    def run_began(self) -> None:
        """A run of this cluster begins."""
        self.wakes.run_began()

    def run_ended(self, ending: RunOutcome, trigger: Trigger) -> None:
        """A run has ended; it may have left other kinds than it found."""
        self.wakes.run_ended(ending, trigger)
        self._want()

    def _want(self) -> None:
        if self._followers is not None:
            self._ours = self._sets()
            hinted = [kinds for set_id, kinds in self._hints.items() if set_id in self._ours]
            self._followers.want(self._cluster.kinds.union(*hinted))

    def _sets(self) -> dict[str, str]:
        """The apps by the ids of their sets, former ones too."""
        settings = self._cluster.settings
        sets: dict[str, str] = {}
        for app in app_specs((*settings["apps"], *self._cluster.git_apps)):
            own, *former = identities_of(app, settings.get("namespace") or DEFAULT_NAMESPACE)
            sets |= {identity.id: app.name for identity in (*former, own)}
        return sets

    # What the threads tell, in the loop by now.

    def hear(self, hears: _Hears, function: Callable[..., None], values: tuple[Any, ...]) -> None:
        """Take in what was told, unless it comes from threads that were ended."""
        if hears is self._hears:
            function(*values)

    def hinted(self, set_id: str, kinds: frozenset[GroupKind]) -> None:
        """A parent says where members may be."""
        if self._hints.get(set_id) != kinds:
            self._hints[set_id] = kinds
            self._want()

    def listed(self, kind: GroupKind, sets: frozenset[str]) -> None:
        """What changed since the last run and before this first look shows to nobody; so a run looks."""
        late = bool(self.wakes.runs) and not self._cluster.running_since and kind not in self._listed
        self._listed.add(kind)
        if late:
            self.wakes.changed(self._apps_of(sets), str(kind), foreign=True)

    def _apps_of(self, sets: frozenset[str]) -> set[str]:
        return {self._ours[set_id] for set_id in sets if set_id in self._ours}

    def moved(self, moved: ObjectChange) -> None:
        """An object changed."""
        apps = self._apps_of(moved.sets)
        foreign = moved.movement is Movement.FOREIGN
        if moved.parent and not foreign and self.wakes.may_be_ours:
            return  # a run writes the parents of its apps, and no report says so
        about = key_of(moved.kind.group, moved.kind.kind, *moved.key)
        self.wakes.changed(apps, about, foreign=foreign, gone=moved.gone)

    def trouble(self, about: str, error: PlumbError | None) -> None:
        """Something is not watched, or again."""
        if error is None:
            self._troubles.pop(about, None)
            if self._told and not self._troubles:
                self._told = False
                self._log.info("watching again", cluster=self._cluster.name)
            return
        if not self._troubles and not self._told:
            self._loop.call_later(_PATIENCE, self._tell)
        self._troubles[about] = error.account

    def _tell(self) -> None:
        if self._troubles and not self._told:
            self._told = True
            why = sorted(set(self._troubles.values()))
            more = f"; and {len(why) - 1} more" if len(why) > 1 else ""
            self._log.warning(
                "not watching all",
                cluster=self._cluster.name,
                why=why[0] + more,
                instead="what changes there is found at the interval",
            )


class _Hears:
    """Carries what threads tell into the loop."""

    def __init__(self, watch: ClusterWatch) -> None:
        self._watch = watch
        self._loop = asyncio.get_running_loop()

    def _tell(self, function: Callable[..., None], *values: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and so will the threads
            self._loop.call_soon_threadsafe(self._watch.hear, self, function, values)

    def moved(self, moved: ObjectChange) -> None:
        self._tell(self._watch.moved, moved)

    def hinted(self, set_id: str, kinds: frozenset[GroupKind]) -> None:
        self._tell(self._watch.hinted, set_id, kinds)

    def listed(self, kind: GroupKind, sets: frozenset[str]) -> None:
        self._tell(self._watch.listed, kind, sets)

    def trouble(self, about: str, error: PlumbError | None) -> None:
        self._tell(self._watch.trouble, about, error)

    def restarted(self) -> None:
        self._tell(self._watch.restarted)
