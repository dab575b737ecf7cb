# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an earlier version to this one and back: a cluster in sync is not written to, and no file is misread.

The earlier version is data (earlier_version.py): its cluster, the files of its agent, and the code that reads them.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.report.verify import verify
from ansible_collections.plumb.gitops.tests.support.agent.process import AgentProcess, running
from ansible_collections.plumb.gitops.tests.support.ansible.report_schema import check_report
from ansible_collections.plumb.gitops.tests.support.cluster.audit_log import Audit
from ansible_collections.plumb.gitops.tests.support.cluster.own_server import own_server
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.faults.earlier_version import (
    AGENT,
    CLUSTER,
    CODE,
    FIXTURES,
    SUSPENDED,
    Files,
    fleet_files,
    inventory,
    proxied_kubeconfig,
    tunnel,
    unpack,
)
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream

VERSIONS = ("0.1.0",)
OBJECTS = 30  # that are compared: the suspended app's are not
_CHANGES = (
    ("platform/kinds.yaml", b"verbs: [get, list, watch]", b"verbs: [get, list]"),
    ("shop/base/network.yaml", b"port: 80, targetPort", b"port: 81, targetPort"),
    ("shop/base/rights.yaml", b"resources: [configmaps]", b"resources: [configmaps, secrets]"),
    ("taken/objects.yaml", b'same: "yes"', b'other: "yes"'),
    ("edge/objects.yaml", b"hosts: [shop.example.com]", b"hosts: [shop.example.com, more.example.com]"),
    ("edge/objects.yaml", b"""'{"a": 1}'""", b"""'{"a": 2}'"""),
)
NOTHING = ("reconciled ", "changed=0", "drifted=0", "failed=0")


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier version's cluster, running."""

    version: str
    sandbox: Sandbox
    tunnel: str
    folder: Path

    @property
    def audit(self) -> Audit:
        """The cluster's audit log from now on."""
        audit = Audit(self.sandbox.audit_log)
        audit.writes()
        return audit

    @property
    def code(self) -> str:
        """A collections path with the code of that version."""
        return str(self.folder / "code")


@pytest.fixture(scope="module", params=VERSIONS)
def earlier(
    request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Earlier]:
    folder, data = tmp_path_factory.mktemp("earlier"), FIXTURES / request.param
    unpack(data / CLUSTER, folder)
    unpack(data / CODE, folder / "code")
    with own_server(sandbox, folder) as server, tunnel(server.sandbox.server) as way:
        audit_log = folder / "audit.log"
        yield Earlier(
            request.param,
            Sandbox(**{**_fields(server.sandbox), "audit_log": audit_log}),
            way,
            folder,
        )


def _fields(sandbox: Sandbox) -> dict[str, Any]:
    return {name: getattr(sandbox, name) for name in Sandbox.__slots__}


@contextmanager
def agent_of(earlier: Earlier, folder: Path) -> Iterator[tuple[AgentProcess, Files]]:
    """The agent with a copy of that version's files. It is not started yet; whatever is left of it is killed."""
    files = Files(folder / "files")
    unpack(FIXTURES / earlier.version / AGENT, files.folder)
    reached = proxied_kubeconfig(earlier.sandbox.kubeconfig, folder / "kubeconfig", earlier.tunnel)
    with GitServer(files.git) as git:
        agent = files.agent()
        proxy = f"http://127.0.0.1:{git.port}"
        agent.inventory({"here": inventory(reached, proxy, files, earlier.sandbox.audit_log)})
        yield agent, files


def sync(agent: AgentProcess) -> str:
    runs = len(agent.runs())
    code, output = agent.command("sync", "--wait")
    assert code == 0, output
    return agent.await_run(more_than=runs)


def is_quiet(agent: AgentProcess, line: str, *, earlier: bool = False) -> None:
    """The run of this line, the last one, found nothing to do and nothing to say; `earlier` wrote another report."""
    assert all(word in line for word in NOTHING), line
    newest = max((agent.state / "reports" / "here").iterdir())
    report = json.loads(newest.read_text(encoding="utf-8"))
    if not earlier:
        check_report(report)
    others = {name: number for name, number in report["counts"].items() if number and name != "unchanged"}
    assert (others, report["counts"]["unchanged"]) == ({}, OBJECTS)
    assert not report.get("warnings")
    assert not report["unclaimed"]
    assert "error" not in report["config"]
    assert {app["name"] for app in report["apps"] if app["suspended"]} == {SUSPENDED}
    assert not [app for app in report["apps"] if app.get("warnings") or app.get("prune_blocked")]


def complaints(agent: AgentProcess) -> list[str]:
    """The lines of the log that are no mere information."""
    return [line for line in agent.lines() if " info " not in line]


def state_files(files: Files) -> dict[Path, dict[str, Any]]:
    """The first line, by file, of all that say their kind and format."""
    contents = {}
    for file in sorted([*files.state.rglob("*"), *files.cache.rglob("*")]):
        if file.is_file() and file.read_bytes()[:9] == b'{"kind": ':
            contents[file] = json.loads(file.read_text(encoding="utf-8").partition("\n")[0])
    return contents


def rewrite(file: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Change the first line, or the content, of a file that says its kind; its checksum is made to fit."""
    first, _newline, text = file.read_text(encoding="utf-8").partition("\n")
    head, content = json.loads(first), json.loads(text)
    change(head, content)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    head["checksum"] = hashlib.sha256(text.encode()).hexdigest()
    file.write_text(f"{json.dumps(head)}\n{text}\n", encoding="utf-8")


def newer(head: dict[str, Any], _content: dict[str, Any]) -> None:
    head["format"] += 1


def checked(days: float) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """The change of a cache that has all its proofs checked so long ago."""

    def change(_head: dict[str, Any], content: dict[str, Any]) -> None:
        content["checked"] = time.time() - days * 24 * 3600

    return change


@pytest.mark.parametrize("days", [0, 3])
def test_row_109_an_upgrade_finds_the_cluster_in_sync(earlier: Earlier, tmp_path: Path, days: int) -> None:
    """Days later the first run checks every proof by a dry-run; on the same day it goes by what is in the cache."""
    audit = earlier.audit
    with agent_of(earlier, tmp_path) as (agent, files):
        (looks,) = (files.cache / "looks").iterdir()
        rewrite(looks, checked(days))
        trail = files.state / "trail" / "here.jsonl"
        before = trail.read_bytes()
        moments = json.loads((files.state / "history" / "here").read_text().partition("\n")[2])["moments"]
        last = max(file.name for file in (files.state / "reports" / "here").iterdir())
        with running(agent):
            assert last in agent.await_line("last run", "cluster=here")
            is_quiet(agent, agent.await_run())
            is_quiet(agent, sync(agent))
            assert re.search(
                rf"^here/{SUSPENDED} +suspended ", agent.command("status", "-o", "wide")[1], re.MULTILINE
            )
            assert agent.end() == 0
        assert audit.writes() == []
        assert complaints(agent) == []
        assert trail.read_bytes() == before
        assert verify(trail).is_intact
        history = json.loads((files.state / "history" / "here").read_text().partition("\n")[2])["moments"]
        assert history == moments


def test_row_109_files_of_a_newer_version_are_refused_or_made_anew(earlier: Earlier, tmp_path: Path) -> None:
    audit = earlier.audit
    with agent_of(earlier, tmp_path) as (agent, files):
        contents = state_files(files)
        assert len({head["kind"] for head in contents.values()}) >= 8
        for file in contents:
            rewrite(file, newer)
        suspensions = files.state / "suspensions"
        agent.start()
        assert agent.process is not None
        assert agent.process.wait(60) != 0
        log = "\n".join(agent.lines())
        assert "Traceback" not in log
        assert f"suspensions {suspensions}" in log
        assert "it was written by a newer version" in log
        assert audit.writes() == []
        suspensions.unlink()
        assert agent.command("status")[0] != 0  # it does not run
        _suspend_again(suspensions)
        head = files.state / "trail" / "here.jsonl.head"
        with running(agent):
            line = agent.await_run()
            assert "not reconciled" in line
            assert str(files.state / "trail" / "here.jsonl") in line
            assert "it was written by a newer version" in line
            head.unlink()
            is_quiet(agent, sync(agent))
            is_quiet(agent, sync(agent))
            assert agent.end() == 0
        assert audit.writes() == []
        assert not [line for line in agent.lines() if "Traceback" in line]


def _suspend_again(file: Path) -> None:
    head = {"kind": "plumb.gitops/suspensions", "format": 0}
    file.write_text(f"{json.dumps(head)}\n{json.dumps({'suspended': [['here', SUSPENDED]]})}\n")

    def current(head: dict[str, Any], _content: dict[str, Any]) -> None:
        head["format"] = 1

    rewrite(file, current)
    file.chmod(0o600)


def test_row_109_the_earlier_version_comes_back(earlier: Earlier, tmp_path: Path) -> None:
    """Its own code reads what this version has left: what it does not know it makes anew, and it prunes nothing."""
    audit = earlier.audit
    with agent_of(earlier, tmp_path) as (agent, _files):
        with running(agent):
            is_quiet(agent, agent.await_run())
            words = ("--reason", "the other version does not know of reasons", "--until", "2099-12-24T08:00Z")
            assert agent.command("suspend", f"here/{SUSPENDED}", *words)[0] == 0
            assert agent.end() == 0
        _go_back(agent, earlier)
        assert audit.writes() == []
        assert complaints(agent) == []


def test_row_109_the_earlier_version_comes_back_after_a_change(earlier: Earlier, tmp_path: Path) -> None:
    """It may write anew, once, what it would have written otherwise; it deletes nothing and comes to rest."""
    audit = earlier.audit
    with agent_of(earlier, tmp_path) as (agent, files):
        with running(agent):
            agent.await_run()
            Upstream.existing(files.git / "fleet.git").commit(changed_fleet(), "Change what each app has")
            assert "failed=0" in agent.await_line("reconciled ", 'cause="fleet moved"')
            assert agent.end() == 0
        assert audit.writes()
        _go_back(agent, earlier)
        assert [write for write in audit.writes() if write.startswith("delete")] == []
        assert not [line for line in agent.lines() if " error " in line]


def _go_back(agent: AgentProcess, earlier: Earlier) -> None:
    """Run the earlier version's agent on these files; it comes to rest."""
    seen = len(agent.runs())
    agent.environment = {"PYTHONPATH": earlier.code}
    with running(agent):
        line = agent.await_run(more_than=seen)
        assert "failed=0" in line, line
        is_quiet(agent, sync(agent), earlier=True)
        assert agent.end() == 0


def changed_fleet() -> dict[str, Any]:
    """The manifests with another value in each app, in objects that need no controller to be healthy."""
    fleet = fleet_files()
    for path, before, after in _CHANGES:
        folder = fleet["apps"]
        *folders, name = path.split("/")
        for part in folders:
            folder = folder[part]
        assert before in folder[name]
        folder[name] = folder[name].replace(before, after)
    return fleet
