# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page gets: of a run, of a cluster's past, of all clusters. Reports are the engine's own."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.controller.core.instants import instant
from ansible_collections.plumb.gitops.controller.http.cluster_view import (
    ClusterSnapshot,
    cluster_document,
    view_of,
)
from ansible_collections.plumb.gitops.controller.http.status import shown_states
from ansible_collections.plumb.gitops.controller.runner.report_digest import findings_of
from ansible_collections.plumb.gitops.controller.runner.reports import summary_of
from ansible_collections.plumb.gitops.controller.store.app_states import HeldStates, statuses_after
from ansible_collections.plumb.gitops.controller.store.health_waits import HealthWaits
from ansible_collections.plumb.gitops.controller.store.history import (
    MOST_MOMENTS,
    History,
    after_run,
    after_run_without_report,
    read_history,
    write_history,
)
from ansible_collections.plumb.gitops.controller.store.run_state import RunState
from ansible_collections.plumb.gitops.plugins.module_utils.model.change import (
    ABSENT,
    AUDIT_LOG,
    Cause,
    Culprit,
    FieldChange,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Outcome, Result, Verb
from ansible_collections.plumb.gitops.plugins.module_utils.model.report import Report
from ansible_collections.plumb.gitops.plugins.module_utils.report.document import document
from ansible_collections.plumb.gitops.tests.unit.report.reports import (
    EDITED,
    IMAGE,
    REPORTS,
    SCALED,
    action,
    app,
    report,
)

NOON = 1_800_000_000.0
REFUSED = action("ConfigMap", "flags", Verb.REFUSED, reason="nobody's set owns it; say adopt: true")
REVERTED = action("Deployment", "cart", Verb.UPDATE, SCALED, IMAGE)
LEFT = action("ConfigMap", "banner", Verb.UNCHANGED, EDITED)
QUIET = action("Service", "web", Verb.UNCHANGED)


def ran(*actions: Any, name: str = "shop", **more: Any) -> Report:
    done = tuple(
        Outcome(planned, Result.DONE) for planned in actions
    )  # of what needs no write, too: nothing is left to do
    return report(app(name, *actions, outcomes=done, executed=True, **more), check=False)


def after(*runs: Report, start: History | None = None, whole: bool = True) -> History:
    history = start or History()
    for number, run in enumerate(runs):
        history = after_run(history, findings_of(document(run)), NOON + 60 * number, whole=whole)
    return history


def state(*runs: Report, **status: Any) -> dict[str, Any]:
    """The state of one cluster after these runs."""
    summary = summary_of(document(runs[-1])) if runs else {}
    last = {"ended": instant(NOON) if runs else "", "cause": "interval"}
    last |= {
        "result": "failed" if summary.get("failed") else "succeeded",
        "failures": summary.get("failures", []),
    }
    values = {
        "name": "prod-eu", "suspended": False, "suspended_apps": [], "health": [], "running_since": "", "next_in": 60,
        "last_run": last, "last_successful_run": "", "failed_in_a_row": 0, "sources": [],
        "apps": summary.get("apps", []),
        **status,
    }  # fmt: skip
    places = [{"name": "shop", "source": "fleet", "path": "apps/shop"}]
    record, history = RunState(summary=summary), after(*runs)
    conflicting = frozenset(conflict["app"] for conflict in values.get("conflicts", ()))
    held = HeldStates(suspended=frozenset(values["suspended_apps"]), conflicting=conflicting)
    values["app_states"] = shown_states(
        statuses_after({}, places, record, history, HealthWaits(), held, NOON)
    )
    snapshot = ClusterSnapshot(status=values, history=history, apps=places)
    cluster = cluster_document(view_of(snapshot), NOON)
    assert json.loads(json.dumps(cluster)) == cluster
    return cluster


def test_a_cluster_as_git_says_stands_so_and_says_its_revision_with_author() -> None:
    cluster = state(ran(QUIET))
    assert (cluster["state"], cluster["why"]) == ("in sync", [])
    (source,) = cluster["sources"]
    assert (source["subject"], source["author"]) == ("Raise checkout limits", "Ada Lovelace")
    assert cluster["apps"][0]["path"] == "apps/shop"
    assert cluster["timeline"] == []


def test_what_is_refused_stands_with_its_reason() -> None:
    cluster = state(ran(QUIET, REFUSED))
    assert cluster["state"] == "refused"
    assert cluster["why"] == [
        {"state": "refused", "app": "shop", "object": "ConfigMap shop/flags", "text": REFUSED.reason}
    ]


def test_drift_that_was_reverted_is_in_the_timeline_and_no_reason() -> None:
    cluster = state(ran(QUIET, REVERTED))
    assert cluster["state"] == "in sync"
    assert cluster["apps"][0]["findings"] == []
    assert cluster["apps"][0]["reverts"] == cluster["reverts"] == {"hour": 1, "day": 1, "week": 1}
    (moment,) = cluster["timeline"]
    assert moment["what"] == "reverted"
    (change,) = moment["changes"]  # what a commit changes with it is not the culprit's
    assert change["path"] == "spec.replicas"
    assert change["culprit"] == {
        "manager": "kubectl",
        "operation": "Update",
        "subresource": "scale",
        "evidence": "managedFields",
    }


def test_who_deleted_an_object_is_told_as_far_as_it_is_known() -> None:
    by = Culprit("", "", user="bo@example.com", groups=("g" * 700,), verb="delete", evidence=AUDIT_LOG)
    gone = action("Service", "gone", Verb.CREATE, deleted_by_someone=True, culprit=by)
    (moment,) = state(ran(gone))["timeline"]
    assert (moment["what"], moment["changes"]) == ("reverted", [])
    assert moment["culprit"]["user"] == "bo@example.com"
    assert len(json.dumps(moment["culprit"]["groups"])) < 700


def test_drift_that_is_left_stands() -> None:
    cluster = state(ran(LEFT))
    assert cluster["state"] == "drifted"
    assert cluster["apps"][0]["findings"][0]["changes"][0]["live"] == "Sale!"


def test_a_failure_that_no_app_explains_is_said() -> None:
    cluster = state(
        ran(QUIET), last_run={"ended": "T", "result": "deadline", "cause": "", "failures": ["ended"]}
    )
    assert (cluster["state"], cluster["why"][0]["text"]) == ("failed", "ended")


@pytest.mark.parametrize(
    ("status", "expected"),
    [({"suspended": True}, "suspended"), ({"suspended_apps": ["shop"]}, "suspended"), ({}, "in sync")],
)
def test_what_is_suspended_is_in_that_state(status: dict[str, Any], expected: str) -> None:
    assert state(ran(QUIET), **status)["state"] == expected


def test_an_app_in_a_field_conflict_says_who_writes_what() -> None:
    conflict = {"app": "shop", "object": "Deployment shop/cart", "field": "spec.replicas", "manager": "hpa"}
    cluster = state(ran(QUIET), conflicts=[{**conflict, "reverts": 4, "waits": 60.0}])
    assert cluster["state"] == "conflicting"
    text = "spec.replicas is written again and again by hpa"
    assert cluster["why"] == [
        {"state": "conflicting", "app": "shop", "object": "Deployment shop/cart", "text": text}
    ]


def test_without_a_run_nothing_is_claimed() -> None:
    assert state()["state"] == "pending"


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_makes_a_state(name: str) -> None:
    assert state(REPORTS[name])["name"] == "prod-eu"


def test_what_stands_is_one_moment_that_says_since_when_and_how_often() -> None:
    (moment,) = after(ran(REFUSED), ran(REFUSED), ran(REFUSED)).moments
    assert (moment["since"], moment["time"], moment["times"]) == (NOON, NOON + 120, 3)


def test_what_was_gone_in_between_is_new_again() -> None:
    again, first = after(ran(REFUSED), ran(QUIET), ran(REFUSED)).moments
    assert (again["since"], again["times"]) == (NOON + 120, 1)
    assert first["since"] == NOON


def test_each_time_that_drift_is_reverted_is_a_moment() -> None:
    assert len(after(ran(REVERTED), ran(REVERTED)).moments) == 2


def test_quiet_runs_push_nothing_out() -> None:
    history = after(ran(REVERTED), *[ran(QUIET)] * 300)
    assert [moment["what"] for moment in history.moments] == ["reverted"]


def test_a_run_of_some_apps_leaves_the_others_as_they_were() -> None:
    history = after(ran(QUIET, name="cart"), start=after(ran(REFUSED)), whole=False)
    assert set(history.apps) == {"shop", "cart"}
    assert history.apps["shop"]["findings"]
    assert set(after(ran(QUIET, name="cart"), start=after(ran(REFUSED))).apps) == {"cart"}


def test_a_run_that_came_to_nothing_is_a_moment() -> None:
    history = after_run_without_report(after(ran(QUIET)), "deadline", ("ended after 30m",), NOON)
    history = after_run_without_report(history, "deadline", ("ended after 30m",), NOON + 9)
    (moment,) = history.moments
    assert (moment["what"], moment["error"], moment["times"]) == ("ended", "ended after 30m", 2)
    assert history.apps  # what was known stays


def test_what_a_commit_changed_is_one_moment() -> None:
    changed = action("Deployment", "checkout", Verb.UPDATE, IMAGE)
    (moment,) = after(ran(changed)).moments
    assert (moment["what"], moment["written"]) == ("applied", {"shop": 1})
    assert moment["subjects"] == {"fleet": "Raise checkout limits"}


def test_a_history_is_bounded_kept_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    history = after(*[ran(REVERTED)] * (MOST_MOMENTS + 5))
    assert len(history.moments) == MOST_MOMENTS
    assert history.moments[0]["time"] > history.moments[-1]["time"]
    write_history(tmp_path, "prod-eu", history)
    assert read_history(tmp_path, "prod-eu") == history
    (tmp_path / "prod-eu").write_text("{")
    assert read_history(tmp_path, "prod-eu") == History()


def test_a_history_of_an_older_version_has_today_s_words(tmp_path: Path) -> None:
    denied = action("ConfigMap", "denied", Verb.UPDATE, reason="may not patch", unverified=True)
    history = after(ran(denied))
    older = json.dumps(dataclasses.asdict(history)).replace("unverified", "unproven")
    write_history(tmp_path, "prod-eu", History(**json.loads(older)))
    assert read_history(tmp_path, "prod-eu") == history


def test_a_story_is_bounded_whatever_the_report_holds() -> None:
    change = FieldChange("data.x", "x" * 100_000, {"deep": ["y" * 100_000]}, Cause.DRIFT)
    many = [action("ConfigMap", f"c{number}", Verb.UNCHANGED, *[change] * 50) for number in range(2000)]
    worst = action("ConfigMap", "worst", Verb.REFUSED, reason="r" * 100_000)
    findings = findings_of(document(ran(*many, worst, warnings=("w" * 100_000,) * 50)))
    assert len(json.dumps(findings)) < 8 * 1024 * 1024
    (app,) = findings["apps"]
    assert app["findings"][0]["object"] == "ConfigMap shop/worst"
    assert len(app["findings"]) + app["more_findings"] == 2001
    assert app["warnings"][-1] == "and 45 more"


def test_an_added_field_has_no_wanted_value() -> None:
    added = FieldChange("metadata.labels[team]", "theirs", ABSENT, Cause.ADDITION)
    findings = findings_of(document(ran(action("ConfigMap", "c", Verb.UNCHANGED, added))))
    assert findings["apps"][0]["findings"][0]["changes"] == [
        {"path": "metadata.labels[team]", "cause": "addition", "live": "theirs"}
    ]
