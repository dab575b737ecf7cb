# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The change queue: from changes of objects to runs of their apps. All of it is in the agent's event loop.

- What a run of ours wrote starts none. While a run is under way, and for `GRACE` seconds after it, an object that may
  have been written by it is a suspect; the run's report says in the end what it wrote, and the others start a run.
- Many changes start one run: changes are collected for `DEBOUNCE` seconds.
- Changes that come again and again for nothing start few (conflicts.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.plumb.gitops.plugins.module_utils.model.duration import format_seconds

from ..core.log import Log
from ..core.run_protocol import RunOutcome
from ..core.schedule import CHANGE_SEEN, Trigger
from .conflicts import ConflictKey, FieldConflict, FieldConflicts

DEBOUNCE = 0.2  # seconds from a change to the run for all that came meanwhile
GRACE = 0.5  # seconds after a run within which its own writes still arrive as events


class RunTarget(Protocol):
    """A cluster's loop, as far as the queue needs it."""

    name: str
    running_since: float  # 0 where no run is under way

    @property
    def apps(self) -> tuple[str, ...]:
        """The names of the cluster's apps."""

    def request_run(self, trigger: Trigger) -> None:
        """Ask for a run."""


@dataclass(frozen=True, slots=True)
class HeldApps:
    """The apps that no change starts a run of; everything, if the cluster is suspended or another agent leads."""

    everything: bool = False
    apps: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Suspect:
    """An object that changed while a run of ours may have written it."""

    apps: set[str] = field(default_factory=set)
    last: float = 0.0
    gone: bool = False  # it was deleted, which only a run that deletes it explains


ChangedObjects = dict[str, set[str]]  # by app


class ChangeQueue:
    """The changes of one cluster that are to become runs."""

    def __init__(self, cluster: RunTarget, held: Callable[[], HeldApps], log: Log) -> None:
        self.runs = 0  # that have ended
        self._conflicts = FieldConflicts()
        self._cluster = cluster
        self._held = held
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._due: ChangedObjects = {}  # wait for the next flush
        self._requested: ChangedObjects = {}  # a run is asked for
        self._answered: ChangedObjects = {}  # of the run that is under way
        self._suspects: dict[str, _Suspect] = {}  # by object
        # By object, until when a change of it may be the doing of a run of ours.
        self._written: dict[str, float] = {}
        self._removed: dict[str, float] = {}  # the same of objects that a run has deleted
        self._flushing: asyncio.TimerHandle | None = None

    @property
    def may_be_ours(self) -> bool:
        """Whether a run of ours is under way, or its writes may still be on their way to us."""
        return bool(self._cluster.running_since) or self._loop.time() < max(
            self._written.values(), default=0.0
        )

    def changed(self, apps: Iterable[str], about: str, *, foreign: bool, gone: bool = False) -> None:
        """Add a change of the object `about` of these apps. `foreign`: it is certain that no run of ours made it."""
        if not foreign and self.may_be_ours:
            suspect = self._suspects.setdefault(about, _Suspect())
            suspect.apps.update(apps)
            suspect.last = self._loop.time()
            suspect.gone = suspect.gone or gone
            return
        for app in apps:
            self._due.setdefault(app, set()).add(about)
            self._flush_in(DEBOUNCE)

    def run_began(self) -> None:
        """Note that a run of this cluster begins; it answers all that has been asked for."""
        self._answered, self._requested = self._requested, {}

    def run_ended(self, outcome: RunOutcome, trigger: Trigger) -> None:
        """Note that a run has ended: its writes start no run, and what it reverted may be a field conflict."""
        self.runs += 1
        answered, self._answered = self._answered, {}
        if outcome.digest is None:  # nobody knows what it wrote; it is made again
            self._suspects.clear()
        else:
            until = self._loop.time() + GRACE
            self._written |= dict.fromkeys(outcome.digest.writes["written"], until)
            self._removed |= dict.fromkeys(outcome.digest.writes["removed"], until)
            self._find_conflicts(outcome.digest.writes, trigger, answered)
        self._loop.call_later(GRACE, self._judge_suspects, self.runs)
        if self._due:
            self._flush_in(0.0)

    def conflicts(self) -> tuple[FieldConflict, ...]:
        """Return the field conflicts that go on."""
        return self._conflicts.present(self._loop.time())

    def conflict_status(self) -> list[dict[str, Any]]:
        """Return the field conflicts as the agent's status shows them; `waits` in seconds."""
        now = self._loop.time()
        return [
            {
                "app": conflict.key.app,
                "object": conflict.key.object,
                "field": conflict.key.path,
                "manager": conflict.key.manager,
                "reverts": conflict.reverts,
                "waits": round(max(0.0, conflict.last + conflict.wait - now), 1),
            }
            for conflict in self._conflicts.present(now)
        ]

    def _judge_suspects(self, runs: int) -> None:
        """Add the suspects that the last run did not write as changes: all events of its writes have arrived by now."""
        if self._cluster.running_since or runs != self.runs:
            return  # it is done again after the run that is under way, or that ended later
        suspects, written, removed = self._suspects, self._written, self._removed
        self._suspects, self._written, self._removed = {}, {}, {}
        for about, suspect in suspects.items():
            until = (removed if suspect.gone else written).get(about, 0.0)
            if suspect.last > until:
                self.changed(suspect.apps, about, foreign=True)

    def _flush_in(self, seconds: float) -> None:
        """Flush after `seconds`, where that is not to be sooner anyway."""
        due = self._loop.time() + seconds
        if self._flushing is None or self._flushing.when() > due:
            if self._flushing is not None:
                self._flushing.cancel()
            self._flushing = self._loop.call_at(due, self._flush)

    def _flush(self) -> None:
        """Ask for a run of the apps that changed; those with a field conflict wait."""
        self._flushing = None
        if self._cluster.running_since:
            return  # its end says whether there is a field conflict
        held, now = self._held(), self._loop.time()
        pending, self._due = self._due, {}
        if held.everything:
            return  # whoever resumes it, or leads, begins with a run
        ready: set[str] = set()
        waits: list[float] = []
        for app, objects in pending.items():
            if app in held.apps or app not in self._cluster.apps:
                continue
            wait = self._conflicts.wait(app, now)
            if wait > 0:
                self._due[app] = objects
                waits.append(wait)
            else:
                ready.add(app)
                self._requested.setdefault(app, set()).update(objects)
        if waits:
            self._flush_in(min(waits))
        if ready:
            self._cluster.request_run(Trigger(CHANGE_SEEN, frozenset(ready)))

    def _find_conflicts(self, writes: Mapping[str, Any], trigger: Trigger, answered: ChangedObjects) -> None:
        """Find field conflicts in what a run reverted, and objects whose changes start runs for nothing."""
        now, written = self._loop.time(), set(writes["written"])
        conflicts = [
            self._conflicts.reverted(ConflictKey(app=app, object=name, path=path, manager=manager), now)
            for app, name, path, manager in writes["reverted"]
        ]
        ran = answered.keys() if trigger.apps is None else answered.keys() & trigger.apps
        conflicts += [
            self._conflicts.ran_for_nothing(app, about, now)
            for app in sorted(ran)
            for about in sorted(answered[app] - written)
        ]
        for conflict in filter(None, conflicts):
            self._log_conflict(conflict)

    def _log_conflict(self, conflict: FieldConflict) -> None:
        key = conflict.key
        about = {"cluster": self._cluster.name, "app": key.app, "object": key.object}
        wait = f"changes start runs of the app after {format_seconds(conflict.wait)} and ever later; the interval stays"
        if conflict.reverts:
            about |= {"field": key.path or "the whole object", "manager": key.manager or "not recorded"}
            self._log.warning("field conflict", **about, reverts=conflict.reverts, instead=wait)
        else:
            why = "it changes again and again, and there is nothing to revert"
            self._log.warning("restless object", **about, why=why, instead=wait)
