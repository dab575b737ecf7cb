# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of `plumb-agent` to a running agent with a real API server."""

from __future__ import annotations

import getpass
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.version import VERSION
from ansible_collections.plumb.gitops.tests.support.agent.agent_on_git import FollowedGit, followed_git
from ansible_collections.plumb.gitops.tests.support.agent.process import running, until
from ansible_collections.plumb.gitops.tests.support.cluster.audit_log import Audit
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox

REASON = "the database moves"


def config_map(greeting: str) -> dict[str, str]:
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{greeting: {greeting}}}\n"
    return {"all.yaml": text}


@pytest.fixture(scope="module")
def fleet(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FollowedGit]:
    with followed_git(sandbox, tmp_path_factory.mktemp("commands")) as fleet:
        fleet.push(config_map("hello"))
        with running(fleet.agent) as agent:
            agent.await_run()
            yield fleet


def edit(fleet: FollowedGit, kubectl: Kubectl, greeting: str) -> None:
    patch = json.dumps({"data": {"greeting": greeting}})
    kubectl("patch", "configmap", "settings", "-n", fleet.namespace, "-p", patch)


def greeting(fleet: FollowedGit, kubectl: Kubectl) -> str:
    live = kubectl.get("configmap", "settings", fleet.namespace)
    return live["data"]["greeting"] if live else ""


def trail_of(fleet: FollowedGit) -> list[dict[str, str]]:
    text = (fleet.agent.state / "trail" / "here.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_status_is_a_table_and_a_document_and_says_by_its_exit_code_what_is_off(fleet: FollowedGit) -> None:
    command = fleet.agent.command
    code, text = command("status", "--exit-code")
    assert code == 0, text
    assert re.search(r"^here +in sync +1 +- ", text, re.MULTILINE), text
    assert re.search(r"^here/app +in sync ", text, re.MULTILINE), text
    assert "\x1b" not in text
    code, text = command("status", "here/*", "-o", "json")
    (cluster,) = json.loads(text)["clusters"]
    assert cluster["app_states"]["app"]["state"] == "in sync"
    assert json.loads(command("status", "--json")[1])["clusters"][0]["last_run"]["result"] == "succeeded"
    assert command("status", "--state", "failed") == (0, "Nothing matches.\n")
    assert command("status", "--state", "faild")[0] == 2


def test_diff_shows_what_a_run_would_do_and_writes_nothing(fleet: FollowedGit, kubectl: Kubectl) -> None:
    audit = Audit(fleet.sandbox.audit_log)
    assert fleet.agent.command("diff", "here", "--exit-code")[0] == 0
    edit(fleet, kubectl, "edited")
    audit.writes()
    reports = sorted((fleet.agent.state / "reports" / "here").iterdir())
    code, text = fleet.agent.command("diff", "here/app", "--exit-code")
    assert code == 3, text
    assert "Check only, nothing was written." in text
    assert re.search(r"^ *- .*greeting: edited", text, re.MULTILINE), text
    assert re.search(r"^ *\+ .*greeting: hello", text, re.MULTILINE), text
    assert [write for write in audit.writes() if fleet.namespace in write] == []
    assert sorted((fleet.agent.state / "reports" / "here").iterdir()) == reports
    assert fleet.agent.command("diff", "heer")[0] == 1
    assert greeting(fleet, kubectl) == "edited"


def test_sync_shows_what_it_does_and_history_what_was_reverted(fleet: FollowedGit, kubectl: Kubectl) -> None:
    edit(fleet, kubectl, "edited")
    code, text = fleet.agent.command("sync", "here/app", "--wait")
    assert code == 0, text
    assert text.startswith("sync: app app of here\nhere: ")
    assert re.search(r"^here/app +in sync ", text, re.MULTILINE), text
    assert greeting(fleet, kubectl) == "hello"
    code, text = fleet.agent.command("history", "here/app", "-n", "1")
    assert code == 0
    assert re.search(
        r"here/app +reverted +ConfigMap \S+/settings +data.greeting 'edited' instead of 'hello'", text
    ), text
    moments = json.loads(fleet.agent.command("history", "--since", "1h", "-o", "json")[1])["moments"]
    assert {"applied", "reverted"} <= {moment["what"] for moment in moments}
    assert fleet.agent.command("history", "--since", "2099-01-01T00:00Z")[1] == "Nothing happened.\n"
    assert fleet.agent.command("history", "here/none")[0] == 1


def test_a_sync_that_fails_ends_with_1(fleet: FollowedGit) -> None:
    fleet.push(
        {
            "all.yaml": "kind: [",
        }
    )
    code, text = fleet.agent.command("sync", "--wait")
    assert code == 1, text
    assert re.search(r"^here/app +failed ", text, re.MULTILINE), text
    assert fleet.agent.command("status", "--exit-code")[0] == 3
    fleet.push(config_map("hello"))
    assert fleet.agent.command("sync", "--wait")[0] == 0


def test_a_suspension_has_a_reason_and_ends_by_itself(fleet: FollowedGit, kubectl: Kubectl) -> None:
    """The second time while the agent does not run, which finds out at its start."""
    agent = fleet.agent
    ends = datetime.fromtimestamp(time.time() + 20, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    seen = len(agent.lines())
    code, text = agent.command("suspend", "here/app", "--reason", REASON, "--until", ends)
    assert (code, text) == (0, f"suspend: app app of here, until {ends}\n")
    edit(fleet, kubectl, "by hand")
    status = agent.command("status")[1]
    assert f"suspended by {getpass.getuser()}@" in status
    assert f"until {ends}: {REASON}" in status
    assert agent.command("sync", "here/app")[0] == 1
    agent.await_line("suspension ended", "cluster=here", "app=app", after=seen)
    agent.await_line("reconciled ", 'cause="suspension ended"', after=seen)
    assert greeting(fleet, kubectl) == "hello"
    until(lambda: agent.command("status", "--exit-code")[0] == 0, "all is in sync")

    seen = len(agent.lines())
    assert agent.command("suspend", "here/app", "--for", "3s")[0] == 0
    edit(fleet, kubectl, "by hand")
    assert agent.end() == 0
    time.sleep(3)
    agent.start()
    agent.await_line("suspension ended", "cluster=here", "app=app", after=seen)
    agent.await_line("reconciled ", "suspension ended", after=seen)
    assert greeting(fleet, kubectl) == "hello"
    commands = [record for record in trail_of(fleet) if record["action"] in {"suspend", "end suspension"}][:2]
    assert [(each["action"], each["app"], each["reason"], each["until"]) for each in commands] == [
        (action, "app", REASON, ends) for action in ("suspend", "end suspension")
    ]
    assert commands[0]["by"].startswith(getpass.getuser())
    assert agent.command("verify")[0] == 0
    assert "intact" in agent.command("verify")[1]


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--for", "2"), 1, "it has no unit"),
        (("--until", "2020-01-01T00:00Z"), 1, "has passed already"),
        (("--until", "2099-01-01 00:00"), 1, "names no time zone"),
        (("--for", "2h", "--until", "2099-01-01T00:00Z"), 2, "not allowed with"),
        (("--cluster", "here"), 2, "named twice"),
    ],
    ids=["unit", "past", "zone", "both", "target"],
)
def test_a_wrong_end_or_target_suspends_nothing(
    fleet: FollowedGit, words: tuple[str, ...], code: int, why: str
) -> None:
    done, text = fleet.agent.command("suspend", "here", *words)
    assert (done, why in text) == (code, True), text
    assert json.loads(fleet.agent.command("status", "--json")[1])["clusters"][0]["suspensions"] == []


def test_resume_is_in_the_trail_and_starts_a_run(fleet: FollowedGit) -> None:
    runs = len(fleet.agent.runs())
    assert fleet.agent.command("suspend", "here", "--reason", REASON)[0] == 0
    assert re.search(r"^here +suspended ", fleet.agent.command("status")[1], re.MULTILINE)
    assert fleet.agent.command("resume", "here") == (0, "resume: here\n")
    assert "cause=resumed" in fleet.agent.await_run(more_than=runs)
    assert [record["action"] for record in trail_of(fleet)[-2:]] == ["suspend", "resume"]


def test_logs_says_where_the_log_is_and_the_version_needs_no_agent(fleet: FollowedGit) -> None:
    code, text = fleet.agent.command("logs")
    assert (code, "PLUMB_AGENT_UNIT names no unit" in text) == (2, True)
    assert fleet.agent.command("--version") == (0, f"plumb-agent {VERSION}\n")
    in_pod = subprocess.run(
        [sys.executable, "-m", "ansible_collections.plumb.gitops.controller", "logs", "-f"],
        env={**os.environ, "KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": f"plumb-agent-{uuid.uuid4().hex[:5]}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert in_pod.returncode == 2
    assert f"kubectl -n plumb-system logs {'plumb-agent-'}" in in_pod.stderr
    assert in_pod.stderr.endswith(" -f\n")
