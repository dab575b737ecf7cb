# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reflector of one kind: a LIST, then a WATCH from its version on, for ever, over lost connections.

Where the stream has lost events, the kind is listed again and compared with what was known. Of each object only what
the handler extracts of its metadata is kept in memory.
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
_STREAM = 300.0  # seconds of a stream, and up to twice that, so that they do not all end together
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds; doubled with each failure in a row
_REFUSED_PAUSE = 120.0  # seconds, where the next try would soon fail as well
_LASTED = 5.0  # seconds; a stream that lasted so long was no failure
_RELIST_AFTER = 3  # failures in a row after which the kind is listed again: the store may have been restored


class ReflectorHandler(Protocol[T]):
    """What a reflector calls, always in its own thread."""

    def extract(self, item: Mapping[str, Any]) -> T:
        """Return what to keep of an object."""

    def listed(self, objects: Mapping[Key, T]) -> None:
        """Handle the first list of the kind."""

    def changed(self, key: Key, before: T | None, after: T | None) -> None:
        """Handle a change of an object; None where it did not exist before, or does not any more."""

    def working(self) -> None:
        """Handle that a stream is open."""

    def expired(self) -> None:
        """Handle that the server has no history since the last event (410): the kind is listed and compared."""

    def failed(self, error: PlumbError) -> None:
        """Handle that no stream opens, or one broke. It is tried again unless the server does not know the kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The objects of a kind, in all namespaces, that a label selector picks."""

    kind: ApiResource
    selector: str


class Reflector(Generic[T]):
    """A list and a watch of one kind, in the thread that calls `run`."""

    def __init__(
        self,
        open_cluster: Callable[[], Cluster],
        selected: Selected,
        handler: ReflectorHandler[T],
        stop: Stop,
        *,
        clock: Clock | None = None,
        listing: AbstractContextManager[Any] | None = None,
    ) -> None:
        """Take the cluster of `open_cluster` for each request. `listing` is held during a LIST, which takes memory."""
        self.objects: dict[Key, T] = {}
        self.stop = stop
        self._open = open_cluster
        self._selected = selected
        self._handler = handler
        self._clock = clock if clock is not None else Clock()
        self._listing = listing if listing is not None else contextlib.nullcontext()
        self._version = ""
        self._first = True
        self._failures = 0

    def run(self) -> None:
        """Run until `stop`, or until the server does not serve the kind any more."""
        while not self.stop.asked:
            began = self._clock.now()
            try:
                if not self._version:
                    self._list()
                self._watch()
            except Expired:
                self._version = ""
                self._handler.expired()
            except PlumbError as error:
                if self.stop.wait(0.0):
                    return
                self._handler.failed(error)
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
        objects: dict[Key, T] = {}
        version = ""
        with self._listing:
            for page in self._open().pages(
                self._selected.kind, label_selector=self._selected.selector, size=_PAGE
            ):
                if self.stop.asked:
                    return
                objects |= {_key(item): self._handler.extract(item) for item in page.items}
                version = page.resource_version
        before, self.objects, self._version = self.objects, objects, version
        if self._first:
            self._first = False
            self._handler.listed(objects)
            return
        for key in sorted(before.keys() | objects.keys()):
            if before.get(key) != objects.get(key):
                self._handler.changed(key, before.get(key), objects.get(key))

    def _watch(self) -> None:
        events = self._open().watch(
            self._selected.kind,
            label_selector=self._selected.selector,
            resource_version=self._version,
            seconds=_STREAM * self._clock.uniform(1.0, 2.0),
            stop=self.stop,
        )
        self._handler.working()
        for event in events:
            if self.stop.asked:
                return
            self._handle(event)

    def _handle(self, event: WatchEvent) -> None:
        self._version = event.resource_version or self._version
        if event.change is WatchChange.BOOKMARK:
            return
        key = _key(event.item)
        before = self.objects.get(key)
        if event.change is WatchChange.DELETED:
            after = None
            self.objects.pop(key, None)
        else:
            after = self.objects[key] = self._handler.extract(event.item)
        if before != after:
            self._handler.changed(key, before, after)

    def _pause(self, lasted: float) -> None:
        """Wait before the next try; not at all after a stream that lasted."""
        self._failures = 0 if lasted > _LASTED else self._failures + 1
        if self._failures >= _RELIST_AFTER:
            self._version = ""
        if self._failures:
            longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (self._failures - 1))
            self.stop.wait(longest * self._clock.uniform(0.5, 1.0))


def _is_refused(error: PlumbError) -> bool:
    return isinstance(error, Forbidden | Unauthorized) or not isinstance(error, RequestError)


def _key(item: Mapping[str, Any]) -> Key:
    metadata = item.get("metadata") or {}
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
