# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a branch is to change for some decisions, and what was taken back in Git and so stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..model.errors import printable
from ..source.git.repository import TreeEntry
from ..source.push import Clone
from .edit_file import LARGEST_FILE, edit, marked_values, may_have_markers, slot_of
from .image_reference import tag_of
from .specs import Decision, ImageChange, Part, slot
from .tag_filter import filtered
from .tag_policy import Candidate, is_older
from .update_state import Committed

_ENDS = (b".yaml", b".yml", b"/Kustomization")


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to change, by path with mode and content; `there` are file, slot and value of what is so already."""

    files: Mapping[bytes, tuple[int, bytes]]
    changes: tuple[ImageChange, ...]
    there: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]
    marked: frozenset[str]  # the policies that any marker names


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans for one clone. `paths` are those looked at (none: all), `known` the names of all policies."""

    clone: Clone
    memory: Committed
    paths: Sequence[str]
    known: frozenset[str]

    def plan(self, commit: str, decisions: Sequence[Decision]) -> Planned:
        """What a commit's files would have to be for these decisions. Raises SourceError, UpdateError."""
        chosen = {one.policy.name: one for one in decisions}
        entries = [entry for entry in self.clone.files(commit) if _is_looked_at(entry, self.paths)]
        files: dict[bytes, tuple[int, bytes]] = {}
        changes: list[ImageChange] = []
        there: list[tuple[str, str, str]] = []
        warnings: list[str] = []
        marked: set[str] = set()
        contents = self.clone.read([entry.oid for entry in entries])
        for entry, content in zip(entries, contents, strict=True):
            if not may_have_markers(content):
                continue
            file = entry.path.decode("utf-8", "backslashreplace")
            standing = _standing(content, file)
            marked.update(name.partition(":")[0] for name in standing)
            edited = edit(content, file, chosen, self.known)
            back = {
                one.policy
                for one in edited.changes
                if one.after not in standing.get(one.slot, ())
                and self._is_taken_back(commit, entry, one, chosen[one.policy])
            }
            if back:
                warnings += [_told(one) for one in edited.changes if one.policy in back]
                edited = edit(content, file, {k: v for k, v in chosen.items() if k not in back}, self.known)
            warnings += edited.warnings
            wanted = {slot(name, part): one.text(part) for name, one in chosen.items() for part in Part}
            there += [
                (file, name, wanted[name]) for name, values in standing.items() if wanted.get(name) in values
            ]
            if edited.changes:
                files[entry.path] = (entry.mode, edited.content)
                changes += edited.changes
        return Planned(files, tuple(changes), tuple(there), tuple(dict.fromkeys(warnings)), frozenset(marked))

    def _is_taken_back(self, commit: str, entry: TreeEntry, change: ImageChange, decision: Decision) -> bool:
        """Whether this value stood at the slot's markers before, and somebody put an older one there since.

        What stood there last is remembered. Without that memory the file's own history says it: the value was there,
        and what replaced it is one that the policy wants less. Where tags do not say which is less, and nothing is
        remembered, a value that was there once counts as taken back.
        """
        if change.part is Part.NAME:
            return False
        last = self.memory.last(change.file, change.slot)
        if last == change.after:
            return True
        newer = {change.before}
        for content in self.clone.read(self.clone.history(commit, entry.path)[1:]):
            values = _standing(content, change.file).get(change.slot, set())
            if change.after in values:
                return _is_less(newer, change, decision, remembered=bool(last))
            newer = values or newer
        return False


def _is_looked_at(entry: TreeEntry, paths: Sequence[str]) -> bool:
    if entry.size > LARGEST_FILE or not (b"/" + entry.path).endswith(_ENDS):
        return False
    below = [path.encode("utf-8", "surrogateescape") for path in paths]
    return not below or any(entry.path == path or entry.path.startswith(path + b"/") for path in below)


def _standing(content: bytes, file: str) -> dict[str, set[str]]:
    """What stands at the markers of a file, by slot."""
    if len(content) > LARGEST_FILE or not may_have_markers(content):
        return {}
    marked, _values, _warnings = marked_values(content, file)
    found: dict[str, set[str]] = {}
    for one in marked:
        found.setdefault(slot_of(file, one), set()).add(one.value.value)
    return found


def _told(change: ImageChange) -> str:
    return printable(
        f"{change.file}:{change.line}: {change.policy} stays at {change.before}: {change.after} was taken back in Git, "
        "and is not written again until a newer one appears",
        500,
    )


def _is_less(newer: set[str], change: ImageChange, decision: Decision, *, remembered: bool) -> bool:
    """Whether what replaced a value is wanted less than it."""
    tags = [value if change.part is Part.TAG else tag_of(value) for value in newer]
    if not decision.policy.policy.is_ordered or not all(tags):
        return not remembered
    ours = _candidate(decision, decision.choice.tag)
    others = [_candidate(decision, tag) for tag in tags]
    return ours is not None and all(
        other is None or is_older(decision.policy.policy, other, ours) for other in others
    )


def _candidate(decision: Decision, tag: str) -> Candidate | None:
    """A tag as the policy compares it; None where its filter does not let it through."""
    if decision.policy.filter is None:
        return Candidate(tag, tag)
    found = filtered(decision.policy.filter, [tag], subject=decision.policy.subject)
    return found[0] if found else None
