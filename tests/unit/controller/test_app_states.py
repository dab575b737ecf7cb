# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for health and the states of apps: what a run, a read and a restart make of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.controller.store.app_states import (
    AppFacts,
    AppStatus,
    read_statuses,
    startable,
    state_of,
    status_after,
    write_statuses,
)
from ansible_collections.plumb.gitops.controller.store.health_waits import (
    FAILED,
    HEALTHY,
    SUPERSEDED,
    HealthWait,
    HealthWaits,
    read_waits,
    wait_after_read,
    wait_after_run,
    write_waits,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.app_state import SyncState
from ansible_collections.plumb.gitops.plugins.module_utils.model.health import Health
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import ObjectRef
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Awaited, FollowUp
from ansible_collections.plumb.gitops.plugins.module_utils.report.follow_up import follow_up_document

NOON = 1_800_000_000.0
WEB = Awaited(
    ref=ObjectRef("apps", "Deployment", "shop", "web"),
    api_version="apps/v1",
    health=Health.in_progress("Available: 0/1"),
)
FOLLOW_UP = FollowUp(set_id="applyset-x", seconds=300.0, objects=(WEB,))
WAIT = HealthWait(app="shop", report="r1", commit="c1", began=NOON, follow_up=FOLLOW_UP)
OVER = replace(WAIT, result=FAILED, ended=NOON + 300)


def ran(*, changed: bool = False, waits: bool = True, **more: Any) -> dict[str, Any]:
    """Return the summary of an app in a run."""
    content = {"in_progress": follow_up_document(FOLLOW_UP)} if waits else {}
    return {"name": "shop", "changed": changed, "failed": False, **content, **more}


@pytest.mark.parametrize(
    ("before", "app", "seconds", "result", "began"),
    [
        (None, ran(waits=False), 0, None, None),
        (None, ran(changed=True), 0, "", NOON),
        (WAIT, ran(), 10, "", NOON),  # a run that wrote nothing goes on with it
        (WAIT, ran(), 300, FAILED, NOON),  # its time is over
        (WAIT, ran(changed=True), 10, "", NOON + 10),  # applied again
        (WAIT, ran(waits=False), 10, HEALTHY, NOON),
        (WAIT, ran(changed=True, waits=False), 10, HEALTHY, NOON + 10),
        (WAIT, ran(error="the server is away"), 10, "", NOON),  # not applied: nothing is known
        (WAIT, ran(waits_for="db"), 10, "", NOON),
        (OVER, ran(), 400, FAILED, NOON),
        (OVER, ran(waits=False), 400, HEALTHY, NOON),
        (OVER, ran(changed=True), 400, "", NOON + 400),
    ],
)
def test_a_wait_after_a_run(
    before: HealthWait | None, app: dict[str, Any], seconds: float, result: str | None, began: float | None
) -> None:
    after = wait_after_run(before, app, "c2", "r2", NOON + seconds)
    assert (after and after.result, after and after.began) == (result, began)


@pytest.mark.parametrize(
    ("wait", "pending", "moves", "seconds", "result"),
    [
        (WAIT, (WEB,), True, 299, ""),
        (WAIT, (WEB,), True, 300, FAILED),
        (WAIT, (WEB,), False, 1, FAILED),  # nothing but failures is left
        (WAIT, (), True, 1, HEALTHY),
        (OVER, (WEB,), True, 900, FAILED),
        (OVER, (), True, 900, HEALTHY),  # it recovered
    ],
)
def test_a_wait_after_a_read(
    wait: HealthWait, pending: tuple[Awaited, ...], moves: bool, seconds: float, result: str
) -> None:
    after = wait_after_read(wait, pending, NOON + seconds, moves=moves)
    assert (after.result, after.began, after.follow_up.objects) == (result, NOON, pending)


def test_waits_that_ended_are_remembered_and_what_was_applied_again_is_superseded(tmp_path: Path) -> None:
    again = replace(WAIT, began=NOON + 60, report="r2", commit="c2")
    waits = HealthWaits().with_(WAIT).with_(again).with_(replace(again, result=FAILED, ended=NOON + 360))
    waits = waits.with_(replace(again, result=HEALTHY, ended=NOON + 400))
    assert [(wait.report, wait.result) for wait in waits.ended] == [
        ("r2", HEALTHY),
        ("r2", FAILED),
        ("r1", SUPERSEDED),
    ]
    assert waits.by_app == {}
    kept = waits.with_(WAIT, replace(OVER, app="cart"))
    write_waits(tmp_path, "here", kept)
    assert read_waits(tmp_path, "here") == kept
    assert set(kept.only(frozenset({"cart"})).by_app) == {"cart"}
    (tmp_path / "here").write_text("{")
    assert read_waits(tmp_path, "here") == HealthWaits()


LAST = {"name": "shop", "failed": False}


@pytest.mark.parametrize(
    ("facts", "state", "waits_for"),
    [
        (AppFacts(), SyncState.PENDING, ""),
        (AppFacts(last=LAST), SyncState.IN_SYNC, ""),
        (AppFacts(last=LAST, wait=WAIT), SyncState.IN_PROGRESS, "Deployment shop/web: Available: 0/1"),
        (AppFacts(last=LAST, wait=OVER), SyncState.UNHEALTHY, "Deployment shop/web: Available: 0/1"),
        (AppFacts(last=LAST, unhealthy=True), SyncState.UNHEALTHY, ""),
        (AppFacts(last={**LAST, "waits_for": "db"}), SyncState.WAITING, "app db"),
        (AppFacts(last={**LAST, "error": "no"}, wait=WAIT), SyncState.FAILED, ""),
        (AppFacts(last=LAST, findings=frozenset({"failed"})), SyncState.FAILED, ""),
        (AppFacts(last=LAST, findings=frozenset({"skipped"})), SyncState.FAILED, ""),
        (AppFacts(last=LAST, findings=frozenset({"skipped"}), wait=WAIT), SyncState.IN_PROGRESS, None),
        (AppFacts(last=LAST, findings=frozenset({"refused", "drifted"})), SyncState.REFUSED, ""),
        (AppFacts(last=LAST, findings=frozenset({"drifted"})), SyncState.DRIFTED, ""),
        (AppFacts(last=LAST, findings=frozenset({"drifted"}), conflicting=True), SyncState.CONFLICTING, ""),
        (AppFacts(last=LAST, findings=frozenset({"unverified"})), SyncState.UNVERIFIED, ""),
        (AppFacts(last=LAST, suspended=True), SyncState.SUSPENDED, ""),
        (AppFacts(last=LAST, suspended=True, wait=OVER), SyncState.UNHEALTHY, None),
    ],
)
def test_the_state_of_an_app(facts: AppFacts, state: SyncState, waits_for: str | None) -> None:
    status = status_after(None, facts, NOON)
    assert state_of(facts) is status.state is state
    assert waits_for is None or status.waits_for == waits_for


def test_a_state_is_as_old_as_its_beginning_and_the_revision_in_force_is_the_last_whole_one(
    tmp_path: Path,
) -> None:
    first = status_after(None, AppFacts(last=LAST, commit="c1"), NOON)
    later = status_after(first, AppFacts(last=LAST, commit="c1"), NOON + 60)
    assert (later.since, later.commit) == (NOON, "c1")
    refused = AppFacts(last=LAST, findings=frozenset({"refused"}), commit="c2")
    worse = status_after(later, refused, NOON + 90)
    assert (worse.state, worse.since, worse.commit) == (SyncState.REFUSED, NOON + 90, "c1")
    for stays in ({"error": "no"}, {"waits_for": "db"}, {"suspended": True}):
        assert status_after(worse, AppFacts(last={**LAST, **stays}, commit="c3"), NOON).commit == "c1"
    assert status_after(worse, AppFacts(last=LAST, wait=WAIT, commit="c4"), NOON).commit == "c4"
    statuses = {"shop": worse, "cart": AppStatus()}
    write_statuses(tmp_path, "here", statuses)
    assert read_statuses(tmp_path, "here") == statuses


@pytest.mark.parametrize(
    ("db", "waits", "due"),
    [
        ({"name": "db", "failed": False}, {}, {"web"}),
        ({"name": "db", "failed": True}, {}, set()),
        ({"name": "db", "failed": False, "waits_for": "disk"}, {"disk": WAIT}, set()),
        ({"name": "db", "failed": False}, {"db": WAIT}, set()),
        ({"name": "db", "failed": False}, {"db": OVER}, set()),
        ({"name": "db", "failed": False}, {"other": WAIT}, {"web"}),
    ],
)
def test_an_app_starts_when_all_that_it_depends_on_is_healthy(
    db: dict[str, Any], waits: dict[str, HealthWait], due: set[str]
) -> None:
    web = {"name": "web", "failed": False, "waits_for": "db"}
    quiet = {"name": "quiet", "failed": False}
    assert (
        startable({"web": ("cache", "db"), "db": ("disk",), "quiet": ("db",)}, [web, db, quiet], waits) == due
    )
