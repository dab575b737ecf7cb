# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivers what runs came to: commit statuses, notifications and the hooks that follow a sync, outside of runs.

    a run -- writes --> its record (run_record.py) -- add --> queues by receiver (store/deliveries.py)
    health, a new commit -- add_health, add_pending --^            |
                                                        a run of plumb.gitops.deliver for each, with a deadline
                                                                   v
                                          delivered, or tried again later; the other receivers go on

No cluster's turn is held for it. A receiver that fails is tried again in a run of its own, ever later. A cluster whose
inventory names no receiver costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.interface.outputs.run_record import (
    RUN_RECORDS,
    RunRecord,
)

from ..core.daemon_threads import in_daemon_thread
from ..core.instants import file_stamp
from ..core.log import Log
from ..core.processors import count_processors
from ..core.run_protocol import RunOutcome
from ..core.schedule import backoff_after
from ..runner.run_pool import RunPool
from ..store.agent_state import AgentState
from ..store.deliveries import (
    Entry,
    Queue,
    ReceiverId,
    ReceiverKind,
    bounded,
    new_records,
    read_queues,
    write_queues,
)
from ..store.delivery_intake import Recipients, intake, queue_status, receivers_of
from ..store.delivery_records import HEALTH, PENDING, health_record, pending_record
from ..store.health_waits import HealthWait
from .delivery_run import delivery_request, is_final, is_of_another, queue_after

_GRACE = 2.0  # seconds before a commit's statuses are set to pending: most runs have ended by then
_FAILING = 2  # deliveries at once to receivers that failed the last time


@dataclass(slots=True)
class _Box:
    """The queues of one cluster. `tasks` are the deliveries under way, by receiver."""

    folder: Path
    queues: dict[ReceiverId, Queue]
    has_new: bool = True  # records that were not taken in yet
    tasks: dict[ReceiverId, asyncio.Task[None]] = field(default_factory=dict)


class Deliveries:
    """The deliveries of one agent. `sources` returns the source of each app of a cluster, by the app's name."""

    def __init__(
        self,
        in_force: Callable[[], AgentState],
        runs: RunPool,
        log: Log,
        sources: Callable[[str], Mapping[str, str]],
        changed: Callable[[str], None],
    ) -> None:
        self._in_force, self._runs, self._log = in_force, runs, log
        self._sources, self._changed = sources, changed
        self._boxes: dict[str, _Box] = {}
        self._wakeup = asyncio.Event()
        self._healthy = asyncio.Semaphore(max(2, count_processors()))
        self._failing = asyncio.Semaphore(_FAILING)
        self._inventories: list[Path] = []

    @property
    def inventories(self) -> set[Path]:
        """The inventories that deliveries under way work with."""
        return set(self._inventories)

    def add(self, cluster: str) -> None:
        """Deliver what a run of the cluster left in its record."""
        self._box(cluster).has_new = True
        self._wakeup.set()

    def add_pending(self, cluster: str, source: str, commit: str) -> None:
        """Set the statuses of a new commit to pending, unless its run ends at once."""
        apps = tuple(app for app, of in self._sources(cluster).items() if of == source)
        if apps and self._receivers(cluster).get("commit_status"):
            self._write(cluster, pending_record(source, commit, apps), PENDING)

    def add_health(self, cluster: str, wait: HealthWait) -> None:
        """Deliver what the wait for an app came to: healthy, or failed."""
        receivers = self._receivers(cluster)
        if receivers.get("commit_status") or receivers.get("notifications"):
            self._write(cluster, health_record(wait, self._sources(cluster).get(wait.app, "")), HEALTH)

    def wake(self) -> None:
        """Look again whether anything may be delivered now."""
        self._wakeup.set()

    def status(self, cluster: str) -> list[dict[str, Any]]:
        """Return what waits to be delivered of a cluster, as its status shows it."""
        queues = self._boxes[cluster].queues if cluster in self._boxes else {}
        waiting = {receiver: queue for receiver, queue in queues.items() if queue.entries or queue.why}
        return [queue_status(receiver, queue) for receiver, queue in waiting.items()]

    async def loop(self) -> None:
        """Deliver for ever. Cancelling it ends the deliveries that are under way; they are made again later."""
        try:
            while True:
                self._wakeup.clear()
                for cluster in self._clusters():
                    try:
                        await self._serve(cluster, self._box(cluster))
                    except Exception as error:  # noqa: BLE001 - of one cluster; the others are served all the same
                        why = f"{type(error).__name__}: {error}"
                        self._log.error("not reported", cluster=cluster, why=why)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await self._wakeup.wait()
        finally:
            for box in self._boxes.values():
                for task in box.tasks.values():
                    task.cancel()

    def _clusters(self) -> tuple[str, ...]:
        """Return the clusters whose inventory names a receiver, and forget those that left it."""
        settings = self._in_force().accepted.settings
        for cluster in self._boxes.keys() - settings.keys():
            del self._boxes[cluster]
        return tuple(name for name, each in settings.items() if receivers_of(each.get("deliver", {})))

    async def _serve(self, cluster: str, box: _Box) -> None:
        if box.has_new:
            box.has_new = False
            await self._take_in(cluster, box)
        self._drop(cluster, box)
        for receivers, entry in self._due(box):
            task = asyncio.create_task(self._deliver(cluster, box, receivers, entry))
            box.tasks |= dict.fromkeys(receivers, task)

    def _box(self, cluster: str) -> _Box:
        if cluster not in self._boxes:
            folder = self._in_force().config.state_dir / "deliveries" / cluster
            self._boxes[cluster] = _Box(folder, read_queues(folder))
        return self._boxes[cluster]

    def _receivers(self, cluster: str) -> Mapping[str, Any]:
        receivers: Mapping[str, Any] = self._in_force().accepted.settings.get(cluster, {}).get("deliver", {})
        return receivers

    def _write(self, cluster: str, record: RunRecord, kind: str) -> None:
        box = self._box(cluster)
        stamp = file_stamp(time.time())
        try:
            RUN_RECORDS.save(box.folder / f"{stamp}{kind}.json", record)
        except OSError as error:
            self._log.warning("not reported", cluster=cluster, why=f"{box.folder}: {error.strerror}")
        self.add(cluster)

    async def _take_in(self, cluster: str, box: _Box) -> None:
        """Put records that were written since into the queues of those for whom they have news."""
        before, receivers = box.queues, receivers_of(self._receivers(cluster))
        recipients = Recipients(
            settings=self._receivers(cluster),
            sources=self._sources(cluster),
            inventory=self._in_force().accepted.folder.name,
        )
        box.queues = {known: queue for known, queue in before.items() if known in receivers}
        for entry in (entry for queue in before.values() for entry in queue.entries):
            self._remove_unused(box, entry.record)
        for file in await in_daemon_thread(lambda: new_records(box.folder, box.queues)):
            record = await in_daemon_thread(partial(RUN_RECORDS.load, file))
            if record is not None:
                box.queues = intake(box.queues, recipients, file.stem, record, time.time())
            self._remove_unused(box, file.stem)
        if box.queues != before:
            self._save(cluster, box)

    def _drop(self, cluster: str, box: _Box) -> None:
        for receiver, queue in box.queues.items():
            after, dropped = bounded(receiver.kind, queue, time.time())
            if dropped:
                box.queues[receiver] = after
                self._log.warning(
                    "not delivered in time",
                    cluster=cluster,
                    receiver=str(receiver),
                    dropped=dropped,
                    why=queue.why,
                )
                for entry in queue.entries[:dropped]:
                    self._remove_unused(box, entry.record)
                self._save(cluster, box)

    def _due(self, box: _Box) -> list[tuple[tuple[ReceiverId, ...], Entry]]:
        """Return what can be delivered now: of receivers that do well in one run, of the others in one for each."""
        if not self._in_force().may_run:
            return []
        together: dict[tuple[Any, ...], list[ReceiverId]] = {}
        entries: dict[tuple[Any, ...], Entry] = {}
        for receiver, queue in box.queues.items():
            if receiver in box.tasks or not queue.entries or _ready(queue) > time.time():
                continue
            entry = queue.entries[0]
            alone = receiver if queue.failed or queue.alone or receiver.kind is ReceiverKind.HOOKS else None
            key = entry.record, entry.apps, alone
            together.setdefault(key, []).append(receiver)
            entries[key] = entry
        return [(tuple(receivers), entries[key]) for key, receivers in together.items()]

    def _pause(self) -> float | None:
        """Return the seconds until something is due; None where nothing is."""
        if not self._in_force().may_run:
            return None
        waiting = [
            _ready(queue)
            for box in self._boxes.values()
            for receiver, queue in box.queues.items()
            if queue.entries and receiver not in box.tasks
        ]
        return max(0.0, min(waiting) - time.time()) if waiting else None

    async def _deliver(
        self, cluster: str, box: _Box, receivers: tuple[ReceiverId, ...], entry: Entry
    ) -> None:
        failing = any(box.queues[receiver].failed for receiver in receivers)
        try:
            async with self._failing if failing else self._healthy:
                outcome = await self._make(cluster, box, receivers, entry)
            for receiver in (
                each for each in receivers if each in box.queues
            ):  # it may have left the inventory
                if is_of_another(receivers, outcome):
                    box.queues[receiver] = replace(box.queues[receiver], alone=True)
                else:
                    self._ended(cluster, box, receiver, entry, outcome)
            self._remove_unused(box, entry.record)
            self._save(cluster, box)
            self._changed(cluster)
        finally:
            for receiver in receivers:
                box.tasks.pop(receiver, None)
            self._wakeup.set()

    async def _make(
        self, cluster: str, box: _Box, receivers: Sequence[ReceiverId], entry: Entry
    ) -> RunOutcome:
        in_force = self._in_force()
        self._inventories.append(in_force.accepted.folder)
        try:
            return await self._runs.make(delivery_request(in_force, cluster, box.folder, receivers, entry))
        finally:
            self._inventories.remove(in_force.accepted.folder)

    def _ended(
        self, cluster: str, box: _Box, receiver: ReceiverId, entry: Entry, outcome: RunOutcome
    ) -> None:
        queue = box.queues[receiver]
        pause = backoff_after(queue.failed + 1, random.random())  # noqa: S311 - spreads load
        after = box.queues[receiver] = queue_after(receiver, queue, entry, outcome, time.time(), pause=pause)
        about = {"cluster": cluster, "receiver": str(receiver)}
        if queue.why and not after.why:
            self._log.info("reported again", **about)
        elif after.why and is_final(receiver, outcome):
            self._log.error("hook failed", **about, why=after.why)
        elif after.why != queue.why:  # told once, until it has passed
            self._log.warning("not reported", **about, why=after.why, instead=f"tried again in {pause:.0f} s")

    def _remove_unused(self, box: _Box, record: str) -> None:
        used = {entry.record for queue in box.queues.values() for entry in queue.entries}
        if record not in used:
            with contextlib.suppress(OSError):  # it is found again at the next start
                (box.folder / f"{record}.json").unlink(missing_ok=True)

    def _save(self, cluster: str, box: _Box) -> None:
        try:
            write_queues(box.folder, box.queues)
        except OSError as error:  # what waits is known until the agent ends
            self._log.warning("deliveries not saved", cluster=cluster, why=f"{box.folder}: {error.strerror}")


def _ready(queue: Queue) -> float:
    """Return when the first entry of a queue may be delivered, in seconds since the epoch."""
    entry = queue.entries[0]
    return max(queue.not_before, entry.since + _GRACE if entry.is_pending else 0.0)
