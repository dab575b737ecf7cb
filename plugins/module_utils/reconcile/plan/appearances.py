# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what a run creates has appeared since it was planned: an apply would merge into it.

Where a plan is older than a few seconds, because other apps came first or a stage was awaited, it is looked again: by
one look for all apps that wait, of one LIST per kind.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...cluster.bulk_reads import FEW, listed_of, read_objects
from ...cluster.client import Cluster
from ...cluster.discovery import ApiResource, Discovery
from ...cluster.errors import RequestError
from ...model.objects import ObjectRef
from ...model.plan import Verb
from .planned_action import PlannedAction

Create = tuple[ApiResource, ObjectRef]

_PLAN_IS_FRESH = 5.0  # seconds for which what a plan was made on counts as current
_LOOK_IS_FRESH = 5.0  # seconds for which a look counts as current


def creates_of(discovery: Discovery, planned_actions: Iterable[PlannedAction]) -> list[Create]:
    """Return what is planned to be created because it did not exist, without kinds that the server does not know."""
    return [
        (resource, planned.action.ref)
        for planned in planned_actions
        if planned.action.verb is Verb.CREATE
        and planned.live is None
        and planned.wanted is not None
        and (resource := discovery.find(planned.wanted.api_version, planned.action.ref.kind)) is not None
    ]


@dataclass(frozen=True, slots=True)
class _Look:
    """Which objects were looked for, and which of them existed."""

    began: float  # by time.monotonic()
    covered: frozenset[ObjectRef] = frozenset()
    existing: frozenset[ObjectRef] = frozenset()


class Appearances:
    """One for each run. Safe to use from threads: while one looks, the others wait for what it finds."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._planned: dict[ObjectRef, ApiResource] = {}  # creates that are not begun
        self._changing = threading.Lock()
        self._looking = threading.Lock()
        self._last = _Look(began=float("-inf"))

    def expect(self, creates: Iterable[Create]) -> None:
        """Look for these objects too, when a look is made before they are begun."""
        with self._changing:
            self._planned.update((ref, resource) for resource, ref in creates)

    def begin(self, creates: Sequence[Create], read_at: float) -> frozenset[ObjectRef]:
        """Return those of the objects that have appeared since they were planned on what was read at `read_at`.

        By then no app has written them. What cannot be read counts as missing: its write fails for the same reason.
        """
        asked = time.monotonic()
        is_current = asked - read_at <= _PLAN_IS_FRESH
        appeared = frozenset[ObjectRef]() if is_current or not creates else self._appeared(creates, asked)
        with self._changing:
            for _resource, ref in creates:
                self._planned.pop(ref, None)
        return appeared

    def _appeared(self, creates: Sequence[Create], asked: float) -> frozenset[ObjectRef]:
        look = self._look_since(asked - _LOOK_IS_FRESH, creates)
        others = [(resource, ref) for resource, ref in creates if ref not in look.covered]
        looked_up, _unreadable = read_objects(self._cluster, others)
        appeared = frozenset(ref for _version, ref in looked_up)
        return appeared | look.existing.intersection(ref for _resource, ref in creates)

    def _look_since(self, earliest: float, creates: Sequence[Create]) -> _Look:
        """Return a look that began at `earliest` or later. One that takes long counts for all who waited for it."""
        if self._last.began < earliest:
            with self._looking:
                if self._last.began < earliest:
                    self._last = self._look(creates)
        return self._last

    def _look(self, creates: Sequence[Create]) -> _Look:
        began = time.monotonic()
        with self._changing:
            planned = {**self._planned, **{ref: resource for resource, ref in creates}}
        kinds = _of_many(planned)
        existing: set[ObjectRef] = set()
        covered: set[ObjectRef] = set()
        listings = self._cluster.map(lambda item: self._list(*item), kinds)
        for (_resource, refs), listed in zip(kinds, listings, strict=True):
            if listed is not None:
                covered.update(refs)
                existing.update(listed)
        return _Look(began, frozenset(covered), frozenset(existing))

    def _list(self, resource: ApiResource, refs: Sequence[ObjectRef]) -> Sequence[ObjectRef] | None:
        """Return those of the objects that exist; None where the kind may not be listed."""
        try:
            return listed_of(self._cluster, resource, refs)
        except RequestError:
            return None


def _of_many(planned: Mapping[ObjectRef, ApiResource]) -> list[tuple[ApiResource, Sequence[ObjectRef]]]:
    """Return the kinds with more objects than are read one by one, with those objects."""
    by_resource: dict[ApiResource, list[ObjectRef]] = defaultdict(list)
    for ref, resource in planned.items():
        by_resource[resource].append(ref)
    return [(resource, refs) for resource, refs in by_resource.items() if len(refs) > FEW]
