# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threads that watch one cluster: one connects and starts the others, each of which follows a kind.

They block in reads of their own connections, so nothing of the agent waits for a cluster that hangs. What they notice
is told to the agent's loop by the functions of `WatchEventHandler`, which they call in their own threads.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.client import Cluster
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.errors import Unauthorized, UnknownApi
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.reflector import Key, Reflector, Selected
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.watch import Stop
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError, PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind
from ansible_collections.plumb.gitops.plugins.module_utils.model.well_known import PART_OF
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.applyset.inventory import (
    ID_LABEL,
    PARENT_KIND,
    hinted_kinds,
)
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.drift.fingerprint import (
    Fingerprint,
    Movement,
    fingerprint,
    movement,
)

_FIRST_PAUSE, _LONGEST_PAUSE = (
    1.0,
    60.0,
)  # seconds between tries to connect, and between looks for a missing kind
_LISTS = 2  # at once: a page of a list takes some megabytes
PARENTS = "the inventories"  # what is said of the follower of the parents


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """An object of ours that changed, and the sets it was and is in."""

    kind: GroupKind
    key: Key
    sets: frozenset[str]
    movement: Movement
    gone: bool  # it is not there any more, or without its label
    parent: bool


class WatchEventHandler(Protocol):
    """What is told, from any thread."""

    def moved(self, moved: ObjectChange) -> None:
        """An object changed in a way that a run should look at."""

    def hinted(self, set_id: str, kinds: frozenset[GroupKind]) -> None:
        """A parent says that its members may be of these kinds."""

    def listed(self, kind: GroupKind, sets: frozenset[str]) -> None:
        """A kind is watched from now on; these sets have objects of it."""

    def trouble(self, about: str, error: PlumbError | None) -> None:
        """Why something is not watched now; None: it is."""

    def restarted(self) -> None:
        """A stream broke, or the server had forgotten too much."""


@dataclass(frozen=True, slots=True)
class Parent:
    """What is kept of the parent of a set."""

    print: Fingerprint
    kinds: frozenset[GroupKind]


class Reflectors:
    """The threads of one cluster. `start` them once; `stop.now` ends them, without waiting."""

    def __init__(self, name: str, where: ConnectionSpec, hears: WatchEventHandler) -> None:
        self.stop = Stop()
        self._name = name
        self._where = where
        self._hears = hears
        self._lock = threading.Lock()
        self._stir = threading.Event()
        self._cluster: Cluster | None = None
        self._stale = False  # whether to ask anew which kinds there are
        self._wanted: frozenset[GroupKind] = frozenset()
        self._following: dict[GroupKind | None, tuple[Reflector[Any], threading.Thread]] = {}
        self._listing = threading.BoundedSemaphore(_LISTS)

    @property
    def objects(self) -> int:
        """How many objects are kept in sight."""
        return sum(len(follower.objects) for follower, _thread in tuple(self._following.values()))

    @property
    def kinds(self) -> list[str]:
        """The kinds that are followed, that of the parents aside."""
        return sorted(str(kind) for kind in tuple(self._following) if kind is not None)

    def start(self) -> None:
        self._thread("", self._run).start()

    def want(self, kinds: frozenset[GroupKind]) -> None:
        """Follow just these kinds, as soon as the server has them. May be called from any thread."""
        self._wanted = kinds
        self._stir.set()

    def renew(self) -> None:
        """Connect anew before the next request: credentials were refused, or cannot be read."""
        with self._lock:
            self._cluster = None

    def lost(self) -> None:
        """A kind is not served any more, or not in the version that was known."""
        self._stale = True

    def open(self) -> Cluster:
        """The connection, for all threads. Raises InputError."""
        with self._lock:
            if self._cluster is None:
                self._cluster = connect(self._where, circuit_breaker=False)
            return self._cluster

    def _thread(self, kind: str, run: Any) -> threading.Thread:
        return threading.Thread(target=run, name=f"watch {self._name} {kind}", daemon=True)

    def _run(self) -> None:
        with self.stop.cuts(self._stir.set):
            pause = _FIRST_PAUSE
            while not self.stop.asked:
                self._stir.clear()
                lacking = self._safe_step()
                # A kind that the server does not have yet is looked for again, ever later, or when something changes.
                if self._stir.wait(pause * random.uniform(0.8, 1.2) if lacking else None):  # noqa: S311 - no secret
                    pause = _FIRST_PAUSE
                else:
                    pause = min(_LONGEST_PAUSE, pause * 2)
        self._end()

    def _safe_step(self) -> bool:
        """The same as `_step`; a defect is told as a trouble of the cluster, and the next step tries again."""
        try:
            return self._step()
        except Exception as error:  # noqa: BLE001 - a thread that ended would watch nothing, and nobody would know
            self._hears.trouble("the cluster", _defect("the cluster", error))
            self.renew()
            return True

    def _step(self) -> bool:
        """Start and stop what has to be; whether something is lacking that may come."""
        try:
            discovery = self.open().discover()
            if self._stale or any(discovery.of(kind) is None for kind in self._wanted):
                self._stale = False
                discovery = self.open().rediscover()
        except PlumbError as error:
            self._hears.trouble("the cluster", error)
            if isinstance(error, InputError | Unauthorized):
                self.renew()
            return True
        self._hears.trouble("the cluster", None)
        for kind in [kind for kind in self._following if kind is not None and kind not in self._wanted]:
            self._drop(kind)
        for kind in self._lacking():
            resource = discovery.of(kind)
            if resource is not None and "watch" in resource.verbs:
                self._follow(kind, Selected(kind=resource, selector=PART_OF), _Members(kind, self))
        parents = discovery.of(PARENT_KIND)
        if None not in self._following and parents is not None:
            self._follow(None, Selected(kind=parents, selector=ID_LABEL), _Parents(self))
        return any(discovery.of(kind) is None for kind in self._wanted)

    def _lacking(self) -> list[GroupKind]:
        """The wanted kinds that nobody follows, those that the server no longer knew among them."""
        for kind, (_follower, thread) in tuple(self._following.items()):
            if not thread.is_alive():
                del self._following[kind]
        return sorted(self._wanted - self._following.keys())

    def _follow(self, kind: GroupKind | None, selected: Selected, listener: Any) -> None:
        follower: Reflector[Any] = Reflector(self.open, selected, listener, Stop(), listing=self._listing)

        def follow() -> None:
            about = str(kind or PARENTS)
            try:
                follower.run()
            except Exception as error:  # noqa: BLE001 - it is followed anew, a little later
                self._hears.trouble(about, _defect(about, error))
                self._hears.restarted()
                self.renew()
                follower.stop.wait(_LONGEST_PAUSE * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            self._stir.set()  # the server does not know the kind any more

        thread = self._thread(str(kind or PARENTS), follow)
        self._following[kind] = follower, thread
        thread.start()

    def _drop(self, kind: GroupKind | None) -> None:
        follower, _thread = self._following.pop(kind)
        follower.stop.now()
        self._hears.trouble(str(kind), None)

    def _end(self) -> None:
        for follower, _thread in self._following.values():
            follower.stop.now()
        with self._lock:
            if self._cluster is not None:
                self._cluster.close()

    @property
    def hears(self) -> WatchEventHandler:
        return self._hears


def _defect(about: str, error: Exception) -> PlumbError:
    why = f"{type(error).__name__}: {error}"
    return PlumbError(
        about, "watching it", why, "It is tried again. Please report this as a defect of Plumb."
    )


class _Listener:
    """What is common to both: troubles, said only when something changes."""

    def __init__(self, about: str, followers: Reflectors) -> None:
        self._about = about
        self._of = followers
        self._troubled = False

    def working(self) -> None:
        if self._troubled:
            self._troubled = False
            self._of.hears.trouble(self._about, None)

    def expired(self) -> None:
        self._of.hears.restarted()

    def failed(self, error: PlumbError) -> None:
        self._troubled = True
        if isinstance(error, InputError | Unauthorized):
            self._of.renew()
        if isinstance(error, UnknownApi):
            self._of.lost()
        self._of.hears.restarted()
        self._of.hears.trouble(self._about, error)


class _Members(_Listener):
    """Listens to the members of all sets, of one kind."""

    def __init__(self, kind: GroupKind, followers: Reflectors) -> None:
        super().__init__(str(kind), followers)
        self._kind = kind

    def kept(self, item: Mapping[str, Any]) -> Fingerprint:
        return fingerprint(item, self._kind)

    def listed(self, objects: Mapping[Key, Fingerprint]) -> None:
        self._of.hears.listed(
            self._kind, frozenset(print_.set_id for print_ in objects.values() if print_.member)
        )

    def seen(self, key: Key, before: Fingerprint | None, after: Fingerprint | None) -> None:
        sets = {print_.set_id for print_ in (before, after) if print_ is not None}
        _tell(
            self._of.hears,
            ObjectChange(self._kind, key, frozenset(sets), movement(before, after), after is None, False),
        )


class _Parents(_Listener):
    """Listens to the parents of all sets."""

    def __init__(self, followers: Reflectors) -> None:
        super().__init__(PARENTS, followers)

    def kept(self, item: Mapping[str, Any]) -> Parent:
        return Parent(fingerprint(item, PARENT_KIND), hinted_kinds(item))

    def listed(self, objects: Mapping[Key, Parent]) -> None:
        for parent in objects.values():
            self._of.hears.hinted(parent.print.set_id, parent.kinds)

    def seen(self, key: Key, before: Parent | None, after: Parent | None) -> None:
        if after is not None:
            self._of.hears.hinted(after.print.set_id, after.kinds)
        prints = [parent.print if parent is not None else None for parent in (before, after)]
        sets = {print_.set_id for print_ in prints if print_ is not None}
        _tell(
            self._of.hears,
            ObjectChange(PARENT_KIND, key, frozenset(sets), movement(*prints), after is None, True),
        )


def _tell(hears: WatchEventHandler, moved: ObjectChange) -> None:
    if moved.movement is not Movement.NONE:
        hears.moved(moved)
