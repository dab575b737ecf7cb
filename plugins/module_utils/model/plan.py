# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: what is to be done to each object of an app, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from .change import Cause, Culprit, FieldChange
from .health import Health, HealthStatus
from .object_diff import ObjectDiff
from .objects import ObjectRef, Origin


class Verb(Enum):
    """What is to be done to an object."""

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"
    RECREATE = "recreate"
    PRUNE = "prune"
    UNCHANGED = "unchanged"
    REFUSED = "refused"

    @property
    def writes(self) -> bool:
        """Whether it writes to the object."""
        return self not in (Verb.UNCHANGED, Verb.REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is to be done to one object, and why."""

    ref: ObjectRef
    verb: Verb
    changes: tuple[FieldChange, ...] = ()
    reason: str = ""  # why it is refused, pruned, kept, recreated or created again
    warning: str = ""
    origin: Origin | None = None
    deleted_by_someone: bool = False  # it was applied before and is gone
    culprit: Culprit | None = None  # who deleted it, where that is known
    api_version: str = ""  # that the manifest is written in, or the object was read in
    uid: str = ""  # of the live object
    applied: str = (
        ""  # when our claim on it was written last, as far as that is recorded; where it has changes
    )
    unverified: bool = (
        False  # reading it, or the dry-run that would prove it, was denied or is not possible yet
    )
    health: Health | None = None  # of the live object, as it was read
    diff: ObjectDiff | None = None  # only in a run that shows it

    @property
    def drifted(self) -> bool:
        """Whether someone else changed or deleted what Git decides, or added what Git does not know."""
        return self.deleted_by_someone or any(change.cause is not Cause.GIT for change in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All actions of one app, in the order of execution.

    `error` says why there is no plan at all (it does not render, its inventory is not ours): then nothing is written.
    `prune_blocked` says why objects that left Git stay for now.
    """

    app: str
    actions: tuple[Action, ...] = ()
    error: str = ""
    prune_blocked: str = ""
    suspended: bool = False
    warnings: tuple[str, ...] = ()


class Result(Enum):
    """What an action came to."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"  # not attempted, because of something before it


@dataclass(frozen=True, slots=True)
class Outcome:
    """An action and what it came to; `error` says why it failed or was skipped."""

    action: Action
    result: Result
    error: str = ""
    blames_server: bool = False  # the error is one that any other object could have met at that moment


@dataclass(frozen=True, slots=True)
class Unhealthy:
    """An object that was not healthy when waiting ended; `reasons` say why, in three lines at most."""

    ref: ObjectRef
    health: Health
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """An object that is waited for: until it is healthy, or until the one with `deleted_uid` is gone."""

    ref: ObjectRef
    api_version: str  # in which its health is read
    health: Health = field(default_factory=lambda: Health(HealthStatus.NOT_FOUND))  # as it was read last
    removed_by_ttl: bool = False  # the cluster removes it by itself once it has ended
    deleted_uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """What is still waited for when a run that does not wait has ended; `seconds` is the app's timeout."""

    set_id: str  # of the app's ApplySet, by which its objects are listed
    seconds: float
    objects: tuple[Awaited, ...]


def describe_awaited(objects: Sequence[Awaited]) -> str:
    """Return the first of the objects that are waited for, with its health, and how many more there are."""
    if not objects:
        return ""
    first = objects[0]
    more = f" and {len(objects) - 1} more" if len(objects) > 1 else ""
    return f"{first.ref}{more}: {first.health.summary}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppResult:
    """One app in one run: its plan and, unless it was a check, what came of it."""

    plan: Plan
    outcomes: tuple[Outcome, ...] = ()
    unhealthy: tuple[Unhealthy, ...] = ()
    waited: bool = False
    follow_up: FollowUp | None = None  # the app is in progress
    waits_for: str = ""  # the app that it depends on and that is not healthy yet: it was not started
    error: str = ""  # why execution stopped, or did not start
    seconds: float = 0.0
    executed: bool = False
    blames_server: bool = False  # nothing was written, for an error that any other app could have met

    def with_outcomes(self) -> Iterator[tuple[Action, Outcome | None]]:
        """Yield the planned actions, each with what it came to; one that was done has the verb of what was done."""
        outcomes = {outcome.action.ref: outcome for outcome in self.outcomes}
        for action in self.plan.actions:
            outcome = outcomes.get(action.ref)
            if outcome is not None and outcome.result is Result.DONE:
                # An object that moved was planned anew, and may have needed nothing any more.
                yield replace(action, verb=outcome.action.verb), outcome
            else:
                yield action, outcome

    @property
    def changed(self) -> bool:
        """Whether something was, or in a check would be, written to an object of the app."""
        if self.executed:
            return any(o.result is Result.DONE and o.action.verb.writes for o in self.outcomes)
        return any(
            action.verb.writes and (not action.unverified or action.verb is Verb.CREATE)
            for action in self.plan.actions
        )

    @property
    def failed(self) -> bool:
        """Whether something of the app failed, was refused, or did not become healthy."""
        return bool(
            self.error
            or self.plan.error
            or self.unhealthy
            or any(o.result is Result.FAILED for o in self.outcomes)
            or any(a.verb is Verb.REFUSED for a in self.plan.actions)
        )

    @property
    def drifted(self) -> bool:
        """Whether an object of the app drifted."""
        return any(action.drifted for action in self.plan.actions)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many objects each verb has, and how many drifted.

    After an execution a verb that writes counts what was done, not what was planned.
    """

    by_verb: dict[Verb, int] = field(default_factory=dict)
    drifted: int = 0
    failed: int = 0
    skipped: int = 0

    @classmethod
    def of(cls, results: Iterable[AppResult]) -> Counts:
        """Return the counts of these results together."""
        by_verb = dict.fromkeys(Verb, 0)
        drifted = 0
        ends = dict.fromkeys(Result, 0)
        for result in results:
            for action, outcome in result.with_outcomes():
                drifted += action.drifted
                if outcome is not None and outcome.result is not Result.DONE:
                    ends[outcome.result] += 1
                elif outcome is not None or not (result.executed and action.verb.writes):
                    by_verb[action.verb] += 1
        return cls(by_verb, drifted, ends[Result.FAILED], ends[Result.SKIPPED])
