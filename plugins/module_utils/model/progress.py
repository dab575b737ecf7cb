# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run is: counted where its work is done, and read by whoever shows it. No input or output here."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from .errors import printable

_MOST_NAMED = 3  # sources or apps in one line
_LONGEST = 200  # characters of what an app waits for


class Phase(Enum):
    """What a run does, in this order."""

    PULLING = "pulling"  # sources
    RENDERING = "rendering"  # apps, while the cluster is read
    COMPARING = "comparing"  # objects with the cluster
    APPLYING = "applying"  # objects
    WAITING = "waiting"  # for health, with nothing else to do


@dataclass(frozen=True, slots=True, kw_only=True)
class AppProgress:
    """How far an app is: so many of `total` objects are written; then what it waits for, if it waits."""

    name: str
    done: int = 0
    total: int = 0
    waits_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressSnapshot:
    """How far a run is at one moment. `names` are the sources or apps that are under way in this phase."""

    phase: Phase
    done: int
    total: int
    names: tuple[str, ...] = ()
    apps: tuple[AppProgress, ...] = ()  # those that are applied or waited for now

    @property
    def waits_for(self) -> tuple[str, ...]:
        """What is waited for, a text for each app."""
        return tuple(f"{app.name} waits for {app.waits_for}" for app in self.apps if app.waits_for)

    @property
    def text(self) -> str:
        """The progress in one line."""
        waits = _some(self.waits_for)
        if self.phase is Phase.WAITING:
            return waits
        count = f"{self.done:,} of {self.total:,}"
        match self.phase:
            case Phase.PULLING:
                head = f"pulling: {count} sources"
            case Phase.RENDERING:
                head = f"rendering: {count} apps"
            case Phase.COMPARING:
                head = f"{count} objects compared" if self.total else "reading the cluster"
            case _:
                head = f"{count} applied"
        under_way = [f"{app.name} {app.done:,} of {app.total:,}" for app in self.apps if app.done < app.total]
        names = _some(under_way) if len(under_way) > 1 else _some(self.names)
        return "; ".join(filter(None, (head, names, waits)))

    def document(self) -> dict[str, Any]:
        """Return the progress as JSON types."""
        return {
            "phase": self.phase.value,
            "done": self.done,
            "total": self.total,
            "waits_for": list(self.waits_for),
            "text": self.text,
        }


class Progress:
    """Counts how far a run is. All methods may be called from several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._phase: Phase | None = None
        self._done = 0
        self._total = 0
        self._names: dict[str, None] = {}  # under way, in their order
        self._apps: dict[str, AppProgress] = {}
        self._ended = 0  # objects of apps that are done

    def begin(self, phase: Phase, names: Iterable[str]) -> None:
        """Begin a phase of things with names, of which each `finish` is one."""
        with self._lock:
            self._names = dict.fromkeys(names)
            self._phase, self._done, self._total = phase, 0, len(self._names)

    def finish(self, name: str) -> None:
        """Count one of the things of this phase."""
        with self._lock:
            if name in self._names:
                del self._names[name]
                self._done += 1

    def begin_comparing(self, total: int = 0) -> None:
        """Begin to compare so many objects with the cluster; 0: how many is not known yet."""
        with self._lock:
            self._names, self._phase, self._done, self._total = {}, Phase.COMPARING, 0, total

    def compared(self) -> None:
        """Count an object that was compared."""
        with self._lock:
            if self._phase is Phase.COMPARING:
                self._done += 1

    def begin_app(self, name: str, total: int) -> None:
        """Begin to apply an app, of which so many objects are to be written."""
        with self._lock:
            self._phase, self._names = Phase.APPLYING, {}
            self._apps[name] = AppProgress(name=name, total=total)

    def applied(self, name: str) -> None:
        """Count an object of an app that was written, or could not be."""
        with self._lock:
            app = self._apps.get(name)
            if app is not None:
                self._apps[name] = replace(app, done=min(app.done + 1, app.total))

    def waits(self, name: str, waits_for: str) -> None:
        """Set what an app waits for; its objects are all written then."""
        with self._lock:
            if name in self._apps:
                app = self._apps[name]
                self._apps[name] = replace(app, done=app.total, waits_for=printable(waits_for, _LONGEST))

    def end_app(self, name: str) -> None:
        """Take an app from those that are under way."""
        with self._lock:
            app = self._apps.pop(name, None)
            self._ended += app.total if app is not None else 0

    def snapshot(self) -> ProgressSnapshot | None:
        """Return how far the run is; None before it has begun."""
        with self._lock:
            if self._phase is None:
                return None
            apps, phase = tuple(self._apps.values()), self._phase
            done, total, names = self._done, self._total, tuple(self._names)
            if phase is Phase.APPLYING:
                done = self._ended + sum(app.done for app in apps)
                total = self._ended + sum(app.total for app in apps)
        if phase is Phase.APPLYING and apps and all(app.waits_for for app in apps):
            phase = Phase.WAITING
        return ProgressSnapshot(phase=phase, done=done, total=total, names=names, apps=apps)


def _some(texts: Iterable[str]) -> str:
    listed = list(texts)
    more = [f"and {len(listed) - _MOST_NAMED} more"] if len(listed) > _MOST_NAMED else []
    return ", ".join([*listed[:_MOST_NAMED], *more])
