# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch of a cluster: which kinds are of interest, whose objects they are, and what the log says of its problems.

    reflectors' threads (reflectors.py) -- WatchEvent --> the agent's event loop, here
                                                            |
                                       ObjectChange, KindListed: apps that changed
                                                            v
                                           change queue (change_queue.py) --> a run of these apps

A watch only starts runs: what a change is, and what becomes of it, the run decides. Runs at the interval find what is
missed here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from functools import partial
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
from .reflectors import (
    FollowedChange,
    KindListed,
    MemberKinds,
    ObjectChange,
    Reflectors,
    StreamRestarted,
    WatchEvent,
    WatchHealth,
)

_PATIENCE = 5.0  # seconds that a watch may be broken before the log says so


class WatchTarget(RunTarget, Protocol):
    """A cluster's loop, and what it knows of the cluster."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the inventory says of the cluster."""

    @property
    def git_apps(self) -> tuple[Mapping[str, Any], ...]:
        """The apps that its config in Git adds, as their options."""

    @property
    def kinds(self) -> frozenset[GroupKind]:
        """The kinds of the objects that its last run saw."""


class FollowedHealth(Protocol):
    """What follows the health of objects, and wants to know when they change."""

    def followed(self) -> frozenset[tuple[str, str, str]]:
        """Return the objects: kind with group, namespace, name."""

    def object_changed(self, kind: GroupKind, namespace: str, name: str) -> None:
        """Handle that one of them changed."""


class ClusterWatch:
    """The watch of one cluster: `follow` starts it and `end` ends it; it has to know when runs begin and end."""

    def __init__(
        self,
        cluster: WatchTarget,
        held: Callable[[], HeldApps],
        health: FollowedHealth,
        log: Log,
        restarted: Callable[[], None],
    ) -> None:
        self.queue = ChangeQueue(cluster, held, log)
        self._health = health
        self._restarted = restarted
        self._cluster = cluster
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._reflectors: Reflectors | None = None
        self._generation = 0  # of reflectors; events of an earlier one are too late
        self._connection: Mapping[str, Any] | None = None
        self._app_of_set: dict[str, str] = {}
        self._member_kinds: dict[str, frozenset[GroupKind]] = {}  # by ApplySet, as its parent says
        self._listed: set[GroupKind] = set()
        self._problems: dict[str, str] = {}  # by subject
        self._problems_logged = False

    @property
    def objects(self) -> int:
        """How many objects are watched."""
        return self._reflectors.objects if self._reflectors is not None else 0

    def conflicts(self) -> tuple[FieldConflict, ...]:
        """Return the field conflicts that go on."""
        return self.queue.conflicts()

    def status(self) -> dict[str, Any]:
        """Return what the agent's status shows of it."""
        return {
            "on": self._reflectors is not None,
            "kinds": self._reflectors.kinds if self._reflectors is not None else [],
            "objects": self.objects,
            "troubles": sorted(set(self._problems.values())),
        }

    def follow(self) -> None:
        """Watch the kinds of the last report and of the ApplySets' parents, by the current settings. Does not block."""
        connection = self._cluster.settings["connection"]
        if self._reflectors is None or self._connection != connection:
            self.end()
            self._connection = connection
            handler = partial(self._post, self._generation)
            self._reflectors = Reflectors(self._cluster.name, connection_spec(connection), handler)
            self._reflectors.start()
        self._update_kinds()
        self.update_followed()

    def end(self) -> None:
        """Watch nothing any more."""
        if self._reflectors is not None:
            self._reflectors.stop.now()
        self._reflectors = None
        self._generation += 1
        self._member_kinds, self._problems, self._listed = {}, {}, set()
        self._problems_logged = False

    def run_began(self) -> None:
        """Note that a run of this cluster begins."""
        self.queue.run_began()

    def run_ended(self, outcome: RunOutcome, trigger: Trigger) -> None:
        """Note that a run has ended; it may have left other kinds than there were before."""
        self.queue.run_ended(outcome, trigger)
        self._update_kinds()

    def update_followed(self) -> None:
        """Report changes of the objects whose health is followed now."""
        if self._reflectors is not None:
            self._reflectors.followed = self._health.followed()

    def _update_kinds(self) -> None:
        if self._reflectors is not None:
            self._app_of_set = self._apps_by_set()
            of_parents = [kinds for set_id, kinds in self._member_kinds.items() if set_id in self._app_of_set]
            self._reflectors.want(self._cluster.kinds.union(*of_parents))

    def _apps_by_set(self) -> dict[str, str]:
        """Return the apps by the ids of their ApplySets, former ones too."""
        settings = self._cluster.settings
        sets: dict[str, str] = {}
        for app in app_specs((*settings["apps"], *self._cluster.git_apps)):
            own, *former = identities_of(app, settings.get("namespace") or DEFAULT_NAMESPACE)
            sets |= {identity.id: app.name for identity in (*former, own)}
        return sets

    def _post(self, generation: int, event: WatchEvent) -> None:
        """Hand an event over to the agent's event loop; called in the reflectors' threads."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and so will the threads
            self._loop.call_soon_threadsafe(self._handle, generation, event)

    def _handle(self, generation: int, event: WatchEvent) -> None:
        if generation != self._generation:
            return
        match event:
            case ObjectChange():
                self._object_changed(event)
            case FollowedChange(kind, key):
                self._health.object_changed(kind, *key)
            case MemberKinds(set_id, kinds):
                if self._member_kinds.get(set_id) != kinds:
                    self._member_kinds[set_id] = kinds
                    self._update_kinds()
            case KindListed(kind, sets):
                self._kind_listed(kind, sets)
            case WatchHealth(subject, error):
                self._set_problem(subject, error)
            case StreamRestarted():
                self._restarted()

    def _kind_listed(self, kind: GroupKind, sets: frozenset[str]) -> None:
        """Ask for a run: changes between the last one and this first list do not show in any comparison."""
        late = bool(self.queue.runs) and not self._cluster.running_since and kind not in self._listed
        self._listed.add(kind)
        if late:
            self.queue.changed(self._apps_of(sets), str(kind), foreign=True)

    def _object_changed(self, change: ObjectChange) -> None:
        apps = self._apps_of(change.sets)
        foreign = change.movement is Movement.FOREIGN
        if change.parent and not foreign and self.queue.may_be_ours:
            return  # a run writes the parents of its apps, and no report says so
        about = key_of(change.kind.group, change.kind.kind, *change.key)
        self.queue.changed(apps, about, foreign=foreign, gone=change.gone)

    def _apps_of(self, sets: frozenset[str]) -> set[str]:
        return {self._app_of_set[set_id] for set_id in sets if set_id in self._app_of_set}

    def _set_problem(self, subject: str, error: PlumbError | None) -> None:
        if error is None:
            self._problems.pop(subject, None)
            if self._problems_logged and not self._problems:
                self._problems_logged = False
                self._log.info("watching again", cluster=self._cluster.name)
            return
        if not self._problems and not self._problems_logged:
            self._loop.call_later(_PATIENCE, self._log_problems)
        self._problems[subject] = error.account

    def _log_problems(self) -> None:
        if self._problems and not self._problems_logged:
            self._problems_logged = True
            why = sorted(set(self._problems.values()))
            more = f"; and {len(why) - 1} more" if len(why) > 1 else ""
            self._log.warning(
                "not watching all",
                cluster=self._cluster.name,
                why=why[0] + more,
                instead="what changes there is found at the interval",
            )
