# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights for saying why something is not healthy: to read what runs below the objects of apps.

They follow from what apps have. An agent that may apply a kind that runs Pods can have a Pod of its own read all that
others can read; so reading the Pods gives it nothing new.
"""

from __future__ import annotations

from ...model.objects import GroupKind
from .rule import Rule

_WITH_PODS = frozenset(
    {
        GroupKind("", "Pod"),
        GroupKind("", "ReplicationController"),
        GroupKind("apps", "DaemonSet"),
        GroupKind("apps", "Deployment"),
        GroupKind("apps", "ReplicaSet"),
        GroupKind("apps", "StatefulSet"),
        GroupKind("batch", "Job"),
    }
)
_CLAIM = GroupKind("", "PersistentVolumeClaim")
_EXPLAINED_BY_EVENTS = _WITH_PODS | {_CLAIM, GroupKind("", "Service")}
_READ = ("get", "list")


def rules_of_reasons(kinds: frozenset[GroupKind]) -> list[Rule]:
    """Return the rules for reading why objects of these kinds are not healthy; none where no kind needs any."""
    rules = []
    if kinds & _EXPLAINED_BY_EVENTS:
        rules.append(Rule(groups=("",), resources=("events",), verbs=("list",)))
    if kinds & _WITH_PODS:
        rules.append(Rule(groups=("",), resources=("persistentvolumeclaims", "pods"), verbs=_READ))
    if GroupKind("apps", "Deployment") in kinds:
        rules.append(Rule(groups=("apps",), resources=("replicasets",), verbs=("list",)))
    if kinds & (_WITH_PODS | {_CLAIM}):
        rules.append(Rule(groups=("storage.k8s.io",), resources=("storageclasses",), verbs=("get",)))
    return rules
