# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting in the supervisor: for a child's end, the owner's end, or a signal to stop."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from types import FrameType

from plumb_sandbox.process.children import Child

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequested(Exception):
    """The supervisor has to stop everything; the text says why."""


class ChildEnded(Exception):
    """A program ended that should have run on."""

    def __init__(self, child: Child) -> None:
        super().__init__(f"{child.name} ended with status {child.process.returncode}")
        self.child = child


class Waiter:
    """Waits for what may end the sandbox; `pause` is the only way in which the supervisor waits."""

    def __init__(self, owner: int | None) -> None:
        self._poll = select.poll()
        self._children: dict[int, Child] = {}
        self._signals, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, _ignore)  # the wake-up pipe reports it; the default action must not happen
        self._poll.register(self._signals, select.POLLIN)
        self._owner = _open_owner(owner)
        if self._owner is not None:
            self._poll.register(self._owner, select.POLLIN)

    def add(self, child: Child) -> None:
        """Watch CHILD from now on."""
        self._children[child.pidfd] = child
        self._poll.register(child.pidfd, select.POLLIN)

    def forget_children(self) -> None:
        """Stop watching all children: they are about to be ended."""
        for pidfd in self._children:
            self._poll.unregister(pidfd)
        self._children.clear()

    def pause(self, seconds: float | None) -> None:
        """Wait SECONDS (None: for ever) or until something happens.

        Raises StopRequested or ChildEnded.
        """
        for handle, _event in self._poll.poll(None if seconds is None else seconds * 1000):
            if handle == self._signals:
                number = os.read(self._signals, 1)[0]
                raise StopRequested(f"received {signal.Signals(number).name}")
            if handle == self._owner:
                raise StopRequested("the process that owns this sandbox ended")
            child = self._children[handle]
            child.process.poll()
            raise ChildEnded(child)

    def until(self, what: str, holds: Callable[[], bool], seconds: float, every: float = 0.05) -> None:
        """Pause until HOLDS; StopRequested with WHAT if it does not within SECONDS."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise StopRequested(f"{what} did not happen within {seconds:.0f} s")
            self.pause(every)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    return


def _open_owner(owner: int | None) -> int | None:
    if owner is None:
        return None
    try:
        return os.pidfd_open(owner)
    except ProcessLookupError:
        raise StopRequested("the process that owns this sandbox had ended already") from None
