# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that are created, summed up by kind: the first sync of an app is a line, and not one for each object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ..model.objects import ObjectRef
from ..model.plan import Action, Outcome, Result, Verb

_FEW = 10  # objects that are listed one by one
_MOST_KINDS = 12  # that a line names


def summed_creates(
    actions: Sequence[Action], outcomes: Mapping[ObjectRef, Outcome]
) -> tuple[list[str], list[Action]]:
    """Return a line for each sum of many creates with nothing to say of the single one, and the other actions.

    An action with a diff, a failure or a warning is never summed up, nor one of an object that somebody deleted.
    """
    groups: dict[tuple[bool, str], list[Action]] = {}
    for action in actions:
        if _is_plain(action, outcomes.get(action.ref)):
            groups.setdefault((action.unverified, action.reason), []).append(action)
    summed = {key: group for key, group in groups.items() if len(group) > _FEW}
    refs = {action.ref for group in summed.values() for action in group}
    lines = [_sum(group, unverified, reason) for (unverified, reason), group in summed.items()]
    return lines, [action for action in actions if action.ref not in refs]


def _is_plain(action: Action, outcome: Outcome | None) -> bool:
    return (
        action.verb is Verb.CREATE
        and action.diff is None
        and not (action.warning or action.changes or action.deleted_by_someone)
        and (outcome is None or outcome.result is Result.DONE)
    )


def _sum(group: Sequence[Action], unverified: bool, reason: str) -> str:
    kinds = Counter(action.ref.kind for action in group).most_common()
    parts = [f"{number} {kind}" for kind, number in kinds[:_MOST_KINDS]]
    rest = sum(number for _kind, number in kinds[_MOST_KINDS:])
    parts += [f"{rest} of other kinds"] if rest else []
    reason = f"unverified: {reason}" if unverified else reason
    return f"    {'?' if unverified else '+'} {', '.join(parts)}{f'   {reason}' if reason else ''}"
