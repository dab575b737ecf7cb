# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which clusters and apps a command shows: filters by cluster, app and state, on the agent's status."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.app_state import STATES
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

STATE_NAMES = tuple(row.state.value for row in STATES)
IN_SYNC = "in sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSelection:
    """Patterns (`*`, `?`, `[...]`); of each kind one has to match, and without patterns all do."""

    clusters: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    states: tuple[str, ...] = ()

    @property
    def is_of_apps(self) -> bool:
        """Whether it is about some apps of a cluster only."""
        return bool(self.apps or self.states)

    def matches(self, name: str, state: str) -> bool:
        """Return whether an app is selected."""
        return _matches(name, self.apps) and _matches(state, self.states)


def selection_of(
    clusters: Sequence[str], apps: Sequence[str], states: Sequence[str], target: str = ""
) -> AppSelection:
    """Return the selection of these options; the target is CLUSTER[/APP]. Raises InputError for an unknown state."""
    cluster, app = split_target(target)
    return AppSelection(
        clusters=(*clusters, *([cluster] if cluster else [])),
        apps=(*apps, *([app] if app else [])),
        states=tuple(map(_state, states)),
    )


def split_target(target: str) -> tuple[str, str]:
    """Return cluster and app of CLUSTER[/APP]."""
    cluster, _slash, app = target.partition("/")
    return cluster, app


def select(status: Mapping[str, Any], selection: AppSelection) -> dict[str, Any]:
    """Return the agent's status with only the clusters and apps that are selected."""
    clusters = [
        _select_apps(cluster, selection)
        for cluster in status["clusters"]
        if _matches(cluster["name"], selection.clusters)
    ]
    if selection.is_of_apps:
        clusters = [cluster for cluster in clusters if cluster["app_states"]]
    return {**status, "clusters": clusters}


def is_in_sync(status: Mapping[str, Any], selection: AppSelection) -> bool:
    """Return whether all clusters and apps that are selected are in sync; of some apps only these count."""
    return all(
        (selection.is_of_apps or cluster["state"] == IN_SYNC)
        and all(app["state"] == IN_SYNC for app in cluster["app_states"].values())
        for cluster in status["clusters"]
    )


def _select_apps(cluster: Mapping[str, Any], selection: AppSelection) -> dict[str, Any]:
    states = {
        name: app
        for name, app in cluster["app_states"].items()
        if not selection.is_of_apps or selection.matches(name, app["state"])
    }
    of_cluster = set() if selection.is_of_apps else {""}
    return {
        **cluster,
        "app_states": states,
        "apps": [app for app in cluster["apps"] if app["name"] in states],
        "problems": [each for each in cluster["problems"] if each["app"] in states.keys() | of_cluster],
    }


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _state(text: str) -> str:
    pattern = text.replace("-", " ").replace("_", " ") if "[" not in text else text
    if not any(fnmatchcase(state, pattern) for state in STATE_NAMES):
        near = difflib.get_close_matches(pattern, STATE_NAMES, n=1)
        step = f"Did you mean {near[0]!r}?" if near else f"States are {', '.join(STATE_NAMES)}."
        raise InputError(f"state {text!r}", "reading the options", "there is no such state", step)
    return pattern
