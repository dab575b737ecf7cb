# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept over a restart, what is shown, and how much of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.controller.core.log import as_json, as_text
from ansible_collections.plumb.gitops.controller.core.suspensions import (
    WHOLE,
    Suspension,
    Suspensions,
    read_suspensions,
    write_suspensions,
)
from ansible_collections.plumb.gitops.controller.runner.reports import (
    UnreadableReportError,
    drop_old,
    read_report,
    summary_of,
    writes_of,
)
from ansible_collections.plumb.gitops.controller.store.metrics import Metrics
from ansible_collections.plumb.gitops.controller.store.run_state import RunState, read_record, write_record
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError
from ansible_collections.plumb.gitops.plugins.module_utils.report.document import document
from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import Trust
from ansible_collections.plumb.gitops.plugins.module_utils.state.record_store import RecordStore
from ansible_collections.plumb.gitops.tests.unit.report.reports import REPORTS


def test_suspensions_are_kept_and_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "suspensions"
    assert read_suspensions(file) == Suspensions()
    some = Suspensions().with_("prod", "shop").with_("prod", WHOLE).with_("test", "shop")
    write_suspensions(file, some)
    assert read_suspensions(file) == some
    assert some.holds("prod")
    assert not some.holds("test")
    assert some.apps("prod") == ("shop",)
    assert some.without("prod", "shop").holds("prod")
    assert some.without("prod", WHOLE) == Suspensions().with_("test", "shop")


def test_a_suspension_keeps_its_reason_and_end_in_a_file_that_0_1_0_reads(tmp_path: Path) -> None:
    file = tmp_path / "suspensions"
    why = Suspension(reason="the database moves", by="alice@ops1", since=10.0, until=20.0)
    some = Suspensions().with_("prod", "shop", why).with_("test", WHOLE)
    write_suspensions(file, some)
    assert read_suspensions(file) == some
    assert (some.overdue(19.0), some.overdue(20.0)) == ((), (("prod", "shop"),))
    assert some.without_targets(("prod", "shop")) == Suspensions().with_("test", WHOLE)
    head, content = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert head["format"] == 1
    assert content["suspended"] == [["prod", "shop"], ["test", ""]]  # all that 0.1.0 looks for
    former = RecordStore[Any](
        kind="plumb.gitops/suspensions", version=1, encode=dict, decode=dict, trust=Trust.STATE
    )
    former.save(file, {"suspended": [["prod", "shop"]]})  # as 0.1.0 writes it
    assert read_suspensions(file) == Suspensions().with_("prod", "shop")


def test_suspensions_that_cannot_be_read_resume_nothing(tmp_path: Path) -> None:
    file = tmp_path / "suspensions"
    write_suspensions(file, Suspensions().with_("prod", "shop"))
    file.write_text(file.read_text().replace("shop", "shup"))
    with pytest.raises(InputError, match="not as it was written"):
        read_suspensions(file)


def test_a_record_is_read_back_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    summary = summary_of(document(REPORTS["failed"]))
    record = RunState(
        ended=3.0, failed=2, result="failed", failures=("a",), summary=summary, commits={"fleet": "4f"}
    )
    write_record(tmp_path, "prod", record)
    assert read_record(tmp_path, "prod") == record
    (tmp_path / "prod").write_text("{")
    assert read_record(tmp_path, "prod") == RunState()


def test_a_record_of_before_that_says_good_is_read_as_succeeded(tmp_path: Path) -> None:
    content = dataclasses.asdict(RunState(ended=3.0, result="good", cause="interval"))
    del content["last_success"]
    before = RecordStore(kind="plumb.gitops/cluster", version=1, encode=dict, decode=dict, trust=Trust.STATE)
    before.save(tmp_path / "prod", {**content, "good": 3.0})
    assert read_record(tmp_path, "prod") == RunState(
        ended=3.0, last_success=3.0, result="succeeded", cause="interval"
    )


def test_a_source_that_failed_in_the_last_run_has_no_commit() -> None:
    record = RunState(commits={"fleet": "4f"}, summary={"sources": [{"name": "fleet", "error": "no answer"}]})
    assert record.commit_of("fleet") == ""
    assert RunState(commits={"fleet": "4f"}).commit_of("fleet") == "4f"
    assert RunState().commit_of("fleet") == ""


def test_only_the_last_reports_stay(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"2026112{number}.json").write_text("{}")
    (tmp_path / ".20261120.json.x1").write_text("half")
    drop_old(tmp_path, 2)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["20261123.json", "20261124.json"]
    drop_old(tmp_path / "missing", 2)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"apiVersion": "plumb.gitops/v2", "kind": "Report"}', "[" * 100_000]
)
def test_what_is_no_report_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(text)
    with pytest.raises(UnreadableReportError):
        read_report(file)


@pytest.mark.parametrize("name", REPORTS)
def test_a_summary_has_no_objects_and_fits_the_metrics(name: str) -> None:
    summary = summary_of(document(REPORTS[name]))
    assert "actions" not in json.dumps(summary)
    metrics = Metrics()
    metrics.add_cluster("prod", RunState())
    metrics.count_run("prod", RunState(result="succeeded", last_success=1.0), summary, 1.0)
    text = metrics.text().decode()
    assert 'plumb_runs_total{cluster="prod",result="succeeded"} 1.0' in text
    metrics.forget("prod")
    assert "prod" not in metrics.text().decode()


def test_drift_is_counted_by_kind_and_manager() -> None:
    metrics, record = Metrics(), RunState(result="succeeded", last_success=1.0)
    for name in ("applied", "verbs"):
        metrics.count_run("prod", record, summary_of(document(REPORTS[name])), 1.0)
    series = dict(line.rsplit(" ", 1) for line in metrics.text().decode().splitlines())

    def count(word: str, kind: str, manager: str) -> float:
        labels = f'app="shop",cluster="prod",kind="{kind}",manager="{manager}"'
        return float(series[f"plumb_drift_{word}_total{{{labels}}}"])

    assert (count("found", "Deployment", "kubectl"), count("reverted", "Deployment", "kubectl")) == (2, 1)
    assert (count("found", "ConfigMap", "kubectl-edit"), count("found", "Service", "")) == (1, 1)


def test_names_that_clients_choose_make_no_series_without_end() -> None:
    metrics, record = Metrics(), RunState(result="succeeded", last_success=1.0)
    for number in range(300):
        drift = [{"kind": "ConfigMap", "manager": f"m{number}", "found": 1, "reverted": 1}]
        summary = summary_of(document(REPORTS["applied"]))
        summary["apps"][0]["drift"] = drift
        metrics.count_run("prod", record, summary, 1.0)
    text = metrics.text().decode()
    assert 'kind="others",manager="others"} 250.0' in text
    assert text.count("plumb_drift_found_total{") == 51


def test_the_age_of_a_sync_that_never_was_is_infinite() -> None:
    metrics = Metrics()
    metrics.add_cluster("prod", RunState())
    assert 'plumb_last_successful_run_age_seconds{cluster="prod"} +Inf' in metrics.text().decode()


def test_a_line_of_the_log_cannot_be_forged() -> None:
    event = {
        "timestamp": "T",
        "level": "info",
        "event": "reconciled",
        "cluster": "prod",
        "why": 'a "b"\nT info x=1',
    }
    assert as_text(None, "info", event) == 'T info    reconciled  cluster=prod why="a \\"b\\" T info x=1"'
    assert json.loads(as_json(None, "info", event))["why"] == 'a "b" T info x=1'


def test_what_a_run_wrote_and_reverted_is_found_in_its_report() -> None:
    def action(name: str, verb: str, *changes: dict[str, Any], **more: str | bool) -> dict[str, object]:
        ref = {
            "object": f"Deployment shop/{name}",
            "group": "apps",
            "kind": "Deployment",
            "namespace": "shop",
        }
        fields = {
            "name": name,
            "action": verb,
            "drifted": bool(changes),
            "result": "done",
            "changes": list(changes),
        }
        return {**ref, **fields, **more}

    edited = {"path": "spec.replicas", "cause": "drift", "culprit": {"manager": "kubectl"}}
    removed = {"path": "spec.paused", "cause": "drift"}
    new = {"path": "spec.template", "cause": "git"}
    actions = [
        action("cart", "update", edited, removed, new),
        action("web", "create", drifted=True),
        action("old", "prune"),
        action("bad", "update", edited, result="failed"),
        action("left", "unchanged", edited, result=""),
        {
            "object": "Namespace shop",
            "kind": "Namespace",
            "name": "shop",
            "action": "create",
            "drifted": False,
        }
        | {"result": "done"},
    ]
    assert writes_of({"apps": [{"name": "shop", "actions": actions}]}) == {
        "written": [*(f"Deployment.apps shop/{name}" for name in ("cart", "web", "old")), "Namespace shop"],
        "removed": ["Deployment.apps shop/old"],
        "reverted": [
            ["shop", "Deployment shop/cart", "spec.replicas", "kubectl"],
            ["shop", "Deployment shop/cart", "spec.paused", ""],
            ["shop", "Deployment shop/web", "", ""],
        ],
    }
