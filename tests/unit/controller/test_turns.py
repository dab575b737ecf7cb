# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns: how many at once, who is next, and what a run in overtime gives up. The loop's time is the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from ansible_collections.plumb.gitops.controller.core.schedule import Trigger, Urgency, merge_triggers
from ansible_collections.plumb.gitops.controller.core.turns import MOST_IN_ALL, OVERTIME, Turns
from ansible_collections.plumb.gitops.tests.support.agent.stepped_loop import SteppedLoop


class Rig:
    """Runs that hold their turn until they are ended, in the order in which they began."""

    def __init__(self, loop: SteppedLoop, most: int) -> None:
        self.loop, self.most = loop, most
        self.turns = Turns(lambda: self.most)
        self.began: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def run(self, name: str, urgency: Urgency | Callable[[], Urgency], patience: float = 300.0) -> None:
        self._ends[name] = asyncio.Event()
        asked = urgency if callable(urgency) else lambda: urgency
        self._tasks[name] = self.loop.create_task(self._run(name, asked, patience))
        self.settle()

    async def _run(self, name: str, urgency: Callable[[], Urgency], patience: float) -> None:
        async with self.turns.turn(urgency, patience):
            self.began.append(name)
            await self._ends[name].wait()

    def end(self, name: str) -> None:
        self._ends[name].set()
        self.settle()

    def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        self.settle()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._tasks)

    def settle(self, seconds: float = 0.0) -> None:
        self.loop.now += seconds

        async def some_steps() -> None:
            for _step in range(10):
                await asyncio.sleep(0)

        steps: Awaitable[None] = some_steps()
        self.loop.run_until_complete(steps)


@pytest.fixture
def rig() -> Iterator[Rig]:
    loop = SteppedLoop()
    made = Rig(loop, 1)
    yield made
    for name in made.names:
        made.cancel(name)
    loop.close()


def test_the_most_urgent_is_next_and_of_two_alike_the_older(rig: Rig) -> None:
    rig.run("first", Urgency.INTERVAL)
    for urgency in (Urgency.INTERVAL, Urgency.RETRY, Urgency.DEPENDENCY, Urgency.COMMIT, Urgency.REVERT):
        rig.run(urgency.name, urgency)
    rig.run("by hand", Urgency.BY_HAND)
    rig.run("second revert", Urgency.REVERT)
    for _turn in range(8):
        rig.end(rig.began[-1])
    assert rig.began == [
        "first",
        "by hand",
        "REVERT",
        "second revert",
        "COMMIT",
        "DEPENDENCY",
        "RETRY",
        "INTERVAL",
    ]


def test_who_waited_too_long_goes_first(rig: Rig) -> None:
    rig.run("first", Urgency.INTERVAL)
    rig.run("old", Urgency.INTERVAL, patience=5.0)
    rig.settle(5.0)
    rig.run("revert", Urgency.REVERT)
    rig.end("first")
    assert rig.began == ["first", "old"]


def test_what_becomes_urgent_while_it_waits_overtakes(rig: Rig) -> None:
    urgency = [Urgency.INTERVAL]
    rig.run("first", Urgency.INTERVAL)
    rig.run("commit", Urgency.COMMIT)
    rig.run("grows", lambda: urgency[0])
    urgency[0] = Urgency.REVERT
    rig.end("first")
    assert rig.began == ["first", "grows"]


def test_a_run_in_overtime_gives_its_place_to_another_up_to_a_bound(rig: Rig) -> None:
    for number in range(MOST_IN_ALL + 2):
        rig.run(str(number), Urgency.INTERVAL)
    assert rig.began == ["0"]
    for count in range(2, MOST_IN_ALL + 1):
        rig.settle(OVERTIME)
        assert len(rig.began) == count
    rig.settle(OVERTIME)
    assert len(rig.began) == MOST_IN_ALL
    rig.end("0")
    assert len(rig.began) == MOST_IN_ALL + 1


def test_who_is_cancelled_gives_back_its_place(rig: Rig) -> None:
    rig.run("first", Urgency.INTERVAL)
    rig.run("gone", Urgency.BY_HAND)
    rig.run("next", Urgency.INTERVAL)
    rig.cancel("gone")
    rig.cancel("first")
    assert (rig.began, rig.turns.waiting) == (["first", "next"], 0)


def test_more_turns_by_a_new_configuration(rig: Rig) -> None:
    rig.most = 2
    for name in "abc":
        rig.run(name, Urgency.INTERVAL)
    assert rig.began == ["a", "b"]


@pytest.mark.parametrize(
    ("causes", "urgency"),
    [
        (("interval",), Urgency.INTERVAL),
        (("retry", "dependency healthy"), Urgency.DEPENDENCY),
        (("fleet moved",), Urgency.COMMIT),
        (("interval", "change seen"), Urgency.REVERT),
        (("change seen", "sync by request"), Urgency.BY_HAND),
        (("started",), Urgency.COMMIT),
    ],
)
def test_a_run_is_as_urgent_as_the_most_urgent_of_its_causes(
    causes: tuple[str, ...], urgency: Urgency
) -> None:
    trigger = Trigger(causes[0])
    for cause in causes[1:]:
        trigger = merge_triggers(trigger, Trigger(cause))
    assert trigger.urgency is urgency
