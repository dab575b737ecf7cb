# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of an update: the files that change for some decisions, and values that somebody took back in Git."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..model.errors import printable
from ..source.git.repository import TreeEntry
from ..source.push import Clone
from .edit_file import LARGEST_FILE, edit, marked_values, may_have_markers, slot_of
from .image_reference import tag_of
from .specs import Decision, ImageChange, Part, slot
from .tag_filter import filter_tags
from .tag_policy import Candidate, is_older
from .update_state import UpdateState

_ENDS = (b".yaml", b".yml", b"/Kustomization")


@dataclass(frozen=True, slots=True)
class PlannedFiles:
    """The files to change, by path with mode and content; `present`: file, slot and value of what Git has already."""

    files: Mapping[bytes, tuple[int, bytes]]
    changes: tuple[ImageChange, ...]
    present: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]
    marked: frozenset[str]  # the policies that any marker names


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans for one clone. Only files below `paths` are read (none: all); `known` are the names of all policies."""

    clone: Clone
    memory: UpdateState
    paths: Sequence[str]
    known: frozenset[str]

    def plan(self, commit: str, decisions: Sequence[Decision]) -> PlannedFiles:
        """Return the files that a commit needs for these decisions. Raises SourceError, UpdateError."""
        chosen = {decision.policy.name: decision for decision in decisions}
        entries = [entry for entry in self.clone.files(commit) if _is_in_scope(entry, self.paths)]
        files: dict[bytes, tuple[int, bytes]] = {}
        changes: list[ImageChange] = []
        present: list[tuple[str, str, str]] = []
        warnings: list[str] = []
        marked: set[str] = set()
        contents = self.clone.read([entry.oid for entry in entries])
        for entry, content in zip(entries, contents, strict=True):
            if not may_have_markers(content):
                continue
            file = entry.path.decode("utf-8", "backslashreplace")
            standing = _marked_by_slot(content, file)
            marked.update(name.partition(":")[0] for name in standing)
            edited = edit(content, file, chosen, self.known)
            back = {
                change.policy
                for change in edited.changes
                if change.after not in standing.get(change.slot, ())
                and self._is_taken_back(commit, entry, change, chosen[change.policy])
            }
            if back:
                warnings += [
                    _taken_back_warning(change) for change in edited.changes if change.policy in back
                ]
                edited = edit(content, file, {k: v for k, v in chosen.items() if k not in back}, self.known)
            warnings += edited.warnings
            wanted = {
                slot(name, part): decision.text(part) for name, decision in chosen.items() for part in Part
            }
            present += [
                (file, name, wanted[name]) for name, values in standing.items() if wanted.get(name) in values
            ]
            if edited.changes:
                files[entry.path] = (entry.mode, edited.content)
                changes += edited.changes
        return PlannedFiles(
            files, tuple(changes), tuple(present), tuple(dict.fromkeys(warnings)), frozenset(marked)
        )

    def _is_taken_back(self, commit: str, entry: TreeEntry, change: ImageChange, decision: Decision) -> bool:
        """Return whether the slot had this value before, and somebody has written an older one since.

        The last value is remembered. Without that memory the file's history decides: it had the value, and what
        replaced it ranks lower in the policy. Where tags do not rank, and nothing is remembered, a value that the file
        had once counts as taken back.
        """
        if change.part is Part.NAME:
            return False
        last = self.memory.last(change.file, change.slot)
        if last == change.after:
            return True
        newer = {change.before}
        for content in self.clone.read(self.clone.history(commit, entry.path)[1:]):
            values = _marked_by_slot(content, change.file).get(change.slot, set())
            if change.after in values:
                return _is_wanted_less(newer, change, decision, remembered=bool(last))
            newer = values or newer
        return False


def _is_in_scope(entry: TreeEntry, paths: Sequence[str]) -> bool:
    if entry.size > LARGEST_FILE or not (b"/" + entry.path).endswith(_ENDS):
        return False
    below = [path.encode("utf-8", "surrogateescape") for path in paths]
    return not below or any(entry.path == path or entry.path.startswith(path + b"/") for path in below)


def _marked_by_slot(content: bytes, file: str) -> dict[str, set[str]]:
    """Return the marked values of a file, by slot."""
    if len(content) > LARGEST_FILE or not may_have_markers(content):
        return {}
    marked, _values, _warnings = marked_values(content, file)
    by_slot: dict[str, set[str]] = {}
    for marked_value in marked:
        by_slot.setdefault(slot_of(file, marked_value), set()).add(marked_value.value.value)
    return by_slot


def _taken_back_warning(change: ImageChange) -> str:
    return printable(
        f"{change.file}:{change.line}: {change.policy} stays at {change.before}: {change.after} was taken back in Git, "
        "and is not written again until a newer one appears",
        500,
    )


def _is_wanted_less(newer: set[str], change: ImageChange, decision: Decision, *, remembered: bool) -> bool:
    """Return whether what replaced a value ranks lower in the policy."""
    tags = [value if change.part is Part.TAG else tag_of(value) for value in newer]
    if not decision.policy.policy.is_ordered or not all(tags):
        return not remembered
    ours = _candidate(decision, decision.choice.tag)
    others = [_candidate(decision, tag) for tag in tags]
    return ours is not None and all(
        other is None or is_older(decision.policy.policy, other, ours) for other in others
    )


def _candidate(decision: Decision, tag: str) -> Candidate | None:
    """Return a tag as the policy compares it; None where the filter drops it."""
    if decision.policy.filter is None:
        return Candidate(tag, tag)
    candidates = filter_tags(decision.policy.filter, [tag], subject=decision.policy.subject)
    return candidates[0] if candidates else None
