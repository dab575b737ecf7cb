# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for what a sync came to, and says what it does meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.app_state import SyncState
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import printable

from .client import AgentClient

_GOES_ON = frozenset({SyncState.IN_PROGRESS.value, SyncState.WAITING.value})
_FAILED = frozenset({SyncState.FAILED.value, SyncState.REFUSED.value, SyncState.UNHEALTHY.value})
_STAYS = _FAILED | {SyncState.SUSPENDED.value, SyncState.PENDING.value}


@dataclass(frozen=True, slots=True)
class SyncEnd:
    """What a sync came to: the agent's status at the end, and whether all of it succeeded."""

    clusters: list[dict[str, Any]]
    succeeded: bool
    status: Mapping[str, Any]


def wait_for_sync(
    client: AgentClient, runs: Mapping[str, int], app: str, show: Callable[[str], None]
) -> SyncEnd:
    """Wait until these runs have ended, and the apps that they applied are healthy or are not in their time.

    `show` gets a line whenever a cluster does something else. Raises CommandError.
    """
    shown: dict[str, str] = {}
    for status in client.follow(runs):
        clusters = status["clusters"]
        doing = {cluster["name"]: doing_of(cluster, runs[cluster["name"]], app) for cluster in clusters}
        for name, text in doing.items():
            if text and shown.get(name) != text:
                show(f"{name}: {printable(text)}")
            shown[name] = text
        if not any(doing.values()):
            return SyncEnd(clusters, all(has_succeeded(cluster, app) for cluster in clusters), status)
    raise AssertionError("follow ends by an error")  # pragma: no cover


def doing_of(cluster: Mapping[str, Any], run: int, app: str) -> str:
    """Return what a cluster does for its run with this number; empty where it is through."""
    if cluster["runs"] < run:
        return "waits for the run under way" if cluster["running_since"] else "waits for its turn"
    if cluster["running_since"]:
        return str(cluster.get("progress", {}).get("text") or "runs")
    states = cluster["app_states"]
    waits = [
        f"{name} waits for {states[name]['waits_for']}"
        for name in _names(cluster, app)
        if states[name]["state"] in _GOES_ON and not _is_stuck(states, name)
    ]
    more = f" and {len(waits) - 1} more apps wait" if len(waits) > 1 else ""
    return f"{waits[0]}{more}" if waits else ""


def has_succeeded(cluster: Mapping[str, Any], app: str) -> bool:
    """Return whether the last run of a cluster succeeded, and its apps (or this one) have no failure and no wait."""
    states = {cluster["app_states"][name]["state"] for name in _names(cluster, app)}
    return cluster["last_run"]["result"] == "succeeded" and states.isdisjoint(_FAILED | _GOES_ON)


def _is_stuck(states: Mapping[str, Mapping[str, Any]], name: str) -> bool:
    """Return whether an app waits for another one that does not come to be healthy by itself."""
    passed: set[str] = set()
    while name in states and states[name]["state"] == SyncState.WAITING.value and name not in passed:
        passed.add(name)
        name = states[name]["waits_for"].removeprefix("app ")
    return name not in states or name in passed or states[name]["state"] in _STAYS


def _names(cluster: Mapping[str, Any], app: str) -> Iterator[str]:
    return (name for name in cluster["app_states"] if app in {"", name})
