# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that all renders of a run share, counted before it is taken.

What a render will need is not known beforehand, so it counts while it reads, and starts again alone where it does not
fit beside the others. What an app rendered to stays counted as long as the run lasts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from .available_memory import available_memory

MIB = 1024 * 1024
# Measured: reading YAML takes 4 to 6 bytes for each byte of the file while it is read, and a value 20 to 210 bytes as
# long as it is there. Text in values is compared and sent later.
READING = 6  # for each byte of a file, until it is read
COLLECTING = 2  # for each byte of a program's output, until it is read
VALUE = 240  # bytes for each scalar, list or map, as long as it is there
TEXT = 2  # for each byte of text in values, as long as it is there
# What others of the same process take (the clusters' objects, Ansible) is the rest.
_MANIFESTS_SHARE, _PROGRAMS_SHARE = 1 / 2, 1 / 3
_LEAST_MANIFESTS, _LEAST_PROGRAMS = 96 * MIB, 192 * MIB  # with less, nothing at all can be done

_CLEARLY = 1.25  # times; what is available differs a little from run to run

T = TypeVar("T")


def values_of_json(data: bytes) -> int:
    """Return the most values that a JSON text may have: commas and brackets in its strings count as well."""
    return 1 + data.count(b",") + data.count(b"[") + data.count(b"{")


def memory_of_json(data: bytes) -> int:
    """Return the most bytes that the values of a JSON text take."""
    return VALUE * values_of_json(data) + TEXT * len(data)


class OverBudgetError(Exception):
    """A render needs more than there is: `available` bytes, of which other apps of the run hold `held`."""

    def __init__(self, available: int, held: int) -> None:
        super().__init__(available, held)
        self.available, self.held = available, held


class _CrowdedError(Exception):
    """It did not fit beside the renders that are under way."""


@dataclass(slots=True)
class MemoryShare:
    """What one render has counted."""

    budget: MemoryBudget
    charged: int = 0

    def charge(self, amount: int) -> None:
        """Count `amount` bytes more. Raises where they are not there; whoever called `rendered` deals with that."""
        self.budget.charge(self, amount)

    def release(self, amount: int) -> None:
        """Count `amount` bytes less."""
        self.budget.charge(self, -amount)


@dataclass(eq=False)
class MemoryBudget:
    """Bytes for manifests, and bytes for programs that run at the same time. Safe to use from threads."""

    manifests: int
    programs: int
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _held: int = 0
    _charged: int = 0
    _of_programs: int = 0
    _rendering: int = 0
    _alone: bool = False
    _waiting: int = 0  # renders that want to be alone; others do not begin before them

    @classmethod
    def of_process(cls) -> MemoryBudget:
        """Return a budget of shares of the memory that this process may take now."""
        left = available_memory()
        return cls(
            max(_LEAST_MANIFESTS, int(left * _MANIFESTS_SHARE)),
            max(_LEAST_PROGRAMS, int(left * _PROGRAMS_SHARE)),
        )

    def rendered(self, work: Callable[[MemoryShare], tuple[T, int]]) -> T:
        """Return the result of `work`, which also says how many bytes stay for the whole run.

        It is done beside others, or once more and alone where it did not fit beside them. Raises OverBudgetError where
        that is not enough either.
        """
        try:
            with self._beside_others() as account:
                return self._keep(work(account))
        except _CrowdedError:
            pass
        with self._without_others() as account:
            return self._keep(work(account))

    def may_do(self, memory: int, program_memory: int) -> bool:
        """Return whether there is clearly more now than what was not enough; 0 says that memory was not the bound."""
        with self._changed:
            left = self.manifests - self._held
        return (0 < memory * _CLEARLY < left) or (0 < program_memory * _CLEARLY < self.programs)

    def keep(self, amount: int) -> None:
        """Count what stays until the end of the run."""
        with self._changed:
            self._held += amount

    @contextmanager
    def program(self, most: int) -> Iterator[int]:
        """Wait until a program may take `most` bytes, or all that programs may have; how much it is."""
        amount = min(most, self.programs)
        with self._changed:
            self._changed.wait_for(lambda: self._of_programs + amount <= self.programs)
            self._of_programs += amount
        try:
            yield amount
        finally:
            with self._changed:
                self._of_programs -= amount
                self._changed.notify_all()

    def charge(self, account: MemoryShare, amount: int) -> None:
        """Count for an account."""
        with self._changed:
            if amount > 0 and self._held + self._charged + amount > self.manifests:
                if self._rendering > 1:
                    raise _CrowdedError
                raise OverBudgetError(self.manifests, self._held)
            account.charged += amount
            self._charged += amount

    def _keep(self, done: tuple[T, int]) -> T:
        result, amount = done
        self.keep(amount)
        return result

    @contextmanager
    def _beside_others(self) -> Iterator[MemoryShare]:
        with self._changed:
            self._changed.wait_for(lambda: not self._alone and not self._waiting)
            self._rendering += 1
        yield from self._account()

    @contextmanager
    def _without_others(self) -> Iterator[MemoryShare]:
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: not self._rendering)
            self._waiting -= 1
            self._rendering, self._alone = 1, True
        yield from self._account()

    def _account(self) -> Iterator[MemoryShare]:
        account = MemoryShare(self)
        try:
            yield account
        finally:
            with self._changed:
                self._charged -= account.charged
                self._rendering -= 1
                self._alone = False
                self._changed.notify_all()
