# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine in a process of its own, and its end at a named write. The product knows nothing of it: the proxy kills.

A run's process is forked from a server that has imported the engine once, so that a sweep over many writes is quick.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AppSpec
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.faults.proxy import (
    WRITES,
    Forward,
    Proxy,
    ProxyRequest,
    ProxyResponse,
)

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["pytest", "ansible_collections.plumb.gitops.tests.support.cluster.engine"])


class Moment(Enum):
    """Which side of a write."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Point:
    """A place in a run: the n-th write, counted from 1 as they reach the proxy."""

    nth: int
    moment: Moment

    def __str__(self) -> str:
        return f"{self.moment.value} write {self.nth}"


@dataclass(slots=True)
class _Kill:
    """The effect on each write: forwarded up to the point, at which the process is killed, and never after it."""

    point: Point
    aimed: threading.Event = field(default_factory=threading.Event)
    dead: threading.Event = field(default_factory=threading.Event)
    pid: int = 0
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def aim(self, pid: int) -> None:
        self.pid = pid
        self.aimed.set()

    def __call__(self, asked: ProxyRequest, forward: Forward) -> ProxyResponse | None:
        with self._lock:
            self._count += 1
            number = self._count
        if number < self.point.nth:
            return forward(asked)
        if number == self.point.nth:
            if self.point.moment is Moment.AFTER:
                forward(asked)
            self.aimed.wait()
            os.kill(self.pid, signal.SIGKILL)
            self.dead.set()
        self.dead.wait()
        return None


def _apply(engine: Engine, app: AppSpec, kubeconfig: Path) -> None:
    engine.apply(app, kubeconfig=kubeconfig)


def killed_apply(engine: Engine, app: AppSpec, proxy: Proxy, point: Point) -> None:
    """Apply the app in another process, which is killed at that point. Returns when none of its writes is under way."""
    kill = _Kill(point)
    proxy.faults.clear()
    proxy.fault(WRITES, "", kill)
    process = _FORKS.Process(target=_apply, args=(engine, app, proxy.kubeconfig))
    process.start()
    kill.aim(process.pid or 0)
    process.join()
    # The fault stays: whatever of the dead process's requests was still in a socket is cut.
    proxy.settle()
    print(f"killed {point}")  # noqa: T201 - pytest shows it with a failure
    if process.exitcode != -signal.SIGKILL:
        raise AssertionError(f"the run was to be killed {point}, but it ended with {process.exitcode}")


def sweep(writes: int, must: Sequence[int], sample: int) -> list[Point]:
    """Points of a run that makes so many writes: both sides of the `must`, and some at random; pytest shows which.

    The sample is the same in every run. PLUMB_FAULT_SEED=<anything> draws another, PLUMB_FAULT_ALL=1 takes every point.
    """
    every = [Point(nth, moment) for nth in range(1, writes + 1) for moment in Moment]
    if os.environ.get("PLUMB_FAULT_ALL"):
        return every
    seed = os.environ.get("PLUMB_FAULT_SEED", "1")
    print(f"PLUMB_FAULT_SEED={seed} repeats this sample")  # noqa: T201 - pytest shows it with a failure
    drawn = random.Random(seed).sample(every, min(sample, len(every)))  # noqa: S311 - no secret
    return [point for point in every if point.nth in must or point in drawn]
