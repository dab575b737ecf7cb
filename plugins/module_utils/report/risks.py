# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a plan a reviewer should check twice: changes that cannot be undone, that delete, or that restart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..model.change import ABSENT
from ..model.plan import Action, AppResult, Verb

# Objects whose deletion takes others with it, or data.
_DEAR = frozenset(
    {
        ("", "Namespace"),
        ("", "PersistentVolumeClaim"),
        ("", "PersistentVolume"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
)
_ROLLED = frozenset({("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet")})


@dataclass(frozen=True, slots=True)
class Risk:
    """What is risky, in a word and a sentence, and the objects that it is about."""

    word: str
    means: str
    objects: tuple[str, ...]


def _kind(action: Action) -> tuple[str, str]:
    return action.ref.group, action.ref.kind


def _restarts(action: Action) -> bool:
    """Return whether the pods of a workload that is there are replaced."""
    inside = any(change.path.startswith("spec.template") for change in action.changes)
    return action.verb is Verb.UPDATE and _kind(action) in _ROLLED and inside


def _to_zero(action: Action) -> bool:
    return any(c.path == "spec.replicas" and c.desired == 0 and c.live is not ABSENT for c in action.changes)


# (word, what it means, which actions)
_RISKS: tuple[tuple[str, str, Callable[[Action], bool]], ...] = (
    (
        "refused",
        "would not be applied as it is",
        lambda a: a.verb is Verb.REFUSED and "immutable" not in a.reason,
    ),
    (
        "immutable",
        "cannot be changed in place: refused, or with recreate: true deleted and created anew",
        lambda a: a.verb is Verb.RECREATE or (a.verb is Verb.REFUSED and "immutable" in a.reason),
    ),
    (
        "deletes data or all that is inside",
        "would be pruned",
        lambda a: a.verb is Verb.PRUNE and _kind(a) in _DEAR,
    ),
    ("prunes", "would be deleted", lambda a: a.verb is Verb.PRUNE and _kind(a) not in _DEAR),
    ("stops", "would be scaled to zero", _to_zero),
    ("restarts", "pods would be replaced", _restarts),
    ("adopts", "exists already and would be taken over", lambda a: a.verb is Verb.ADOPT),
)


def risks(apps: Sequence[AppResult]) -> tuple[Risk, ...]:
    """Return the risks of these plans, the worst first."""
    actions = [action for app in apps for action in app.plan.actions]
    all_risks = (
        Risk(word, means, tuple(str(action.ref) for action in actions if fits(action)))
        for word, means, fits in _RISKS
    )
    return tuple(risk for risk in all_risks if risk.objects)
