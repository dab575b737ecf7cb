# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Field conflicts: a field that is reverted again and again, and objects that start runs for nothing.

An agent that undoes each change at once would write against another writer at full speed. So the runs that changes
start are held back for the app, longer each time; those at the interval are not. Pure functions of the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

WINDOW = 600.0  # seconds within which repetitions count
REVERTS = 3  # of one field of one object, from one manager: a conflict
IDLE_RUNS = 5  # that changes of one object started, with nothing to revert: it is restless
# Seconds until a change starts a run of the app again; doubled each time.
FIRST_WAIT, LONGEST_WAIT = 30.0, 900.0


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class ConflictKey:
    """A field that somebody else keeps writing. Without `path` it is about the whole object, without `manager` about
    somebody who left no entry."""

    app: str
    object: str
    path: str = ""
    manager: str = ""


@dataclass(slots=True, kw_only=True)
class FieldConflict:
    """A field conflict that goes on; `reverts` is how often it was reverted, 0 where there was nothing to revert."""

    key: ConflictKey
    reverts: int
    since: float
    last: float
    wait: float  # seconds after the last time until a change starts a run of the app again


@dataclass(slots=True)
class FieldConflicts:
    """The field conflicts of one cluster. Times are seconds of a clock that only goes forward."""

    _times: dict[ConflictKey, deque[float]] = field(default_factory=dict)
    _conflicts: dict[ConflictKey, FieldConflict] = field(default_factory=dict)

    def reverted(self, key: ConflictKey, now: float) -> FieldConflict | None:
        """Count that the field was reverted. Return the conflict, if it becomes one now."""
        return self._count(key, now, REVERTS, counted=True)

    def ran_for_nothing(self, app: str, about: str, now: float) -> FieldConflict | None:
        """Count a run that an object's change started and that had nothing to write to it. Return the conflict, if it
        becomes one now.
        """
        return self._count(ConflictKey(app=app, object=about), now, IDLE_RUNS, counted=False)

    def wait(self, app: str, now: float) -> float:
        """Return the seconds until a change may start a run of the app; 0 where it may."""
        return max((0.0, *(conflict.last + conflict.wait - now for conflict in self._of_app(app, now))))

    def present(self, now: float) -> tuple[FieldConflict, ...]:
        """Return the conflicts that go on, sorted by their keys."""
        self._forget(now)
        return tuple(self._conflicts[key] for key in sorted(self._conflicts))

    def _of_app(self, app: str, now: float) -> Iterator[FieldConflict]:
        self._forget(now)
        return (conflict for conflict in self._conflicts.values() if conflict.key.app == app)

    def _count(self, key: ConflictKey, now: float, most: int, *, counted: bool) -> FieldConflict | None:
        self._forget(now)
        conflict = self._conflicts.get(key)
        if conflict is not None:
            conflict.reverts += counted
            conflict.wait = min(LONGEST_WAIT, conflict.wait * 2)
            conflict.last = now
            return None
        times = self._times.setdefault(key, deque(maxlen=most))
        times.append(now)
        if len(times) < most:
            return None
        conflict = self._conflicts[key] = FieldConflict(
            key=key, reverts=most if counted else 0, since=times[0], last=now, wait=FIRST_WAIT
        )
        return conflict

    def _forget(self, now: float) -> None:
        """Drop what is over: no time within the window, which for a conflict begins when its wait is over."""
        for key, times in list(self._times.items()):
            while times and now - times[0] > WINDOW:
                times.popleft()
            if not times:
                del self._times[key]
        for key, conflict in list(self._conflicts.items()):
            if now - conflict.last > conflict.wait + WINDOW:
                del self._conflicts[key]
