# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which receivers wait for a record, and what is shown of what waits. Rules; nothing is read or sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.interface.outputs.run_record import RunRecord
from ansible_collections.plumb.gitops.plugins.module_utils.state.record_store import digest_of_texts

from ..core.instants import instant
from .deliveries import Entry, Queue, ReceiverId, ReceiverKind, add_entry, is_news, with_marks
from .delivery_marks import news_marks, status_marks
from .delivery_records import PENDING, SYNC

_NEVER = float("inf")
_INVENTORY = "inventory"  # the mark of the one in force: another may reach a receiver that refused before


def receivers_of(settings: Mapping[str, Any]) -> dict[ReceiverId, Mapping[str, Any]]:
    """Return the receivers that an inventory names (`deliver` of a cluster's settings), each with its options."""
    receivers: dict[ReceiverId, Mapping[str, Any]] = {}
    if settings.get("commit_status"):
        receivers[ReceiverId(ReceiverKind.STATUSES)] = {}
    for options in settings.get("notifications", ()):
        receivers[ReceiverId(ReceiverKind.NOTIFICATION, options["name"])] = options
    if set(settings.get("hooks", ())) - {"before_sync"}:
        receivers[ReceiverId(ReceiverKind.HOOKS)] = {"hooks": settings["hooks"]}
    return receivers


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipients:
    """To whom a cluster's results go: what its inventory names, the source of each app, and which inventory it is."""

    settings: Mapping[str, Any]
    sources: Mapping[str, str]
    inventory: str


def intake(
    queues: Mapping[ReceiverId, Queue], recipients: Recipients, name: str, record: RunRecord, now: float
) -> dict[ReceiverId, Queue]:
    """Return the queues with the record called `name` in those of the receivers for whom it has news."""
    entry = Entry(
        record=name,
        since=now,
        apps=record.only or None,
        suspended=record.suspended,
        is_pending=name.endswith(PENDING),
    )
    after = dict(queues)
    for receiver, options in receivers_of(recipients.settings).items():
        queue = after.get(receiver, Queue())
        if receiver.kind is ReceiverKind.HOOKS:
            hooks = tuple(_hooks(options["hooks"], record, is_sync=name.endswith(SYNC)))
            after[receiver] = (
                add_entry(receiver.kind, queue, replace(entry, hooks=hooks), ()) if hooks else queue
            )
        elif entry.is_pending:
            wanted = receiver.kind is ReceiverKind.STATUSES
            after[receiver] = add_entry(receiver.kind, queue, entry, record.only) if wanted else queue
        else:
            marks = _marks(receiver, options, record, recipients.sources)
            marks[_INVENTORY] = digest_of_texts(recipients.inventory)
            if is_news(queue, marks, now, float(options.get("repeat_after", _NEVER))):
                queue = add_entry(receiver.kind, with_marks(queue, marks), entry, record.only)
            after[receiver] = queue
    return after


def _marks(
    receiver: ReceiverId, options: Mapping[str, Any], record: RunRecord, sources: Mapping[str, str]
) -> dict[str, str]:
    if receiver.kind is ReceiverKind.STATUSES:
        return status_marks(record, sources)
    return news_marks(record, options["severity"])


def _hooks(configured: Mapping[str, Any], record: RunRecord, *, is_sync: bool) -> Iterator[str]:
    """Yield the hooks that follow this record, in their order."""
    applied = record.applied
    if not applied or applied.get("health"):
        return
    due = {"on_drift": bool(applied.get("drifted")), "on_failure": "msg" in applied, "after_sync": is_sync}
    yield from (hook for hook, wanted in due.items() if wanted and hook in configured)


def queue_status(receiver: ReceiverId, queue: Queue) -> dict[str, Any]:
    """Return what waits for a receiver, as the agent's status shows it; instants are empty where there are none."""
    return {
        "receiver": str(receiver),
        "kind": receiver.kind.value,
        "waiting": len(queue.entries),
        "since": instant(queue.entries[0].since) if queue.entries else "",
        "failed": queue.failed,
        "why": queue.why,
        "next_try": instant(queue.not_before),
    }
