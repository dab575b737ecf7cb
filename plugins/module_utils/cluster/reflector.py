# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a kind: LIST, then WATCH from there on for ever; what was missed meanwhile is found by comparing.

Of each object only what the listener makes of its metadata is kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ..model.errors import PlumbError
from .client import Cluster
from .discovery import ApiResource
from .errors import Expired, Forbidden, RequestError, Unauthorized, UnknownApi
from .requests.retry import Clock
from .watch import Stop, WatchChange, WatchEvent

T = TypeVar("T")
Key = tuple[str, str]  # namespace and name

_PAGE = 250  # objects in memory at once while listing
_STREAM = (
    300.0  # seconds that a stream is asked for, and up to twice that, so that they do not all end together
)
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds; doubled with each failure in a row
_REFUSED_PAUSE = 120.0  # seconds, where trying again soon is of no use
_SETTLED = 5.0  # seconds; a stream that lasted so long was no failure
_FORGETFUL = 3  # failures in a row after which the resourceVersion is not relied upon: the store may have been restored


class ReflectorHandler(Protocol[T]):
    """What a follower tells, all in its own thread."""

    def kept(self, item: Mapping[str, Any]) -> T:
        """What to keep of an object."""

    def listed(self, objects: Mapping[Key, T]) -> None:
        """The kind was listed for the first time."""

    def seen(self, key: Key, before: T | None, after: T | None) -> None:
        """An object before and after; None where it was not there, or is not any more."""

    def working(self) -> None:
        """A stream stands."""

    def expired(self) -> None:
        """The server had forgotten what came after the last event (410); the kind is listed and compared."""

    def failed(self, error: PlumbError) -> None:
        """It does not stand, or broke; it is tried again, but not where the server does not know the kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The objects of a kind, in all namespaces, that a label selector picks."""

    kind: ApiResource
    selector: str


class Reflector(Generic[T]):
    """Follows one kind in the thread that calls `run`."""

    def __init__(
        self,
        open_cluster: Callable[[], Cluster],
        selected: Selected,
        listener: ReflectorHandler[T],
        stop: Stop,
        *,
        clock: Clock | None = None,
        listing: AbstractContextManager[Any] | None = None,
    ) -> None:
        """`open_cluster` is asked before each LIST and WATCH. `listing` is held during a LIST, which takes memory."""
        self.objects: dict[Key, T] = {}
        self.stop = stop
        self._open = open_cluster
        self._selected = selected
        self._listener = listener
        self._clock = clock if clock is not None else Clock()
        self._listing = listing if listing is not None else contextlib.nullcontext()
        self._version = ""
        self._first = True
        self._failures = 0

    def run(self) -> None:
        """Until `stop`, or until the server does not serve the kind any more."""
        while not self.stop.asked:
            began = self._clock.now()
            try:
                if not self._version:
                    self._list()
                self._watch()
            except Expired:
                self._version = ""
                self._listener.expired()
            except PlumbError as error:
                if self.stop.wait(0.0):
                    return
                self._listener.failed(error)
                if isinstance(error, UnknownApi):
                    self._failures += 1
                    self._pause(0.0)
                    return
                if _is_refused(error):
                    self._version = ""
                    self.stop.wait(_REFUSED_PAUSE * self._clock.uniform(0.8, 1.2))
                    continue
            self._pause(self._clock.now() - began)

    def _list(self) -> None:
        found: dict[Key, T] = {}
        version = ""
        with self._listing:
            for page in self._open().pages(
                self._selected.kind, label_selector=self._selected.selector, size=_PAGE
            ):
                if self.stop.asked:
                    return
                found |= {_key(item): self._listener.kept(item) for item in page.items}
                version = page.resource_version
        before, self.objects, self._version = self.objects, found, version
        if self._first:
            self._first = False
            self._listener.listed(found)
            return
        for key in sorted(before.keys() | found.keys()):
            if before.get(key) != found.get(key):
                self._listener.seen(key, before.get(key), found.get(key))

    def _watch(self) -> None:
        events = self._open().watch(
            self._selected.kind,
            label_selector=self._selected.selector,
            resource_version=self._version,
            seconds=_STREAM * self._clock.uniform(1.0, 2.0),
            stop=self.stop,
        )
        self._listener.working()
        for event in events:
            if self.stop.asked:
                return
            self._take(event)

    def _take(self, event: WatchEvent) -> None:
        self._version = event.resource_version or self._version
        if event.change is WatchChange.BOOKMARK:
            return
        key = _key(event.item)
        before = self.objects.get(key)
        if event.change is WatchChange.DELETED:
            after = None
            self.objects.pop(key, None)
        else:
            after = self.objects[key] = self._listener.kept(event.item)
        if before != after:
            self._listener.seen(key, before, after)

    def _pause(self, lasted: float) -> None:
        """Wait before the next try; not at all after a stream that had settled."""
        self._failures = 0 if lasted > _SETTLED else self._failures + 1
        if self._failures >= _FORGETFUL:
            self._version = ""
        if self._failures:
            longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (self._failures - 1))
            self.stop.wait(longest * self._clock.uniform(0.5, 1.0))


def _is_refused(error: PlumbError) -> bool:
    return isinstance(error, Forbidden | Unauthorized) or not isinstance(error, RequestError)


def _key(item: Mapping[str, Any]) -> Key:
    metadata = item.get("metadata") or {}
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
