# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits for receivers: which records are news to whom, bounds, and what a restart finds again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.plumb.gitops.controller.core.run_protocol import RunOutcome
from ansible_collections.plumb.gitops.controller.core.schedule import Trigger
from ansible_collections.plumb.gitops.controller.loops.delivery_run import is_of_another, queue_after
from ansible_collections.plumb.gitops.controller.runner.run_pool import DEADLINE, DIED
from ansible_collections.plumb.gitops.controller.store.deliveries import (
    LONGEST_AGE,
    Entry,
    Queue,
    ReceiverId,
    ReceiverKind,
    add_entry,
    bounded,
    new_records,
    read_queues,
    write_queues,
)
from ansible_collections.plumb.gitops.controller.store.delivery_intake import Recipients, intake
from ansible_collections.plumb.gitops.controller.store.delivery_records import pending_record, record_name
from ansible_collections.plumb.gitops.plugins.module_utils.interface.outputs.run_record import (
    RUN_RECORDS,
    RunRecord,
)

STATUSES, HOOKS = ReceiverId(ReceiverKind.STATUSES), ReceiverId(ReceiverKind.HOOKS)
TEAM, ONCALL = (ReceiverId(ReceiverKind.NOTIFICATION, name) for name in ("team", "oncall"))
SETTINGS = {
    "commit_status": True,
    "notifications": [
        {"name": "team", "severity": 1, "repeat_after": 100.0},
        {"name": "oncall", "severity": 3, "repeat_after": 100.0},
    ],
    "hooks": ["after_sync", "before_sync", "on_drift", "on_failure"],
    "hook_timeout": 300.0,
}
RECIPIENTS = Recipients(
    settings=SETTINGS, sources={"shop": "fleet", "cart": "fleet"}, inventory="the inventory"
)
Queues = dict[ReceiverId, Queue]


def record(
    *apps: dict[str, Any], commit: str = "1" * 40, only: tuple[str, ...] = (), **more: Any
) -> RunRecord:
    applied = {"lines": [], "apps": [{"name": "shop"}, *apps], "actions": [], "drifted": False, **more}
    pulled = {"sources": [{"name": "fleet", "revision": {"commit": commit}}]}
    return RunRecord(pulled=pulled, applied=applied, only=only)


def waiting(queues: Queues) -> dict[str, list[str]]:
    return {
        str(receiver): [entry.record for entry in queue.entries]
        for receiver, queue in queues.items()
        if queue.entries
    }


def taken_in(*records: tuple[str, RunRecord], now: float = 1.0) -> Queues:
    """The queues after these records, of which the first is delivered to everybody."""
    queues: Queues = {}
    for number, (name, made) in enumerate(records):
        queues = intake(queues, RECIPIENTS, name, made, now + number)
        if not number:
            queues = {key: replace(queue, entries=(), last=now) for key, queue in queues.items()}
    return queues


FAILED: dict[str, Any] = {"name": "cart", "failed": True, "error": "it broke"}
DRIFTED: dict[str, Any] = {
    "actions": [{"app": "shop", "object": "ConfigMap a", "action": "update", "drifted": True}]
}


@pytest.mark.parametrize(
    ("second", "waits"),
    [
        (record(), {}),
        (record(commit="2" * 40), {"commit statuses": ["b"]}),
        (record(FAILED, msg="it broke"), {"commit statuses": ["b"], "team": ["b"], "oncall": ["b"], "hooks": ["b"]}),
        (record(drifted=True, **DRIFTED), {"team": ["b"], "hooks": ["b"]}),
        (record({"name": "cart", "waits_for": "shop"}), {"commit statuses": ["b"]}),
        (record({"name": "cart", "suspended": True}), {}),
    ],
)  # fmt: skip
def test_a_record_waits_only_for_those_for_whom_it_has_news(second: RunRecord, waits: Any) -> None:
    assert waiting(taken_in(("a", record()), ("b", second))) == waits


def test_the_same_failure_is_news_again_after_a_while() -> None:
    broken = record(FAILED, msg="it broke")
    assert "oncall" not in waiting(taken_in(("a", broken), ("b", broken)))
    queues = taken_in(("a", broken))
    assert "oncall" in waiting(intake(queues, RECIPIENTS, "c", broken, 101.0))


def test_a_recovery_and_another_inventory_are_news() -> None:
    queues = taken_in(("a", record(FAILED)))
    assert "oncall" in waiting(intake(queues, RECIPIENTS, "b", record({"name": "cart"}), 2.0))
    other = replace(RECIPIENTS, inventory="another")
    assert set(waiting(intake(taken_in(("a", record())), other, "b", record(), 2.0))) == {
        "commit statuses",
        "team",
        "oncall",
    }


@pytest.mark.parametrize(
    ("cause", "hooks"),
    [
        ("fleet moved", ("on_drift", "after_sync")),
        ("interval", ("on_drift", "after_sync")),
        ("change seen, sync by request", ("on_drift", "after_sync")),
        ("dependency healthy", ("on_drift", "after_sync")),
        ("change seen", ("on_drift",)),
    ],
)
def test_a_revert_runs_no_hook_of_a_sync(cause: str, hooks: tuple[str, ...]) -> None:
    name = record_name("a", is_sync=Trigger(cause).is_sync).removesuffix(".json")
    queues = intake({}, RECIPIENTS, name, record(drifted=True), 1.0)
    assert queues[HOOKS].entries[0].hooks == hooks


@pytest.mark.parametrize(
    ("cause", "has_hook"),
    [("started", True), ("retry", True), ("change seen", False), ("dependency healthy", False),
     ("change seen, interval", True)],
)  # fmt: skip
def test_a_sync_has_a_hook_before_it(cause: str, has_hook: bool) -> None:
    assert Trigger(cause).has_hook is has_hook


def test_a_result_replaces_what_was_to_be_said_before_it() -> None:
    pending = ("b.pending", pending_record("fleet", "2" * 40, ("shop", "cart")))
    assert waiting(taken_in(("a", record()), pending)) == {"commit statuses": ["b.pending"]}
    part = record(commit="2" * 40, only=("shop",))
    queues = taken_in(("a", record()), pending, ("c", part))
    assert [(entry.record, entry.apps) for entry in queues[STATUSES].entries] == [
        ("b.pending", ("cart",)),
        ("c", ("shop",)),
    ]
    whole = record({"name": "cart"}, commit="2" * 40)
    assert waiting(intake(queues, RECIPIENTS, "d", whole, 9.0))["commit statuses"] == ["d"]


APPS = st.lists(st.sampled_from("abcd"), min_size=1, unique=True).map(tuple) | st.none()


@given(st.lists(APPS, min_size=1, max_size=30))
def test_no_app_has_two_partial_statuses_waiting(batches: list[tuple[str, ...] | None]) -> None:
    queue = Queue()
    for number, apps in enumerate(batches):
        queue = add_entry(STATUSES.kind, queue, Entry(record=str(number), since=0.0, apps=apps), apps or ())
    named = [app for entry in queue.entries for app in entry.apps or ()]
    assert len(named) == len(set(named))
    assert sum(entry.apps is None for entry in queue.entries) <= 1
    assert queue.entries[-1].record == str(len(batches) - 1)


@pytest.mark.parametrize(("receiver", "most"), [(TEAM, 100), (HOOKS, 20)])
def test_queues_are_bounded_in_number_and_age(receiver: ReceiverId, most: int) -> None:
    entries = tuple(Entry(record=str(number), since=float(number)) for number in range(150))
    full = Queue(entries=entries, marks={"run": "x"})
    queue, dropped = bounded(receiver.kind, full, 150.0)
    assert (len(queue.entries), dropped, queue.entries[-1].record) == (most, 150 - most, "149")
    assert not queue.marks, "the next one is news again"
    old, dropped = bounded(receiver.kind, full, LONGEST_AGE + 147.5)
    assert ([entry.record for entry in old.entries], dropped) == (["148", "149"], 148)
    assert bounded(receiver.kind, Queue(entries=entries[:5]), 5.0)[1] == 0


@pytest.mark.parametrize(
    ("receiver", "outcome", "left", "failed"),
    [
        (TEAM, RunOutcome(code=0), 0, 0),
        (TEAM, RunOutcome(code=0, undelivered={"oncall": "no answer"}), 0, 0),
        (TEAM, RunOutcome(code=0, undelivered={"team": "no answer"}), 1, 1),
        (STATUSES, RunOutcome(code=2, failures=("it failed",)), 1, 1),
        (HOOKS, RunOutcome(code=2, failures=("it failed",)), 0, 1),
        (HOOKS, RunOutcome(code=DEADLINE), 0, 1),
        (HOOKS, RunOutcome(code=DIED), 1, 1),
    ],
)
def test_what_a_delivery_came_to(receiver: ReceiverId, outcome: RunOutcome, left: int, failed: int) -> None:
    entry = Entry(record="a", since=1.0)
    queue = queue_after(receiver, Queue(entries=(entry,)), entry, outcome, 10.0, pause=5.0)
    assert (len(queue.entries), queue.failed, bool(queue.why)) == (left, failed, bool(failed))
    assert queue.not_before == (15.0 if left else 0.0)


def test_nobody_is_blamed_for_a_delivery_to_several_that_came_to_no_end() -> None:
    ended = RunOutcome(code=DEADLINE)
    assert is_of_another((TEAM, ONCALL), ended)
    assert not is_of_another((TEAM,), ended)
    assert not is_of_another((TEAM, ONCALL), RunOutcome(code=2))


def test_a_restart_finds_what_waits_and_forgets_what_was_delivered(tmp_path: Path) -> None:
    queues = taken_in(("a", record()), ("b", record(FAILED, msg="it broke")))
    write_queues(tmp_path, queues)
    RUN_RECORDS.save(tmp_path / "b.json", record())
    RUN_RECORDS.save(tmp_path / "c.json", record())
    assert read_queues(tmp_path) == queues
    assert [file.name for file in new_records(tmp_path, queues)] == ["c.json"]
    (tmp_path / "b.json").unlink()
    assert waiting(read_queues(tmp_path)) == {}
    (tmp_path / "queues").write_text("damaged", encoding="utf-8")
    assert read_queues(tmp_path) == {}
