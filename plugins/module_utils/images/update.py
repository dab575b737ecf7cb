# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An update: choices are written to Git by a clone, an edit, a commit and a push, where there is anything new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..http.retry import TryAgain, retry
from ..source.push import Clone, NewCommit, PushRaceError, clone_for_writing
from .commit_message import message
from .errors import UpdateError
from .pull_requests import Proposal, Proposed, PullRequestOptions, PullRequests, PullRequestScope
from .specs import Decision, ImageChange, UpdateSpec
from .update_plan import PlannedFiles, Planner
from .update_state import ObservedValues, UpdateState

_TRIES = 5  # pushes of one commit, where others push at the same time
_PAUSE = 0.1  # seconds before the second try


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedBranch:
    """A branch that has, or in a check would get, the changes; `commit` is empty where nothing had to be pushed."""

    branch: str
    commit: str
    changes: tuple[ImageChange, ...]
    proposed: Proposed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateResult:
    """The result of an update. `asked`: whether a request went to the Git server at all."""

    name: str
    asked: bool
    pushed: tuple[PushedBranch, ...] = ()
    warnings: tuple[str, ...] = ()
    unmarked: tuple[str, ...] = ()  # the policies that no marker in the branch names
    memory: UpdateState = field(default_factory=UpdateState)

    @property
    def changed(self) -> bool:
        """Whether anything was, or would be, pushed or proposed."""
        return any(branch.commit or (branch.proposed and branch.proposed.created) for branch in self.pushed)


def update(
    spec: UpdateSpec,
    decisions: Sequence[Decision],
    memory: UpdateState,
    *,
    known: frozenset[str],
    now: str = "",
    pulls: PullRequests | None = None,
    check: bool = False,
    work: Path | None = None,
) -> UpdateResult:
    """Write these decisions to the marked values in Git.

    `known` are the names of all policies, `now` the commit that the followed branch is known to have (empty: unknown).
    With nothing new no request is made; otherwise a clone is made below `work`, and removed at the end. In a check Git
    is read and nothing is pushed; its commits are called `check`. Raises InputError, SourceError, UpdateError, and what
    `pulls` raises.
    """
    wanted = _wanted(spec, decisions)
    if not needs_update(spec, decisions, memory, now):
        return UpdateResult(name=spec.name, asked=False, unmarked=memory.unmarked, memory=memory)
    with clone_for_writing(spec.source, work) as clone:
        writer = _BranchWriter(
            spec, clone, memory, known, check=check, again=memory.knows(spec.declared(), _choices(wanted))
        )
        groups = [[decision] for decision in wanted] if _per_image(spec) else [wanted]
        results = [writer.write(group, _branch_name(spec, group)) for group in groups]
    pushed = [result.pushed for result in results if result.pushed is not None]
    if spec.pull_request is not None and pulls is not None and not check:
        pushed = [_proposed(spec, branch, wanted, pulls) for branch in pushed]
        left = [result.head for result in results if result.is_left]
        pulls.close_superseded([*(branch.branch for branch in pushed), *left], spec.heads)
    observed = _observed(spec, results, now, wanted)
    return UpdateResult(
        name=spec.name,
        asked=True,
        unmarked=observed.unmarked,
        pushed=tuple(pushed),
        warnings=tuple(dict.fromkeys(line for result in results for line in result.planned.warnings)),
        memory=memory.after(spec.declared(), _choices(wanted), observed),
    )


def needs_update(spec: UpdateSpec, decisions: Sequence[Decision], memory: UpdateState, now: str = "") -> bool:
    """Return whether Git has to be read: these decisions are new, or it had another commit than `now` before."""
    wanted = _wanted(spec, decisions)
    return bool(wanted) and not (memory.knows(spec.declared(), _choices(wanted)) and memory.has_read(now))


def _observed(
    spec: UpdateSpec, results: Sequence[_BranchResult], now: str, wanted: Sequence[Decision]
) -> ObservedValues:
    """Return the values that the followed branch has, and those that other branches have, which may be merged or not.

    `now` counts as read wherever the branch is: it may have been rewritten, which the source need not follow.
    """
    present = [row for result in results for row in result.planned.present]
    offered: list[tuple[str, str, str]] = []
    for result in results:
        if result.pushed is not None:
            rows = [(change.file, change.slot, change.after) for change in result.pushed.changes]
            (present if result.head == spec.base else offered).extend(rows)
    looked = dict.fromkeys([now] * bool(now) + [commit for result in results for commit in result.looked])
    marked = frozenset[str]().union(*(result.planned.marked for result in results))
    unmarked = tuple(decision.policy.name for decision in wanted if decision.policy.name not in marked)
    return ObservedValues(
        present=tuple(present), offered=tuple(offered), looked=tuple(looked), unmarked=unmarked
    )


def _wanted(spec: UpdateSpec, decisions: Sequence[Decision]) -> list[Decision]:
    return [decision for decision in decisions if not spec.images or decision.policy.name in spec.images]


def _choices(decisions: Sequence[Decision]) -> dict[str, str]:
    return {decision.policy.name: decision.choice.identity for decision in decisions}


def _per_image(spec: UpdateSpec) -> bool:
    return spec.pull_request is not None and spec.pull_request.per is PullRequestScope.IMAGE


def _branch_name(spec: UpdateSpec, group: Sequence[Decision]) -> str:
    if spec.pull_request is None:
        return spec.branch or spec.base
    return f"{spec.heads}{group[0].policy.name if _per_image(spec) else 'images'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _BranchResult:
    """The result of one branch. `is_left`: it stays as it is, since all was offered there before."""

    head: str
    planned: PlannedFiles
    looked: tuple[str, ...]  # the commit of the followed branch, and those before it
    pushed: PushedBranch | None = None
    is_left: bool = False


class _BranchWriter:
    """Writes the branches of one update. `again`: only the followed branch has moved since the last time."""

    def __init__(
        self,
        spec: UpdateSpec,
        clone: Clone,
        memory: UpdateState,
        known: frozenset[str],
        *,
        check: bool,
        again: bool,
    ) -> None:
        self._spec, self._clone, self._check = spec, clone, check
        self._memory, self._again = memory, again
        self._planner = Planner(clone=clone, memory=memory, paths=spec.paths, known=known)

    def write(self, decisions: Sequence[Decision], head: str) -> _BranchResult:
        """Bring a branch to these decisions. A push that comes second is done again from what the branch has then."""

        def attempt(last: bool) -> _BranchResult:
            try:
                return self._write(decisions, head)
            except PushRaceError as error:
                if not last:
                    raise TryAgain from error
                why = f"others pushed to {head} {_TRIES} times meanwhile"
                raise self._refused(why, "Nothing was forced; it is tried again at the next run.") from error

        return retry(attempt, tries=_TRIES, pause=_PAUSE)

    def _write(self, decisions: Sequence[Decision], head: str) -> _BranchResult:
        refs = self._clone.fetch(*dict.fromkeys((self._spec.base, head)))
        base = refs.get(self._spec.base)
        if base is None:
            raise self._refused(f"there is no branch {self._spec.base}", "Push a first commit to it.")
        planned = self._planner.plan(base, decisions)
        looked = tuple(self._clone.recent_history(base))
        if not planned.files:
            return _BranchResult(head=head, planned=planned, looked=looked)
        if self._was_offered(planned, head):
            return _BranchResult(head=head, planned=planned, looked=looked, is_left=True)
        commit = "check" if self._check else self._push(planned, decisions, base, head, refs)
        return _BranchResult(
            head=head,
            planned=planned,
            looked=(commit, *looked) if head == self._spec.base else looked,
            pushed=PushedBranch(branch=head, commit=commit, changes=planned.changes),
        )

    def _was_offered(self, planned: PlannedFiles, head: str) -> bool:
        """Return whether a branch had all of it before: then its pull request was closed or removed on purpose."""
        return (
            self._again
            and head != self._spec.base
            and all(
                self._memory.was_offered(change.file, change.slot, change.after) for change in planned.changes
            )
        )

    def _push(
        self,
        planned: PlannedFiles,
        decisions: Sequence[Decision],
        base: str,
        head: str,
        refs: Mapping[str, str],
    ) -> str:
        """Push the planned files; return the commit, or an empty text where the branch has them already."""
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
                    decisions=[decision for decision in decisions if decision.policy.name in used],
                    changes=planned.changes,
                ),
                author=self._spec.author,
                signing=self._spec.signing,
            )
        )
        self._clone.push(commit, head)
        return commit

    def _has(self, tip: str, planned: PlannedFiles) -> bool:
        tree = {entry.path: entry.oid for entry in self._clone.files(tip)}
        oids = [tree.get(path) for path in planned.files]
        known = [oid for oid in oids if oid is not None]
        contents = [content for _mode, content in planned.files.values()]
        return len(known) == len(oids) and self._clone.read(known) == contents

    def _check_tip(self, tip: str, head: str) -> None:
        """Raise UpdateError where a branch ends with a commit of somebody else, which would be lost."""
        person = self._clone.commit_object(tip).committer
        if person.email != self._spec.author.email:
            why = f"the last commit of {head} is by {person.name} <{person.email}>, and would be lost"
            raise self._refused(why, f"Merge {head} or delete it, or name another branch.")

    def _refused(self, why: str, next_step: str) -> UpdateError:
        return UpdateError(self._spec.subject, f"writing to {self._spec.source.name}", why, next_step)


def _proposed(
    spec: UpdateSpec, pushed: PushedBranch, decisions: Sequence[Decision], pulls: PullRequests
) -> PushedBranch:
    used = {change.policy for change in pushed.changes}
    text = message(
        spec.message,
        {},
        update=spec.name,
        branch=pushed.branch,
        decisions=[decision for decision in decisions if decision.policy.name in used],
        changes=pushed.changes,
    )
    title, _blank, rest = text.strip().partition("\n")
    lines = [
        f"- `{change.where}` {change.policy}: `{change.before}` → `{change.after}`"
        for change in pushed.changes
    ]
    body = "\n\n".join(part for part in (rest.strip(), "\n".join(lines)) if part)
    proposal = Proposal(
        head=pushed.branch,
        base=spec.base,
        title=title,
        body=body,
        manner=spec.pull_request or PullRequestOptions(),
    )
    return PushedBranch(
        branch=pushed.branch,
        commit=pushed.commit,
        changes=pushed.changes,
        proposed=pulls.find_or_open(proposal),
    )
