# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who changed a field, by the API server's audit log: events and findings in, culprits out. Nothing is read here.

A change is attributed to the user of an event only if object, verb, success, time and manager fit, if no other user's
event fits as well, and if the log reaches back far enough to know that. Requests of Plumb under the account of this run
never count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ...model.change import AUDIT_LOG, Cause, Culprit, FieldChange
from ...model.errors import printable
from ...model.objects import GroupKind, ObjectRef
from ...model.plan import Action, AppResult
from ..fields.managed_fields import BEFORE_FIRST_APPLY

_OURS = "plumb/"  # how the user agent of a request of ours begins
_VERBS = {"Update": frozenset({"create", "update", "patch"}), "Apply": frozenset({"patch"})}
_CHANGES = frozenset({"update", "patch"})
_DELETIONS = frozenset({"delete", "deletecollection"})
_WRITES = _VERBS["Update"] | _DELETIONS
_MOST_NAMES = 20  # groups, addresses or users in a report
_LONGEST_NAME = 200  # characters of a user, a group, a user agent
_SECOND = len("2026-11-24T05:37:51")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """A write that succeeded. Times are RFC 3339, UTC, with microseconds, by the server's clock."""

    verb: str
    user: str
    account: str  # whose rights it had: another user's where it was impersonated
    groups: tuple[str, ...]
    addresses: tuple[str, ...]
    user_agent: str
    manager: str  # the field manager that the server takes it for
    target: tuple[str, str, str, str]  # group, plural, namespace, name; no name for a whole collection
    subresource: str
    received: str
    completed: str
    selective: bool  # it deletes of a collection what a selector names
    late: bool = False  # it was logged after this run had begun

    def culprit(self, entry: Culprit | None) -> Culprit:
        """Return the culprit of managedFields, or nobody, with what this event tells of him."""
        known = entry or Culprit("", "", self.subresource, f"{self.received[:_SECOND]}Z")
        return replace(
            known,
            user=self.user,
            groups=self.groups,
            addresses=self.addresses,
            user_agent=self.user_agent,
            verb=self.verb,
            evidence=AUDIT_LOG,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLog:
    """The writes in the part of a log that was read. `begins` is the time of its first event, empty where it has none.

    `account` is the user of this run, empty where that is not known.
    """

    events: tuple[AuditEvent, ...]
    begins: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class LastObservation:
    """What the last run observed of an app: when it began, and to whom it attributed which change."""

    at: str = ""
    # By object, by path, if the change stayed.
    drifted: Mapping[str, Mapping[str, Culprit]] = field(default_factory=dict)


def read_event(event: Mapping[str, Any], *, late: bool = False) -> AuditEvent | None:
    """Return an audit.k8s.io/v1 event, if it is a write to an object that succeeded. Raises TypeError or ValueError."""
    verb, target = event.get("verb"), event.get("objectRef")
    code = (event.get("responseStatus") or {}).get("code")
    succeeded = isinstance(code, int) and 200 <= code < 300
    is_write = event.get("stage") == "ResponseComplete" and verb in _WRITES and succeeded
    if not is_write or not isinstance(target, Mapping):
        return None
    query = parse_qs(urlsplit(str(event.get("requestURI") or "")).query)
    if "dryRun" in query:
        return None
    user, acted = event.get("user") or {}, event.get("impersonatedUser") or {}
    name = _text(user.get("username"))
    account = _text(acted.get("username")) or name
    agent = str(event.get("userAgent") or "")
    return AuditEvent(
        verb=str(verb),
        user=name if account == name else f"{name} as {account}",
        account=account,
        groups=_texts((acted or user).get("groups")),
        addresses=_texts(event.get("sourceIPs")),
        user_agent=_text(agent),
        manager=(query.get("fieldManager") or [agent.partition("/")[0]])[0],
        target=(
            str(target.get("apiGroup") or ""),
            str(target.get("resource") or ""),
            str(target.get("namespace") or ""),
            str(target.get("name") or ""),
        ),
        subresource=str(target.get("subresource") or ""),
        received=_moment(event.get("requestReceivedTimestamp")),
        completed=_moment(event.get("stageTimestamp")),
        selective="labelSelector" in query or "fieldSelector" in query,
        late=late,
    )


def attribute_changes(
    apps: Sequence[AppResult],
    log: AuditLog,
    last_observations: Mapping[str, LastObservation],
    plural_of: Callable[[GroupKind], str],
) -> tuple[AppResult, ...]:
    """Return the results, each culprit with what the log tells of him. `last_observations` are by app."""
    by_target: dict[tuple[str, str, str, str], list[AuditEvent]] = {}
    for event in log.events:
        by_target.setdefault(event.target, []).append(event)

    def attributed(app: str, action: Action) -> Action:
        ref = action.ref
        target = (ref.group, plural_of(ref.group_kind), ref.namespace, ref.name)
        events = [*by_target.get(target, ()), *by_target.get((*target[:3], ""), ())]
        return _ObjectEvents.of(
            action, events, log, last_observations.get(app, LastObservation())
        ).attributed(action)

    return tuple(
        replace(
            result,
            plan=replace(
                result.plan,
                actions=tuple(
                    attributed(result.plan.app, action) if action.drifted else action
                    for action in result.plan.actions
                ),
            ),
        )
        for result in apps
    )


def observations_of(
    apps: Iterable[AppResult], started: str, before: Mapping[str, LastObservation]
) -> dict[str, LastObservation]:
    """Return what this run observed, for the next one; for apps that were not planned, what was known before."""
    observations = dict(before)
    for result in apps:
        if not (result.plan.error or result.plan.suspended):
            drifted = {object_key(a.ref): _remaining_culprits(a) for a in result.plan.actions if a.drifted}
            observations[result.plan.app] = LastObservation(started, drifted)
    return observations


def object_key(ref: ObjectRef) -> str:
    """Return the key of an object in files."""
    return f"{ref.group_kind} {ref.namespace}/{ref.name}"


def _remaining_culprits(action: Action) -> dict[str, Culprit]:
    """Return the culprits of changes that stay as they are; what was reverted may be another's the next time."""
    if action.verb.writes:
        return {}
    return {c.path: c.culprit for c in action.changes if c.culprit and c.culprit.evidence == AUDIT_LOG}


@dataclass(frozen=True, slots=True, kw_only=True)
class _ObjectEvents:
    """One object that drifted, and what others wrote to it since it was ours."""

    others: tuple[AuditEvent, ...]
    is_covered: bool  # the log reaches back to our last write, or to the last run if that found it as wanted
    is_new: bool  # the last run found no drift of this object
    known: Mapping[str, Culprit]  # by path: to whom the last run attributed it

    @classmethod
    def of(
        cls, action: Action, events: Sequence[AuditEvent], log: AuditLog, last: LastObservation
    ) -> _ObjectEvents:
        ours = [event for event in events if _is_ours(event, log.account)]
        earlier = [action.applied, *(event.received for event in ours if not event.late)]
        now = min((event.received for event in ours if event.late), default="")  # our own revert, in this run
        since = max(earlier, key=lambda moment: (moment[:_SECOND], len(moment)))
        name = object_key(action.ref)
        is_new = name not in last.drifted
        covers = max(since, last.at if is_new else "")
        others = [
            event
            for event in events
            if not _is_ours(event, log.account)
            and _after(event.completed, since)
            and (not now or event.received < now)
        ]
        return cls(
            others=tuple(sorted(others, key=lambda event: event.received)),
            is_covered=bool(covers and log.begins) and not _after(log.begins, covers),
            is_new=is_new and bool(last.at),
            known=last.drifted.get(name, {}),
        )

    def attributed(self, action: Action) -> Action:
        changes = tuple(replace(change, culprit=self._culprit_of(change)) for change in action.changes)
        if not action.deleted_by_someone:
            return replace(action, changes=changes)
        return replace(action, changes=changes, culprit=self._only_user(_DELETIONS))

    def _culprit_of(self, change: FieldChange) -> Culprit | None:
        entry, known = change.culprit, self.known.get(change.path)
        if change.cause is Cause.GIT or (entry is not None and entry.manager == BEFORE_FIRST_APPLY):
            return entry
        if entry is not None and known is not None and _same_entry(entry, known):
            return known
        if change.cause is Cause.ADDITION and not self.is_new:
            return entry  # our own writes do not end it, so an earlier event may be the one
        return self._only_user(_CHANGES) if entry is None else self._with_user(entry)

    def _with_user(self, entry: Culprit) -> Culprit:
        """Return the entry with its user, where only one user's events can have made it."""
        matching = [
            event
            for event in self.others
            if event.verb in _VERBS.get(entry.operation, _CHANGES)
            and (event.manager, event.subresource) == (entry.manager, entry.subresource)
        ]
        time = entry.time[:_SECOND]
        in_time = [
            event
            for event in matching
            if not time or event.received[:_SECOND] <= time <= event.completed[:_SECOND]
        ]
        if self.is_covered and in_time and len({event.user for event in matching}) == 1:
            return in_time[-1].culprit(entry)
        return entry

    def _only_user(self, verbs: frozenset[str]) -> Culprit | None:
        """Return who did what leaves no entry: the only user who wrote at all, or one of several."""
        matching = [event for event in self.others if event.verb in verbs and not event.subresource]
        users = tuple(dict.fromkeys(event.user for event in matching))
        if not self.is_covered or not users or all(event.selective for event in matching):
            return None
        if len(users) > 1:
            return Culprit("", "", one_of=users[:_MOST_NAMES], evidence=AUDIT_LOG)
        return matching[-1].culprit(None)


def _is_ours(event: AuditEvent, account: str) -> bool:
    """Whether it is a request of Plumb under the account of this run."""
    return event.user_agent.startswith(_OURS) and account in {"", event.account}


def _after(moment: str, other: str) -> bool:
    """Whether a moment is not before another; within one second where one of them knows no more."""
    if min(len(moment), len(other)) <= _SECOND + 1:
        return moment[:_SECOND] >= other[:_SECOND]
    return moment > other


def _same_entry(first: Culprit, second: Culprit) -> bool:
    """Whether both are one state of one entry, which without a time cannot be said."""
    return bool(first.time) and (first.manager, first.operation, first.subresource, first.time) == (
        second.manager,
        second.operation,
        second.subresource,
        second.time,
    )


def _moment(value: Any) -> str:
    text = str(value or "")
    if len(text) < len("2026-11-24T05:37:51Z") or not text.endswith("Z"):
        raise ValueError("no time")
    return text


def _text(value: Any) -> str:
    return printable(str(value or ""), _LONGEST_NAME)


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(_text(value) for value in values[:_MOST_NAMES]) if isinstance(values, list) else ()
