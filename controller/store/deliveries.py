# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be delivered, by cluster and receiver: values, rules, and how they are kept over a restart.

    state_dir/deliveries/<cluster>/<time>.json   what a run came to (run_record); it goes with its last delivery
    state_dir/deliveries/<cluster>/queues        for each receiver, which of these it still waits for, and since when

A receiver is the forge (all commit statuses of the cluster), one of the notifications, or the hooks. Each has a queue
of its own, so one that is down keeps only its own entries waiting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import Trust
from ansible_collections.plumb.gitops.plugins.module_utils.state.record_store import RecordStore

LONGEST_AGE = 24 * 3600.0  # seconds after which nobody wants to hear of it any more
_MOST_STATES = 5000  # keys of one receiver of which the last mark is known


class ReceiverKind(Enum):
    """What a receiver is."""

    STATUSES = "commit statuses"
    NOTIFICATION = "notification"
    HOOKS = "hooks"


_MOST = {
    ReceiverKind.STATUSES: 1000,
    ReceiverKind.NOTIFICATION: 100,
    ReceiverKind.HOOKS: 20,
}  # entries of a queue


@dataclass(frozen=True, slots=True)
class ReceiverId:
    """A receiver of a cluster; `name` is that of a notification."""

    kind: ReceiverKind
    name: str = ""

    def __str__(self) -> str:
        """Return what people and modules call it."""
        return self.name if self.kind is ReceiverKind.NOTIFICATION else self.kind.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record that a receiver waits for. Times in seconds since the epoch.

    `apps` are those of it that no newer entry is about, None for all; `hooks` are those to run. One that `is_pending`
    says of a commit that it is to be applied.
    """

    record: str  # the name of its file
    since: float
    apps: tuple[str, ...] | None = None
    suspended: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    is_pending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What one receiver waits for, oldest first; how often in a row it failed, why, and when it is tried again.

    `marks` has what it was last told of each thing, as a digest, and `last` when that was. One that is `alone` shares
    no run with others, since one that it shared did not come to an end.
    """

    entries: tuple[Entry, ...] = ()
    failed: int = 0
    why: str = ""
    not_before: float = 0.0
    marks: Mapping[str, str] = field(default_factory=dict)
    last: float = 0.0
    alone: bool = False


Queues = Mapping[ReceiverId, Queue]


def add_entry(kind: ReceiverKind, queue: Queue, entry: Entry, apps: Iterable[str]) -> Queue:
    """Return the queue with an entry about these apps. Of an app's commit statuses the newest replaces older ones."""
    entries = queue.entries
    if kind is ReceiverKind.STATUSES:
        entries = tuple(rest for old in entries if (rest := _without_apps(old, entry, frozenset(apps))))
    return replace(queue, entries=(*entries, entry))


def _without_apps(old: Entry, new: Entry, apps: frozenset[str]) -> Entry | None:
    """Return an older entry without what a new one is about; None where nothing is left of it."""
    if new.apps is None:
        return None
    if old.apps is None:  # it is about all of that time: which they are says its record
        return old
    left = tuple(app for app in old.apps if app not in apps)
    return replace(old, apps=left) if left else None


def bounded(kind: ReceiverKind, queue: Queue, now: float) -> tuple[Queue, int]:
    """Return the queue without what is too old or too much, and how many entries that dropped."""
    fresh = tuple(entry for entry in queue.entries if now - entry.since < LONGEST_AGE)[-_MOST[kind] :]
    dropped = len(queue.entries) - len(fresh)
    # What was dropped was not told, so the next record is news again.
    return (replace(queue, entries=fresh, marks={}) if dropped else queue), dropped


def delivered(queue: Queue, entry: Entry, now: float) -> Queue:
    """Return the queue after an entry was delivered."""
    entries = tuple(left for left in queue.entries if left.record != entry.record)
    return replace(queue, entries=entries, failed=0, why="", not_before=0.0, last=now, alone=False)


def undelivered(queue: Queue, why: str, not_before: float) -> Queue:
    """Return the queue after its receiver could not be reached; `not_before` is when it is tried again."""
    return replace(queue, failed=queue.failed + 1, why=why, not_before=not_before)


def hook_failed(queue: Queue, entry: Entry, why: str) -> Queue:
    """Return the queue of the hooks after some failed: it is not for the agent to know whether to repeat them."""
    entries = tuple(left for left in queue.entries if left.record != entry.record)
    return replace(queue, entries=entries, failed=queue.failed + 1, why=why, not_before=0.0)


def is_news(queue: Queue, marks: Mapping[str, str], now: float, repeat_after: float) -> bool:
    """Return whether these marks say something that the receiver has not been told, or not for `repeat_after`."""
    changed = any(queue.marks.get(key, "") != mark for key, mark in marks.items())
    return changed or (any(marks.values()) and now - queue.last >= repeat_after)


def with_marks(queue: Queue, marks: Mapping[str, str]) -> Queue:
    """Return the queue with what its receiver is told now."""
    known = {**queue.marks, **marks}
    return replace(queue, marks=dict(list(known.items())[-_MOST_STATES:]))


def _encode(queues: Queues) -> dict[str, Any]:
    return {
        "queues": [
            {"kind": receiver.kind.value, "name": receiver.name, **asdict(queue)}
            for receiver, queue in queues.items()
        ]
    }


def _decode(content: Mapping[str, Any]) -> Queues:
    queues = {}
    for values in content["queues"]:
        rest = {key: value for key, value in values.items() if key not in {"kind", "name", "entries"}}
        entries = tuple(map(_entry, values["entries"]))
        queues[ReceiverId(ReceiverKind(values["kind"]), values["name"])] = Queue(entries=entries, **rest)
    return queues


def _entry(values: Mapping[str, Any]) -> Entry:
    apps = values["apps"]
    lists = {name: tuple(values[name]) for name in ("suspended", "hooks")}
    return Entry(**{**values, **lists, "apps": None if apps is None else tuple(apps)})


_STORE = RecordStore[Queues](
    kind="plumb.gitops/deliveries", version=1, encode=_encode, decode=_decode, trust=Trust.STATE
)


def read_queues(folder: Path) -> dict[ReceiverId, Queue]:
    """Read the queues of the cluster whose folder this is, without entries whose record is gone: it was delivered."""
    queues = _STORE.load(folder / "queues") or {}
    return {
        receiver: replace(
            queue,
            entries=tuple(entry for entry in queue.entries if (folder / f"{entry.record}.json").exists()),
        )
        for receiver, queue in queues.items()
    }


def new_records(folder: Path, queues: Queues) -> list[Path]:
    """Return the records that runs have written and that are in no queue yet, oldest first."""
    used = {entry.record for queue in queues.values() for entry in queue.entries}
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    return [file for file in files if not file.name.startswith(".") and file.stem not in used]


def write_queues(folder: Path, queues: Queues) -> None:
    """Write the queues of a cluster. Raises OSError."""
    _STORE.save(folder / "queues", queues)
