# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing choices to Git: cloned, edited, committed and pushed, where there is anything new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..http.retry import TryAgain, retry
from ..source.push import Clone, NewCommit, PushRaceError, clone_for_writing
from .commit_message import message
from .errors import UpdateError
from .pull_requests import Manner, Per, Proposal, Proposed, PullRequests
from .specs import Decision, ImageChange, UpdateSpec
from .update_plan import Planned, Planner
from .update_state import Committed, UpdateState

_TRIES = 5  # pushes of one commit that came second
_PAUSE = 0.1  # seconds before the second try


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """A branch that has, or in a check would get, the changes; `commit` is empty where nothing had to be pushed."""

    branch: str
    commit: str
    changes: tuple[ImageChange, ...]
    proposed: Proposed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What became of an update. `asked`: whether Git was asked at all."""

    name: str
    asked: bool
    pushed: tuple[Pushed, ...] = ()
    warnings: tuple[str, ...] = ()
    unmarked: tuple[str, ...] = ()  # the policies that no marker in the branch names
    memory: Committed = field(default_factory=Committed)

    @property
    def changed(self) -> bool:
        """Whether anything was, or would be, pushed or proposed."""
        return any(one.commit or (one.proposed and one.proposed.created) for one in self.pushed)


def update(
    spec: UpdateSpec,
    decisions: Sequence[Decision],
    memory: Committed,
    *,
    known: frozenset[str],
    now: str = "",
    pulls: PullRequests | None = None,
    check: bool = False,
    work: Path | None = None,
) -> Updated:
    """Write these decisions where they are wanted. `known` are the names of all policies, `now` the commit that the
    followed branch is known to have (empty: not known).

    With nothing new nobody is asked; else the clone is made below `work`, and is gone at the end. In a check Git is
    read and nothing is pushed; its commits are called `check`. Raises InputError, SourceError, UpdateError, and what
    `pulls` raises.
    """
    wanted = _wanted(spec, decisions)
    if not is_news(spec, decisions, memory, now):
        return Updated(name=spec.name, asked=False, unmarked=memory.unmarked, memory=memory)
    with clone_for_writing(spec.source, work) as clone:
        writer = _Writer(
            spec, clone, memory, known, check=check, again=memory.knows(spec.declared(), _choices(wanted))
        )
        groups = [[one] for one in wanted] if _per_image(spec) else [wanted]
        results = [writer.write(group, _head(spec, group)) for group in groups]
    pushed = [one.pushed for one in results if one.pushed is not None]
    if spec.pull_request is not None and pulls is not None and not check:
        pushed = [_proposed(spec, one, wanted, pulls) for one in pushed]
        left = [one.head for one in results if one.is_left]
        pulls.close_overtaken([*(one.branch for one in pushed), *left], spec.heads)
    found = _found(spec, results, now, wanted)
    return Updated(
        name=spec.name,
        asked=True,
        unmarked=found.unmarked,
        pushed=tuple(pushed),
        warnings=tuple(dict.fromkeys(line for one in results for line in one.planned.warnings)),
        memory=memory.after(spec.declared(), _choices(wanted), found),
    )


def is_news(spec: UpdateSpec, decisions: Sequence[Decision], memory: Committed, now: str = "") -> bool:
    """Whether Git has not been looked at with just these decisions, or before it had the commit `now`."""
    wanted = _wanted(spec, decisions)
    return bool(wanted) and not (
        memory.knows(spec.declared(), _choices(wanted)) and memory.has_looked_at(now)
    )


def _found(
    spec: UpdateSpec, results: Sequence[_Written], now: str, wanted: Sequence[Decision]
) -> UpdateState:
    """What is on a branch of its own does not stand in Git yet: it may be merged, or not.

    `now` counts as looked at wherever the branch is: it may have been rewritten, which the source need not follow.
    """
    there = [row for one in results for row in one.planned.there]
    offered: list[tuple[str, str, str]] = []
    for one in results:
        if one.pushed is not None:
            rows = [(change.file, change.slot, change.after) for change in one.pushed.changes]
            (there if one.head == spec.base else offered).extend(rows)
    looked = dict.fromkeys([now] * bool(now) + [commit for one in results for commit in one.looked])
    marked = frozenset[str]().union(*(one.planned.marked for one in results))
    unmarked = tuple(one.policy.name for one in wanted if one.policy.name not in marked)
    return UpdateState(there=tuple(there), offered=tuple(offered), looked=tuple(looked), unmarked=unmarked)


def _wanted(spec: UpdateSpec, decisions: Sequence[Decision]) -> list[Decision]:
    return [one for one in decisions if not spec.images or one.policy.name in spec.images]


def _choices(decisions: Sequence[Decision]) -> dict[str, str]:
    return {one.policy.name: one.choice.identity for one in decisions}


def _per_image(spec: UpdateSpec) -> bool:
    return spec.pull_request is not None and spec.pull_request.per is Per.IMAGE


def _head(spec: UpdateSpec, group: Sequence[Decision]) -> str:
    if spec.pull_request is None:
        return spec.branch or spec.base
    return f"{spec.heads}{group[0].policy.name if _per_image(spec) else 'images'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """What became of one branch. `is_left`: it is left as it is, since all was offered there before."""

    head: str
    planned: Planned
    looked: tuple[str, ...]  # the commit of the followed branch, and those before it
    pushed: Pushed | None = None
    is_left: bool = False


class _Writer:
    """One update in its clone. `again`: only the followed branch has moved since the last look."""

    def __init__(
        self,
        spec: UpdateSpec,
        clone: Clone,
        memory: Committed,
        known: frozenset[str],
        *,
        check: bool,
        again: bool,
    ) -> None:
        self._spec, self._clone, self._check = spec, clone, check
        self._memory, self._again = memory, again
        self._planner = Planner(clone=clone, memory=memory, paths=spec.paths, known=known)

    def write(self, decisions: Sequence[Decision], head: str) -> _Written:
        """Bring a branch to these decisions; a push that comes second is done again from what is there then."""

        def attempt(last: bool) -> _Written:
            try:
                return self._write(decisions, head)
            except PushRaceError as error:
                if not last:
                    raise TryAgain from error
                why = f"others pushed to {head} {_TRIES} times meanwhile"
                raise self._refused(why, "Nothing was forced; it is tried again at the next run.") from error

        return retry(attempt, tries=_TRIES, pause=_PAUSE)

    def _write(self, decisions: Sequence[Decision], head: str) -> _Written:
        refs = self._clone.fetch(*dict.fromkeys((self._spec.base, head)))
        base = refs.get(self._spec.base)
        if base is None:
            raise self._refused(f"there is no branch {self._spec.base}", "Push a first commit to it.")
        planned = self._planner.plan(base, decisions)
        looked = tuple(self._clone.recent_history(base))
        if not planned.files:
            return _Written(head=head, planned=planned, looked=looked)
        if self._was_offered(planned, head):
            return _Written(head=head, planned=planned, looked=looked, is_left=True)
        commit = "check" if self._check else self._push(planned, decisions, base, head, refs)
        return _Written(
            head=head,
            planned=planned,
            looked=(commit, *looked) if head == self._spec.base else looked,
            pushed=Pushed(branch=head, commit=commit, changes=planned.changes),
        )

    def _was_offered(self, planned: Planned, head: str) -> bool:
        """Whether a branch had all of it before: whoever closed its pull request since, or removed it, meant that."""
        return (
            self._again
            and head != self._spec.base
            and all(self._memory.was_offered(one.file, one.slot, one.after) for one in planned.changes)
        )

    def _push(
        self, planned: Planned, decisions: Sequence[Decision], base: str, head: str, refs: Mapping[str, str]
    ) -> str:
        """Push the planned files; the commit, or nothing where the branch has them already."""
        tip = refs.get(head)
        parents: tuple[str, ...] = (base,)
        if tip is not None and tip != base and not self._clone.has_ancestor(base, tip):
            if self._has(tip, planned):
                return ""
            self._check_tip(tip, head)
            parents = (tip,) if self._clone.has_ancestor(tip, base) else (tip, base)
        used = {change.policy for change in planned.changes}
        commit = self._clone.commit(
            NewCommit(
                parents=parents,
                tree=base,
                files=planned.files,
                message=message(
                    self._spec.message,
                    self._spec.trailers,
                    update=self._spec.name,
                    branch=head,
                    decisions=[one for one in decisions if one.policy.name in used],
                    changes=planned.changes,
                ),
                author=self._spec.author,
                signing=self._spec.signing,
            )
        )
        self._clone.push(commit, head)
        return commit

    def _has(self, tip: str, planned: Planned) -> bool:
        there = {entry.path: entry.oid for entry in self._clone.files(tip)}
        oids = [there.get(path) for path in planned.files]
        known = [oid for oid in oids if oid is not None]
        contents = [content for _mode, content in planned.files.values()]
        return len(known) == len(oids) and self._clone.read(known) == contents

    def _check_tip(self, tip: str, head: str) -> None:
        """See that nothing of somebody else is on a branch of ours: its tree is made anew from the base."""
        person = self._clone.commit_object(tip).committer
        if person.email != self._spec.author.email:
            why = f"the last commit of {head} is by {person.name} <{person.email}>, and would be lost"
            raise self._refused(why, f"Merge {head} or delete it, or name another branch.")

    def _refused(self, why: str, next_step: str) -> UpdateError:
        return UpdateError(self._spec.subject, f"writing to {self._spec.source.name}", why, next_step)


def _proposed(spec: UpdateSpec, pushed: Pushed, decisions: Sequence[Decision], pulls: PullRequests) -> Pushed:
    used = {change.policy for change in pushed.changes}
    text = message(
        spec.message,
        {},
        update=spec.name,
        branch=pushed.branch,
        decisions=[one for one in decisions if one.policy.name in used],
        changes=pushed.changes,
    )
    title, _blank, rest = text.strip().partition("\n")
    lines = [f"- `{one.where}` {one.policy}: `{one.before}` → `{one.after}`" for one in pushed.changes]
    body = "\n\n".join(part for part in (rest.strip(), "\n".join(lines)) if part)
    proposal = Proposal(
        head=pushed.branch, base=spec.base, title=title, body=body, manner=spec.pull_request or Manner()
    )
    return Pushed(
        branch=pushed.branch,
        commit=pushed.commit,
        changes=pushed.changes,
        proposed=pulls.find_or_open(proposal),
    )
