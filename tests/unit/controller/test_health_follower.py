# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the follower takes over from runs, and what it forgets. It reads nothing here: that needs a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.controller.loops.health_follower import HealthFollower
from ansible_collections.plumb.gitops.controller.store.health_waits import HealthWait
from ansible_collections.plumb.gitops.plugins.module_utils.model.health import Health
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind, ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Awaited, FollowUp
from ansible_collections.plumb.gitops.plugins.module_utils.report.follow_up import follow_up_document

DEPLOYMENT = GroupKind("apps", "Deployment")


@dataclass
class _Cluster:
    """A cluster's loop that keeps what it is called with."""

    name: str = "here"
    may_run: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    ended: list[tuple[str, str]] = field(default_factory=list)
    calls: int = 0

    def is_in_run(self, _app: str) -> bool:
        return False

    def health_ended(self, waits: Sequence[HealthWait]) -> None:
        self.calls += 1
        self.ended += [(wait.app, wait.result) for wait in waits]

    def health_unreadable(self, apps: frozenset[str]) -> None:
        raise AssertionError(apps)


def _ran(name: str, *, waits: bool = True, changed: bool = True) -> dict[str, Any]:
    awaited = Awaited(
        ref=ObjectRef("apps", "Deployment", "shop", name),
        api_version="apps/v1",
        health=Health.in_progress("Available: 0/1"),
    )
    follow_up = FollowUp(set_id=f"set-{name}", seconds=300.0, objects=(awaited,))
    content = {"in_progress": follow_up_document(follow_up)} if waits else {}
    return {"name": name, "changed": changed, "failed": False, **content}


@pytest.fixture
def cluster() -> _Cluster:
    return _Cluster()


def _follow(cluster: _Cluster, folder: Path, *runs: Sequence[Mapping[str, Any]]) -> HealthFollower:
    async def take_over() -> HealthFollower:
        follower = HealthFollower(cluster, folder)
        for number, apps in enumerate(runs):
            names = frozenset(app["name"] for app in apps)
            follower.run_ended({"apps": apps}, dict.fromkeys(names, "c1"), f"r{number}", names)
        return follower

    return asyncio.run(take_over())


def test_a_run_s_ends_are_told_at_once_and_its_waits_are_followed(cluster: _Cluster, tmp_path: Path) -> None:
    names = ("a", "b", "c")
    follower = _follow(
        cluster,
        tmp_path,
        [_ran(name) for name in names],
        [_ran(name, waits=name == "c", changed=False) for name in names],
    )
    assert (cluster.ended, cluster.calls) == ([("a", "healthy"), ("b", "healthy")], 1)
    assert follower.followed() == {(str(DEPLOYMENT), "shop", "c")}


def test_an_app_that_left_the_inventory_is_not_followed(cluster: _Cluster, tmp_path: Path) -> None:
    follower = _follow(cluster, tmp_path, [_ran("a"), _ran("b")], [_ran("b", changed=False)])
    assert set(follower.waits.by_app) == {"b"}
    assert follower.followed() == {(str(DEPLOYMENT), "shop", "b")}
    follower.object_changed(DEPLOYMENT, "shop", "a")  # an event that was under way
    assert cluster.ended == []


def test_a_restart_goes_on_with_the_waits(cluster: _Cluster, tmp_path: Path) -> None:
    before = _follow(cluster, tmp_path, [_ran("a")]).waits
    again = _follow(_Cluster(), tmp_path)
    assert again.waits == before
    assert again.followed() == {(str(DEPLOYMENT), "shop", "a")}
