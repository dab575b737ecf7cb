# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two agents and one Lease: one is paused, one's clock is wrong, one is stopped. The audit log is the witness."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.lease import Lease, LeaseSpec
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.lease_file import boot_time
from ansible_collections.plumb.gitops.tests.support.agent import leader_process
from ansible_collections.plumb.gitops.tests.support.cluster.audit_log import Audit
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox

DURATION, RETRY = 2, 0.4  # seconds
_PATIENCE = 60.0  # seconds until a test gives up waiting for something that has to happen


def until(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen: {what}"
        time.sleep(0.05)


@dataclass(slots=True)
class LeadingAgent:
    """A leader and its writer, in processes of their own."""

    name: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def events(self) -> list[str]:
        file = self.folder / "events"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    @property
    def writer(self) -> int:
        return int(next(line for line in reversed(self.events) if line.startswith("writer")).split()[1])

    def count(self, word: str) -> int:
        return sum(line.startswith(word) for line in self.events)

    def end(self) -> None:
        for sign in (signal.SIGCONT, signal.SIGTERM):
            self.process.send_signal(sign)
        self.process.wait(_PATIENCE)


@dataclass(slots=True)
class LeadingAgents:
    """Starts agents that want the one lease of the namespace."""

    sandbox: Sandbox
    namespace: str
    folder: Path
    started: list[LeadingAgent]

    def start(self, name: str, environment: Mapping[str, str] | None = None) -> LeadingAgent:
        folder = self.folder / name
        folder.mkdir()
        options = {"namespace": self.namespace, "kubeconfig": str(self.sandbox.kubeconfig), "holder": name,
                "duration": DURATION, "retry": RETRY}  # fmt: skip
        (folder / "agent.json").write_text(json.dumps(options), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", leader_process.__name__, str(folder)],
            env={**os.environ, **(environment or {})},
        )
        agent = LeadingAgent(name, folder, process)
        self.started.append(agent)
        return agent


@pytest.fixture
def agents(sandbox: Sandbox, namespace: str, tmp_path: Path) -> Iterator[LeadingAgents]:
    made = LeadingAgents(sandbox, namespace, tmp_path, [])
    yield made
    for agent in made.started:
        agent.end()


@pytest.fixture
def audit(sandbox: Sandbox) -> Audit:
    audit = Audit(sandbox.audit_log)
    audit.writes()
    return audit


def writes_of(audit: Audit, agent: LeadingAgent) -> list[datetime]:
    """When each write of the agent reached the server that was carried out since the last look, the lease aside."""
    return [
        datetime.fromisoformat(event["requestReceivedTimestamp"])
        for event in audit.events()
        if f"/configmaps/of-{agent.name}" in event["requestURI"] and event["responseStatus"]["code"] < 300
    ]


def test_another_takes_the_lease_only_after_the_first_has_stopped_renewing(
    sandbox: Sandbox, namespace: str
) -> None:
    def lease(holder: str) -> Lease:
        return Lease(LeaseSpec(namespace=namespace, name="agent", holder=holder, duration=1))

    first, second = lease("first"), lease("second")
    with connect(ConnectionSpec(kubeconfig=sandbox.kubeconfig)) as cluster:
        assert first.acquire(cluster)
        for _renewal in range(12):  # for twice its duration
            time.sleep(0.2)
            assert not second.acquire(cluster)
            assert first.renew(cluster)
        until(lambda: second.acquire(cluster), "the second takes the lease")
        assert boot_time() >= first.until
        assert not first.renew(cluster)
        assert second.renew(cluster)
        assert second.release(cluster)
        assert first.acquire(cluster)


@pytest.mark.parametrize("round_", range(2))
def test_row_18_who_was_paused_for_two_leases_writes_nothing_when_he_goes_on(
    agents: LeadingAgents, audit: Audit, round_: int
) -> None:
    first = agents.start("first")
    until(lambda: first.count("wrote") > 20, "the first writes")
    second = agents.start("second")
    until(lambda: first.count("wrote") > 60, "the first goes on while the second waits")
    assert second.count("wrote") == 0
    writer = first.writer
    for pid in (first.process.pid, writer):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2 * DURATION)
    until(lambda: second.count("wrote") > 20, "the second leads")
    led = datetime.now(UTC)
    assert len(writes_of(audit, first)) > 60

    os.kill(writer, signal.SIGCONT)  # alone: nobody tells it, it has to see for itself
    until(lambda: first.count("refused") > 20, "the paused writer refuses to write")
    os.kill(first.process.pid, signal.SIGCONT)
    until(lambda: first.count("no longer leading") == 1, "the first knows that it leads no more")
    seen = second.count("wrote")
    until(lambda: second.count("wrote") > seen + 20, "the second goes on")
    late = writes_of(audit, first)
    assert not [when for when in late if when > led]
    assert len(late) <= 1  # begun before the pause, which came between the last look and the body
    assert any("ran out" in line for line in first.events)


@pytest.mark.parametrize("wrong", ["first", "second"])
def test_row_19_a_clock_that_is_off_by_an_hour_changes_nothing(
    agents: LeadingAgents, audit: Audit, kubectl: Kubectl, wrong: str
) -> None:
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed: scripts/programs installs it")
    library = subprocess.run(
        ["faketime", "now", "printenv", "LD_PRELOAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    # Off is the clock on the wall; no machine's monotonic one jumps. One ahead is the other behind; with this machine's
    # behind, the sandbox's certificates would not be valid yet.
    fake = {"LD_PRELOAD": library, "FAKETIME": "+1h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    first = agents.start("first", fake if wrong == "first" else None)
    until(lambda: first.count("wrote") > 0, "the first leads")
    second = agents.start("second", fake if wrong == "second" else None)
    before = lease_of(kubectl, agents)
    ahead = datetime.fromisoformat(before["renewTime"]) - datetime.now(UTC)
    assert (ahead > timedelta(minutes=50)) == (wrong == "first")
    until(lambda: lease_of(kubectl, agents)["renewTime"] != before["renewTime"], "the first renews")
    time.sleep(2 * DURATION)
    assert (first.count("no longer leading"), first.count("refused"), second.count("leading")) == (0, 0, 0)
    assert lease_of(kubectl, agents)["holderIdentity"] == "first"

    first.end()
    until(lambda: second.count("wrote") > 0, "the second leads when the first has let go")
    assert first.count("no longer leading") == 1


def lease_of(kubectl: Kubectl, agents: LeadingAgents) -> dict[str, str]:
    lease = kubectl.get("lease", "agent", agents.namespace)
    assert lease is not None
    spec: dict[str, str] = lease["spec"]
    return spec


def test_who_is_told_to_stop_ends_his_writer_and_lets_the_lease_go(
    agents: LeadingAgents, kubectl: Kubectl
) -> None:
    first = agents.start("first")
    until(lambda: first.count("wrote") > 0, "the first leads")
    first.end()
    assert first.process.returncode == 0
    assert not (first.folder / "lease").exists()
    assert "holderIdentity" not in lease_of(kubectl, agents)
    with pytest.raises(ProcessLookupError):
        os.kill(first.writer, 0)
