# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk is full or read-only, and what runs keep on it is lost or wrong (row 20 of the list of faults)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.tests.support.ansible.git_fleet import GitFleet
from ansible_collections.plumb.gitops.tests.support.cluster.audit_log import Audit
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.faults.proxy import Proxy, first
from ansible_collections.plumb.gitops.tests.support.faults.small_disk import CannotMount, Disk, mounted
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        with mounted(tmp_path / "disk") as made:
            yield made
    except CannotMount as error:
        pytest.skip(f"a disk of its own cannot be mounted here: {error}")


@pytest.fixture
def audit(sandbox: Sandbox) -> Audit:
    audit = Audit(sandbox.audit_log)
    audit.writes()
    return audit


def _full(disk: Disk) -> Callable[[], None]:
    disk.fill()
    return disk.make_room


def _read_only(disk: Disk) -> Callable[[], None]:
    disk.writable(yes=False)
    return lambda: disk.writable(yes=True)


TROUBLES = {
    "full": (_full, "No space left on device"),
    "read-only": (_read_only, "Read-only file system"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("moved", [True, False], ids=["new commit", "drift"])
def test_row_20_a_cache_that_takes_nothing_stops_the_run_before_it_writes(
    git_fleet: GitFleet, disk: Disk, audit: Audit, kubectl: Kubectl, trouble: str, *, moved: bool
) -> None:
    break_it, message = TROUBLES[trouble]
    cache = str(disk.folder / "cache")
    git_fleet.upstream.commit({"app": {"all.yaml": config_map("c")}})
    assert git_fleet.reconcile(plumb_cache_dir=cache).code == 0
    if moved:
        git_fleet.upstream.commit({"app": {"all.yaml": config_map("c", {"a": "2"}) + config_map("new")}})
    else:
        kubectl("patch", "configmap", "c", "-n", git_fleet.namespace, "-p", '{"data":{"a":"3"}}')
    before = kubectl.live("configmap", "c", git_fleet.namespace)
    audit.writes()

    mend = break_it(disk)
    stopped = git_fleet.run(plumb_cache_dir=cache)
    assert stopped.code == 2
    assert message in stopped.output
    assert "Traceback" not in stopped.output
    assert audit.writes() == []
    assert kubectl.live("configmap", "c", git_fleet.namespace) == before

    mend()
    assert git_fleet.reconcile(plumb_cache_dir=cache).code == 0
    assert kubectl.live("configmap", "c", git_fleet.namespace)["data"] == {"a": "2" if moved else "1"}
    assert git_fleet.reconcile(plumb_cache_dir=cache).code == 0
    assert git_fleet.report()["requests"]["writes"] == 0


@pytest.mark.parametrize("trouble", TROUBLES)
def test_row_20_a_report_that_has_no_place_stops_the_run_before_it_writes(
    git_fleet: GitFleet, disk: Disk, audit: Audit, kubectl: Kubectl, trouble: str
) -> None:
    break_it, message = TROUBLES[trouble]
    reports = str(disk.folder / "reports" / "of" / "mine")
    git_fleet.upstream.commit({"app": {"all.yaml": config_map("c")}})
    mend = break_it(disk)
    stopped = git_fleet.run(plumb_report_path=reports)
    assert stopped.code == 2
    assert message in stopped.output
    assert "plumb_report_path" in stopped.output
    assert audit.writes() == []
    assert kubectl.get("configmap", "c", git_fleet.namespace) is None

    mend()
    assert git_fleet.reconcile(plumb_report_path=reports).code == 0
    (report,) = (disk.folder / "reports" / "of" / "mine" / "here").iterdir()
    assert json.loads(report.read_text(encoding="utf-8"))["failed"] is False
    assert kubectl.live("configmap", "c", git_fleet.namespace)


def test_row_20_a_disk_that_fills_up_during_the_run_does_not_hide_what_was_done(
    git_fleet: GitFleet, disk: Disk, proxy: Proxy, kubectl: Kubectl
) -> None:
    cache = str(disk.folder / "cache")
    git_fleet.upstream.commit({"app": {"all.yaml": config_map("c")}})
    through: dict[str, Any] = {"plumb_cache_dir": cache, "plumb_kubeconfig": str(proxy.kubeconfig)}
    proxy.fault("PATCH", r"/configmaps/c\?", first(disk.fill), times=1)
    done = git_fleet.run(**through)
    assert done.code == 2
    assert "No space left on device" in done.output
    assert "plumb_cache_dir" in done.output
    assert "1 created" in done.output
    assert kubectl.live("configmap", "c", git_fleet.namespace)

    disk.make_room()
    assert git_fleet.reconcile(**through).code == 0
    assert git_fleet.report()["requests"]["writes"] == 0


def _other_format(number: int) -> Callable[[str], str]:
    def changed(text: str) -> str:
        head, _newline, rest = text.partition("\n")
        return json.dumps({**json.loads(head), "format": number}) + "\n" + rest

    return changed


DAMAGE: dict[str, Callable[[str], str]] = {
    "truncated": lambda text: text[: len(text) // 2],
    "empty": lambda _text: "",
    "foreign": lambda _text: json.dumps({"looks": {}, "checked": 0}),
    "edited": lambda text: text.replace('"checked":', '"checked" :'),
    "older": _other_format(0),
    "newer": _other_format(99),
}


def test_state_on_disk_looks_that_are_not_what_was_written_are_made_anew(
    git_fleet: GitFleet, audit: Audit
) -> None:
    git_fleet.upstream.commit({"app": {"all.yaml": config_map("c")}})
    assert git_fleet.reconcile().code == 0
    (looks,) = (git_fleet.folder / "cache" / "looks").iterdir()
    good = looks.read_text(encoding="utf-8")
    audit.writes()
    for name, damage in DAMAGE.items():
        looks.write_text(damage(good), encoding="utf-8")
        done = git_fleet.reconcile()
        assert done.code == 0, (name, done.output)
        assert done.result["changed"] is False, name
        head, text = (part.splitlines()[0] for part in (good, looks.read_text(encoding="utf-8")))
        assert json.loads(text).keys() == json.loads(head).keys(), name
        assert json.loads(text)["format"] == json.loads(head)["format"], name
    assert audit.writes() == []
