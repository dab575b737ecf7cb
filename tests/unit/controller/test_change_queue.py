# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which changes start a run, of which apps, and when; on a loop whose clock the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.plumb.gitops.controller.core.run_protocol import ReportDigest, RunOutcome
from ansible_collections.plumb.gitops.controller.core.schedule import CHANGE_SEEN, Trigger
from ansible_collections.plumb.gitops.controller.watch.change_queue import (
    DEBOUNCE,
    GRACE,
    ChangeQueue,
    HeldApps,
)
from ansible_collections.plumb.gitops.tests.support.agent.stepped_loop import SteppedLoop

CART, WEB = "Deployment.apps shop/cart", "Deployment.apps shop/web"


@dataclass
class Rig:
    """A cluster's loop that only writes down what it is asked for, and its change queue."""

    loop: SteppedLoop
    name: str = "here"
    running_since: float = 0.0
    apps: tuple[str, ...] = ("shop", "payments")
    held: HeldApps = field(default_factory=HeldApps)
    requested: list[Trigger] = field(default_factory=list)
    logged: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = ChangeQueue(self, lambda: self.held, self)

    def request_run(self, trigger: Trigger) -> None:
        self.requested.append(trigger)

    def info(self, event: str, **values: Any) -> None:
        self.logged.append((event, values))

    warning = error = info

    async def after(self, seconds: float) -> list[Trigger]:
        """Let so much time pass; what was asked for meanwhile."""
        self.requested = []
        self.loop.now += seconds + 0.001
        for _turn in range(3):
            await asyncio.sleep(0)
        return self.requested

    async def run(
        self, *written: str, removed: tuple[str, ...] = (), during: Callable[[], None] | None = None
    ) -> None:
        """A run of everything that writes these objects."""
        self.queue.run_began()
        self.running_since = self.loop.now
        await self.after(2.0)
        if during is not None:
            during()
        self.running_since = 0.0
        self.queue.run_ended(outcome(written=[*written], removed=[*removed]), Trigger("interval"))


def outcome(**writes: Any) -> RunOutcome:
    """A run that has done these writes."""
    writes = {"written": [], "removed": [], "reverted": [], **writes}
    return RunOutcome(code=0, digest=ReportDigest(summary={}, findings={}, writes=writes))


def shop(rig: Rig, about: str = CART, **how: bool) -> None:
    rig.queue.changed(["shop"], about, **{"foreign": False, **how})


def asked(triggers: list[Trigger]) -> list[frozenset[str] | None]:
    assert all(trigger.cause == CHANGE_SEEN for trigger in triggers)
    return [trigger.apps for trigger in triggers]


async def many_changes_are_one_run_of_their_apps(rig: Rig) -> None:
    shop(rig)
    assert await rig.after(DEBOUNCE / 2) == []
    shop(rig, WEB)
    rig.queue.changed(["payments"], "ConfigMap payments/a", foreign=True)
    assert asked(await rig.after(DEBOUNCE / 2)) == [frozenset({"shop", "payments"})]
    assert await rig.after(60) == []


async def what_a_run_wrote_starts_none(rig: Rig) -> None:
    await rig.run(CART, during=lambda: shop(rig))
    shop(rig)  # the event comes late
    assert await rig.after(GRACE) == []
    assert await rig.after(60) == []


async def what_changed_during_a_run_and_was_not_written_by_it_starts_one(rig: Rig) -> None:
    await rig.run(WEB, during=lambda: shop(rig))
    await rig.after(GRACE)
    assert asked(await rig.after(DEBOUNCE)) == [frozenset({"shop"})]


async def what_somebody_else_did_during_a_run_starts_one_after_it(rig: Rig) -> None:
    def edited() -> None:
        shop(rig, foreign=True)

    await rig.run(CART, during=edited)
    assert asked(await rig.after(DEBOUNCE)) == [frozenset({"shop"})]


async def a_deletion_is_ours_only_where_the_run_deleted(rig: Rig) -> None:
    await rig.run(CART)
    shop(rig, gone=True)
    await rig.after(GRACE)
    assert asked(await rig.after(DEBOUNCE)) == [frozenset({"shop"})]
    await rig.run(CART, removed=(CART,), during=lambda: shop(rig, gone=True))
    await rig.after(GRACE)
    assert await rig.after(DEBOUNCE) == []


async def an_earlier_run_does_not_answer_for_what_changes_in_a_later_one(rig: Rig) -> None:
    await rig.run(CART)
    await rig.run(during=lambda: shop(rig))
    await rig.after(GRACE)
    assert asked(await rig.after(DEBOUNCE)) == [frozenset({"shop"})]


async def a_run_that_died_is_made_again_and_suspects_nobody(rig: Rig) -> None:
    rig.queue.run_began()
    rig.running_since = 1.0
    shop(rig)
    rig.running_since = 0.0
    rig.queue.run_ended(RunOutcome(code=125), Trigger("interval"))
    assert await rig.after(GRACE) == []


async def what_is_suspended_or_unknown_is_left_alone(rig: Rig) -> None:
    rig.held = HeldApps(apps=frozenset({"shop"}))
    shop(rig)
    rig.queue.changed(["gone"], "ConfigMap x/y", foreign=True)
    assert await rig.after(DEBOUNCE) == []
    rig.held = HeldApps(everything=True)
    rig.queue.changed(["payments"], "ConfigMap x/y", foreign=True)
    assert await rig.after(DEBOUNCE) == []


async def a_field_conflict_holds_back_its_app_and_no_other(rig: Rig) -> None:
    row = ["shop", "Deployment shop/cart", "spec.replicas", "kubectl"]
    for _revert in range(3):
        rig.queue.run_ended(
            outcome(written=[CART], reverted=[row]), Trigger(CHANGE_SEEN, frozenset({"shop"}))
        )
    await rig.after(GRACE)
    shop(rig)
    assert await rig.after(DEBOUNCE) == []
    rig.queue.changed(["payments"], "ConfigMap x/y", foreign=True)
    assert asked(await rig.after(DEBOUNCE)) == [frozenset({"payments"})]
    assert asked(await rig.after(30)) == [frozenset({"shop"})]
    ((event, values),) = rig.logged
    assert (event, values["field"], values["manager"]) == ("field conflict", "spec.replicas", "kubectl")


async def an_object_that_starts_runs_for_nothing_is_called_restless(rig: Rig) -> None:
    for _time in range(5):
        shop(rig)
        assert asked(await rig.after(DEBOUNCE)) == [frozenset({"shop"})]
        await rig.run()
        await rig.after(GRACE)
    shop(rig)
    assert await rig.after(DEBOUNCE) == []
    assert [event for event, _values in rig.logged] == ["restless object"]


CASES = [
    many_changes_are_one_run_of_their_apps,
    what_a_run_wrote_starts_none,
    what_changed_during_a_run_and_was_not_written_by_it_starts_one,
    what_somebody_else_did_during_a_run_starts_one_after_it,
    a_deletion_is_ours_only_where_the_run_deleted,
    an_earlier_run_does_not_answer_for_what_changes_in_a_later_one,
    a_run_that_died_is_made_again_and_suspects_nobody,
    what_is_suspended_or_unknown_is_left_alone,
    a_field_conflict_holds_back_its_app_and_no_other,
    an_object_that_starts_runs_for_nothing_is_called_restless,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_changes(case: Callable[[Rig], Coroutine[Any, Any, None]]) -> None:
    loop = SteppedLoop()

    async def play() -> None:
        await case(Rig(loop))

    try:
        loop.run_until_complete(play())
    finally:
        loop.close()
