# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threads that watch one cluster: one connects and starts the others, each of which reflects one kind.

    thread "watch C"           connects; starts and stops the other threads as the wanted kinds come and go
    thread "watch C Kind"      a reflector of the members of that kind ---+
    thread "watch C Kind2"     another one -------------------------------+--> handler(event)
    thread "watch C parents"   a reflector of the ApplySets' parents -----+

They block in reads of their own connections, so nothing of the agent waits for a cluster that hangs. What they notice
is one of the values of `WatchEvent`, with which they call the handler in their own threads.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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
)  # seconds between tries to connect, and to find a kind that is missing
_LISTS = 2  # at once: a page of a list takes some megabytes
PARENTS = "the inventories"  # the subject of problems with the reflector of the parents
CLUSTER = "the cluster"  # the subject of problems with the connection


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """An object of ours changed in a way that a run should check; `sets` are the ApplySets it was and is in."""

    kind: GroupKind
    key: Key
    sets: frozenset[str]
    movement: Movement
    gone: bool  # it was deleted, or lost its label
    parent: bool


@dataclass(frozen=True, slots=True)
class MemberKinds:
    """The kinds that the members of an ApplySet may have, by its parent."""

    set_id: str
    kinds: frozenset[GroupKind]


@dataclass(frozen=True, slots=True)
class KindListed:
    """A kind is watched from now on; these ApplySets have objects of it."""

    kind: GroupKind
    sets: frozenset[str]


@dataclass(frozen=True, slots=True)
class WatchHealth:
    """Why something (a kind, PARENTS, CLUSTER) is not watched now; None: it is."""

    subject: str
    error: PlumbError | None = None


@dataclass(frozen=True, slots=True)
class StreamRestarted:
    """A stream broke, or the server had forgotten what came after its last event."""


@dataclass(frozen=True, slots=True)
class FollowedChange:
    """Something of an object whose health is followed changed; its status, most often."""

    kind: GroupKind
    key: Key


WatchEvent = ObjectChange | FollowedChange | MemberKinds | KindListed | WatchHealth | StreamRestarted


@dataclass(frozen=True, slots=True)
class ParentState:
    """What is kept of the parent of an ApplySet."""

    print: Fingerprint
    kinds: frozenset[GroupKind]


class Reflectors:
    """The threads of one cluster. `start` them once; `stop.now` ends them, without waiting.

    `handler` is called with each event, in any of the threads.
    """

    def __init__(self, name: str, connection: ConnectionSpec, handler: Callable[[WatchEvent], None]) -> None:
        self.stop = Stop()
        self.handle = handler
        self.followed: frozenset[tuple[str, str, str]] = frozenset()  # kind with group, namespace, name
        self._name = name
        self._connection = connection
        self._lock = threading.Lock()
        self._wakeup = threading.Event()
        self._cluster: Cluster | None = None
        self._stale = False  # whether to ask anew which kinds there are
        self._wanted: frozenset[GroupKind] = frozenset()
        self._reflecting: dict[GroupKind | None, tuple[Reflector[Any], threading.Thread]] = {}
        self._listing = threading.BoundedSemaphore(_LISTS)

    @property
    def objects(self) -> int:
        """How many objects are watched."""
        return sum(len(reflector.objects) for reflector, _thread in tuple(self._reflecting.values()))

    @property
    def kinds(self) -> list[str]:
        """The kinds that are watched, that of the parents aside."""
        return sorted(str(kind) for kind in tuple(self._reflecting) if kind is not None)

    def start(self) -> None:
        """Start the thread that connects."""
        self._thread("", self._run).start()

    def want(self, kinds: frozenset[GroupKind]) -> None:
        """Watch just these kinds, as soon as the server has them. May be called from any thread."""
        self._wanted = kinds
        self._wakeup.set()

    def reconnect(self) -> None:
        """Connect anew before the next request: credentials were refused, or cannot be read."""
        with self._lock:
            self._cluster = None

    def rediscover(self) -> None:
        """Ask anew which kinds there are: one is not served any more, or not in the version that was known."""
        self._stale = True

    def open(self) -> Cluster:
        """Return the connection, for all threads. Raises InputError."""
        with self._lock:
            if self._cluster is None:
                self._cluster = connect(self._connection, circuit_breaker=False)
            return self._cluster

    def _thread(self, kind: str, run: Any) -> threading.Thread:
        return threading.Thread(target=run, name=f"watch {self._name} {kind}", daemon=True)

    def _run(self) -> None:
        with self.stop.cuts(self._wakeup.set):
            pause = _FIRST_PAUSE
            while not self.stop.asked:
                self._wakeup.clear()
                lacking = self._safe_step()
                # A kind that the server does not have yet is looked for again, ever later, or when something changes.
                if self._wakeup.wait(pause * random.uniform(0.8, 1.2) if lacking else None):  # noqa: S311 - no secret
                    pause = _FIRST_PAUSE
                else:
                    pause = min(_LONGEST_PAUSE, pause * 2)
        self._end()

    def _safe_step(self) -> bool:
        """Do `_step`; a defect is reported as a problem of the cluster, and the next step tries again."""
        try:
            return self._step()
        except Exception as error:  # noqa: BLE001 - a thread that ended would watch nothing, and nobody would know
            self.handle(WatchHealth(CLUSTER, _defect(CLUSTER, error)))
            self.reconnect()
            return True

    def _step(self) -> bool:
        """Start and stop what has to be. Return whether something is lacking that may come."""
        try:
            discovery = self.open().discover()
            if self._stale or any(discovery.of(kind) is None for kind in self._wanted):
                self._stale = False
                discovery = self.open().rediscover()
        except PlumbError as error:
            self.handle(WatchHealth(CLUSTER, error))
            if isinstance(error, InputError | Unauthorized):
                self.reconnect()
            return True
        self.handle(WatchHealth(CLUSTER))
        for kind in [kind for kind in self._reflecting if kind is not None and kind not in self._wanted]:
            self._drop(kind)
        for kind in self._lacking():
            resource = discovery.of(kind)
            if resource is not None and "watch" in resource.verbs:
                self._reflect(kind, Selected(kind=resource, selector=PART_OF), _Members(kind, self))
        parents = discovery.of(PARENT_KIND)
        if None not in self._reflecting and parents is not None:
            self._reflect(None, Selected(kind=parents, selector=ID_LABEL), _Parents(self))
        return any(discovery.of(kind) is None for kind in self._wanted)

    def _lacking(self) -> list[GroupKind]:
        """Return the wanted kinds that no thread watches, those that the server no longer knew among them."""
        for kind, (_reflector, thread) in tuple(self._reflecting.items()):
            if not thread.is_alive():
                del self._reflecting[kind]
        return sorted(self._wanted - self._reflecting.keys())

    def _reflect(self, kind: GroupKind | None, selected: Selected, listener: Any) -> None:
        reflector: Reflector[Any] = Reflector(self.open, selected, listener, Stop(), listing=self._listing)

        def run() -> None:
            subject = str(kind or PARENTS)
            try:
                reflector.run()
            except Exception as error:  # noqa: BLE001 - it is started anew, a little later
                self.handle(WatchHealth(subject, _defect(subject, error)))
                self.handle(StreamRestarted())
                self.reconnect()
                reflector.stop.wait(_LONGEST_PAUSE * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            self._wakeup.set()  # the server does not know the kind any more

        thread = self._thread(str(kind or PARENTS), run)
        self._reflecting[kind] = reflector, thread
        thread.start()

    def _drop(self, kind: GroupKind | None) -> None:
        reflector, _thread = self._reflecting.pop(kind)
        reflector.stop.now()
        self.handle(WatchHealth(str(kind)))

    def _end(self) -> None:
        for reflector, _thread in self._reflecting.values():
            reflector.stop.now()
        with self._lock:
            if self._cluster is not None:
                self._cluster.close()


def _defect(subject: str, error: Exception) -> PlumbError:
    why = f"{type(error).__name__}: {error}"
    return PlumbError(
        subject, "watching it", why, "It is tried again. Please report this as a defect of Plumb."
    )


class _Listener:
    """The base of both listeners: reports problems, only when something changes."""

    def __init__(self, subject: str, reflectors: Reflectors) -> None:
        self._subject = subject
        self._reflectors = reflectors
        self._failed = False

    def working(self) -> None:
        if self._failed:
            self._failed = False
            self._reflectors.handle(WatchHealth(self._subject))

    def expired(self) -> None:
        self._reflectors.handle(StreamRestarted())

    def failed(self, error: PlumbError) -> None:
        self._failed = True
        if isinstance(error, InputError | Unauthorized):
            self._reflectors.reconnect()
        if isinstance(error, UnknownApi):
            self._reflectors.rediscover()
        self._reflectors.handle(StreamRestarted())
        self._reflectors.handle(WatchHealth(self._subject, error))

    def _changed(
        self,
        kind: GroupKind,
        key: Key,
        before: Fingerprint | None,
        after: Fingerprint | None,
        *,
        parent: bool,
    ) -> None:
        sets = frozenset(each.set_id for each in (before, after) if each is not None)
        if (str(kind), *key) in self._reflectors.followed:
            self._reflectors.handle(FollowedChange(kind, key))
        if (moved := movement(before, after)) is not Movement.NONE:
            self._reflectors.handle(ObjectChange(kind, key, sets, moved, after is None, parent))


class _Members(_Listener):
    """Listens to the members of all ApplySets, of one kind."""

    def __init__(self, kind: GroupKind, reflectors: Reflectors) -> None:
        super().__init__(str(kind), reflectors)
        self._kind = kind

    def extract(self, item: Mapping[str, Any]) -> Fingerprint:
        return fingerprint(item, self._kind)

    def listed(self, objects: Mapping[Key, Fingerprint]) -> None:
        sets = frozenset(member.set_id for member in objects.values() if member.member)
        self._reflectors.handle(KindListed(self._kind, sets))

    def changed(self, key: Key, before: Fingerprint | None, after: Fingerprint | None) -> None:
        self._changed(self._kind, key, before, after, parent=False)


class _Parents(_Listener):
    """Listens to the parents of all ApplySets."""

    def __init__(self, reflectors: Reflectors) -> None:
        super().__init__(PARENTS, reflectors)

    def extract(self, item: Mapping[str, Any]) -> ParentState:
        return ParentState(fingerprint(item, PARENT_KIND), hinted_kinds(item))

    def listed(self, objects: Mapping[Key, ParentState]) -> None:
        for parent in objects.values():
            self._reflectors.handle(MemberKinds(parent.print.set_id, parent.kinds))

    def changed(self, key: Key, before: ParentState | None, after: ParentState | None) -> None:
        if after is not None:
            self._reflectors.handle(MemberKinds(after.print.set_id, after.kinds))
        prints = [parent.print if parent is not None else None for parent in (before, after)]
        self._changed(PARENT_KIND, key, *prints, parent=True)
