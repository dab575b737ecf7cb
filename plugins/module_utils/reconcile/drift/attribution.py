# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who did it, by the API server's audit log: events and findings in, culprits out. Nothing is read here.

An event is laid to somebody's charge only if object, verb, success, time and manager fit, if no other user's event fits
as well, and if the log reaches back far enough to know that. Requests of Plumb under the account of this run never are.
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
_MOST_NAMES = 20  # groups, addresses or users that are told
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
    place: tuple[str, str, str, str]  # group, plural, namespace, name; no name for a whole collection
    subresource: str
    received: str
    completed: str
    selective: bool  # it deletes of a collection what a selector names
    late: bool = False  # it was logged after this run had begun

    def culprit(self, entry: Culprit | None) -> Culprit:
        """The culprit of managedFields, or nobody, with what this event says of him."""
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
    """What the last run saw of an app: when it began, and who was found to have changed what."""

    at: str = ""
    drifted: Mapping[str, Mapping[str, Culprit]] = field(
        default_factory=dict
    )  # by object, by path, if it stayed


def read_event(given: Mapping[str, Any], *, late: bool = False) -> AuditEvent | None:
    """An event of audit.k8s.io/v1, if it is a write to an object that succeeded. Raises TypeError or ValueError."""
    verb, target = given.get("verb"), given.get("objectRef")
    code = (given.get("responseStatus") or {}).get("code")
    succeeded = isinstance(code, int) and 200 <= code < 300
    done = given.get("stage") == "ResponseComplete" and verb in _WRITES and succeeded
    if not done or not isinstance(target, Mapping):
        return None
    query = parse_qs(urlsplit(str(given.get("requestURI") or "")).query)
    if "dryRun" in query:
        return None
    user, acted = given.get("user") or {}, given.get("impersonatedUser") or {}
    name = _text(user.get("username"))
    account = _text(acted.get("username")) or name
    agent = str(given.get("userAgent") or "")
    return AuditEvent(
        verb=str(verb),
        user=name if account == name else f"{name} as {account}",
        account=account,
        groups=_texts((acted or user).get("groups")),
        addresses=_texts(given.get("sourceIPs")),
        user_agent=_text(agent),
        manager=(query.get("fieldManager") or [agent.partition("/")[0]])[0],
        place=(
            str(target.get("apiGroup") or ""),
            str(target.get("resource") or ""),
            str(target.get("namespace") or ""),
            str(target.get("name") or ""),
        ),
        subresource=str(target.get("subresource") or ""),
        received=_moment(given.get("requestReceivedTimestamp")),
        completed=_moment(given.get("stageTimestamp")),
        selective="labelSelector" in query or "fieldSelector" in query,
        late=late,
    )


def with_evidence(
    apps: Sequence[AppResult],
    log: AuditLog,
    seen: Mapping[str, LastObservation],
    plural_of: Callable[[GroupKind], str],
) -> tuple[AppResult, ...]:
    """The results, each culprit with what the log says of him. `seen` is what the last run saw, by app."""
    by_place: dict[tuple[str, str, str, str], list[AuditEvent]] = {}
    for event in log.events:
        by_place.setdefault(event.place, []).append(event)

    def attributed(app: str, action: Action) -> Action:
        ref = action.ref
        one = (ref.group, plural_of(ref.group_kind), ref.namespace, ref.name)
        found = [*by_place.get(one, ()), *by_place.get((*one[:3], ""), ())]
        return _Case.of(action, found, log, seen.get(app, LastObservation())).attributed(action)

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


def seen_in(
    apps: Iterable[AppResult], started: str, before: Mapping[str, LastObservation]
) -> dict[str, LastObservation]:
    """What this run saw, for the next one; of apps that were not looked at, what was known."""
    now = dict(before)
    for result in apps:
        if not (result.plan.error or result.plan.suspended):
            drifted = {name_of(a.ref): _named(a) for a in result.plan.actions if a.drifted}
            now[result.plan.app] = LastObservation(started, drifted)
    return now


def name_of(ref: ObjectRef) -> str:
    """An object by name, for files."""
    return f"{ref.group_kind} {ref.namespace}/{ref.name}"


def _named(action: Action) -> dict[str, Culprit]:
    """The culprits of changes that stay as they are: what was reverted is another's the next time."""
    if action.verb.writes:
        return {}
    return {c.path: c.culprit for c in action.changes if c.culprit and c.culprit.evidence == AUDIT_LOG}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One object that drifted, and what others wrote to it since it was ours."""

    others: tuple[AuditEvent, ...]
    is_covered: bool  # the log has all that was written since our last write, or since all was well
    is_new: bool  # the last run found nothing on this object
    known: Mapping[str, Culprit]  # what the last run could say of it

    @classmethod
    def of(cls, action: Action, found: Sequence[AuditEvent], log: AuditLog, seen: LastObservation) -> _Case:
        ours = [e for e in found if _is_ours(e, log.account)]
        earlier = [action.applied, *(e.received for e in ours if not e.late)]
        now = min((e.received for e in ours if e.late), default="")  # our own revert, in this run
        since = max(earlier, key=lambda moment: (moment[:_SECOND], len(moment)))
        name = name_of(action.ref)
        is_new = name not in seen.drifted
        covers = max(since, seen.at if is_new else "")
        others = [
            event
            for event in found
            if not _is_ours(event, log.account)
            and _after(event.completed, since)
            and (not now or event.received < now)
        ]
        return cls(
            others=tuple(sorted(others, key=lambda event: event.received)),
            is_covered=bool(covers and log.begins) and not _after(log.begins, covers),
            is_new=is_new and bool(seen.at),
            known=seen.drifted.get(name, {}),
        )

    def attributed(self, action: Action) -> Action:
        changes = tuple(replace(change, culprit=self._of(change)) for change in action.changes)
        if not action.deleted_by_someone:
            return replace(action, changes=changes)
        return replace(action, changes=changes, culprit=self._who(_DELETIONS))

    def _of(self, change: FieldChange) -> Culprit | None:
        entry, known = change.culprit, self.known.get(change.path)
        if change.cause is Cause.GIT or (entry is not None and entry.manager == BEFORE_FIRST_APPLY):
            return entry
        if entry is not None and known is not None and _same_entry(entry, known):
            return known
        if change.cause is Cause.ADDITION and not self.is_new:
            return entry  # our own writes do not end it, so an earlier event may be the one
        return self._who(_CHANGES) if entry is None else self._who_wrote(entry)

    def _who_wrote(self, entry: Culprit) -> Culprit:
        """The entry with its user, where one event alone can have made it."""
        fit = [
            e
            for e in self.others
            if e.verb in _VERBS.get(entry.operation, _CHANGES)
            and (e.manager, e.subresource) == (entry.manager, entry.subresource)
        ]
        time = entry.time[:_SECOND]
        at = [e for e in fit if not time or e.received[:_SECOND] <= time <= e.completed[:_SECOND]]
        if self.is_covered and at and len({e.user for e in fit}) == 1:
            return at[-1].culprit(entry)
        return entry

    def _who(self, verbs: frozenset[str]) -> Culprit | None:
        """Who did what leaves no entry: the only user who wrote at all, or one of several."""
        fit = [e for e in self.others if e.verb in verbs and not e.subresource]
        users = tuple(dict.fromkeys(e.user for e in fit))
        if not self.is_covered or not users or all(e.selective for e in fit):
            return None
        if len(users) > 1:
            return Culprit("", "", one_of=users[:_MOST_NAMES], evidence=AUDIT_LOG)
        return fit[-1].culprit(None)


def _is_ours(event: AuditEvent, account: str) -> bool:
    """Whether it is a request of Plumb; under another account it is somebody's."""
    return event.user_agent.startswith(_OURS) and account in {"", event.account}


def _after(moment: str, other: str) -> bool:
    """Whether a moment is not before another; within one second where one of them knows no more."""
    if min(len(moment), len(other)) <= _SECOND + 1:
        return moment[:_SECOND] >= other[:_SECOND]
    return moment > other


def _same_entry(one: Culprit, other: Culprit) -> bool:
    """Whether both are one state of one entry, which without a time cannot be said."""
    return bool(one.time) and (one.manager, one.operation, one.subresource, one.time) == (
        other.manager,
        other.operation,
        other.subresource,
        other.time,
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
