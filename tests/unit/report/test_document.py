# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as a document and as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.change import ABSENT, FieldChange
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Outcome, Result, Verb
from ansible_collections.plumb.gitops.plugins.module_utils.report.document import document
from ansible_collections.plumb.gitops.plugins.module_utils.report.file import (
    ReportError,
    report_file,
    write_report,
)
from ansible_collections.plumb.gitops.tests.unit.report.reports import REPORTS, action, app, report

TOP = ["apiVersion", "kind", "cluster", "server", "check", "started", "seconds", "changed", "failed", "drifted",
       "counts", "sources", "apps", "unclaimed", "requests"]  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
def test_a_document_is_json_with_a_version_and_the_same_bytes_each_time(name: str) -> None:
    made = document(REPORTS[name])
    assert list(made) == TOP
    assert (made["apiVersion"], made["kind"]) == ("plumb.gitops/v1", "Report")
    written = json.dumps(made)
    assert json.loads(written) == made
    assert json.dumps(document(REPORTS[name])) == written


@pytest.mark.parametrize("name", REPORTS)
def test_the_counts_of_apps_add_up(name: str) -> None:
    made = document(REPORTS[name])
    assert set(made["counts"]) == {*(verb.value for verb in Verb), "drifted", "failed", "skipped"}
    for word, number in made["counts"].items():
        assert number == sum(app["counts"][word] for app in made["apps"])


def test_what_an_app_says() -> None:
    (shop, broken, later, glass) = document(REPORTS["failed"])["apps"]
    assert shop["failed"]
    assert [(a["name"], a.get("result"), a.get("error")) for a in shop["actions"]] == [
        ("checkout", "done", None),
        ("cart", "failed", "the server said no"),
        ("old", "skipped", "not pruned, because something failed"),
    ]
    assert shop["unhealthy"][0] == {
        "object": "Deployment shop/checkout",
        "status": "InProgress",
        "message": "Available: 1/3",
        "reasons": [
            "2 Pods: container app: CrashLoopBackOff, last exit code 1 (Error), 5 restarts",
            "Pod checkout-1: `hostile` @here <b>",
        ],
    }
    assert broken["error"] == "app broken: rendering x: x.yaml:3 is no YAML"
    assert later["error"].startswith("app later: not started")
    assert glass["suspended"]


@pytest.mark.parametrize(
    ("live", "desired", "shown"),
    [
        (ABSENT, "x", {"desired": "x"}),
        ("x", ABSENT, {"live": "x"}),
        (None, 0, {"live": None, "desired": 0}),
        ("", [], {"live": "", "desired": []}),
    ],
)
def test_absent_is_left_out_and_null_is_not(live: Any, desired: Any, shown: dict[str, Any]) -> None:
    made = document(
        report(app("shop", action("ConfigMap", "x", Verb.UPDATE, FieldChange("data.a", live, desired))))
    )
    (change,) = made["apps"][0]["actions"][0]["changes"]
    assert change == {"path": "data.a", "cause": "git", **shown}


@pytest.mark.parametrize(
    ("path", "cluster", "file"),
    [
        ("/r/report.json", "prod", "/r/report.json"),
        ("/r", "prod", "/r/prod/20261123T091302Z.json"),
        ("/r/", "a/b", "/r/a_b/20261123T091302Z.json"),
        ("/r", "", "/r/cluster/20261123T091302Z.json"),
    ],
)
def test_where_a_report_goes(path: str, cluster: str, file: str) -> None:
    assert report_file(path, cluster, "2026-11-23T09:13:02Z") == Path(file)


def test_a_report_of_the_same_second_replaces_none(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        target = report_file(str(tmp_path), "prod", "2026-11-23T09:13:02Z")
        write_report(target, {})
        names.append(target.name)
    assert names == ["20261123T091302Z.json", "20261123T091302Z_2.json", "20261123T091302Z_3.json"]


def test_only_what_is_written_has_a_result() -> None:
    actions = [action("ConfigMap", verb.value, verb) for verb in Verb]
    outcomes = tuple(Outcome(action, Result.DONE) for action in actions)
    (made,) = document(report(app("shop", *actions, outcomes=outcomes)))["apps"]
    assert {action["action"] for action in made["actions"] if "result" not in action} == {
        "unchanged",
        "refused",
    }


def test_a_report_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "report.json"
    write_report(target, {"b": "é", "a": 1})
    assert target.stat().st_mode & 0o777 == 0o600
    assert json.loads(target.read_text(encoding="utf-8")) == {"b": "é", "a": 1}
    assert [file.name for file in target.parent.iterdir()] == ["report.json"]


def test_text_that_is_no_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    write_report(target, {"subject": "\ud800x"})
    assert json.loads(target.read_text(encoding="utf-8")) == {"subject": "?x"}


def test_a_report_that_cannot_be_written_leaves_the_one_before_as_it_is(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    write_report(target, {"run": 1})
    with pytest.raises(TypeError):
        write_report(target, {"run": object()})
    assert json.loads(target.read_text(encoding="utf-8")) == {"run": 1}
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("place", ["file/report.json", "folder.json"])
def test_a_place_that_cannot_be_written_is_an_error_with_a_next_step(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    (tmp_path / "folder.json" / "x").mkdir(parents=True)
    with pytest.raises(ReportError) as caught:
        write_report(tmp_path / place, {})
    assert str(tmp_path / place) in str(caught.value)
    assert "plumb_report_path" in caught.value.next_step
    assert {file.name for file in tmp_path.iterdir()} == {"file", "folder.json"}, (
        "nothing is left lying about"
    )
