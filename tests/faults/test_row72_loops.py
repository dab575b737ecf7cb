# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A defect in any one loop of the agent, and one cluster's hostile credentials, stop nothing else (row 72)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ansible_collections.plumb.gitops.tests.support.agent.agent_on_git import FollowedGit, followed_git
from ansible_collections.plumb.gitops.tests.support.agent.process import until
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map

# Each loop of the agent, what the log calls it, and something that it calls again and again.
LOOPS = {
    "files": "controller.agent:fingerprint",
    "sources": "controller.loops.source_pull:SourcePuller._forget_clusters",
    "deliveries": "controller.loops.delivery:Deliveries._pause",
    "suspensions": "controller.core.suspensions:Suspensions.overdue",
    "images": "controller.loops.image_scan:ImageScanner._due",
    "previews": "controller.loops.preview_scan:PreviewScanner._wanted",
    "tokens": "controller.loops.token_renewal:credentials_in_use",
    "leader": "plugins.module_utils.cluster.lease:Lease.renew",
    "cluster ill": "controller.loops.cluster_loop:ClusterLoop._next",  # the second of two
}
WATCH = "controller.watch.reflectors:Reflectors._lacking"


@pytest.fixture(scope="module")
def fleet(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FollowedGit]:
    """An agent with a defect in each loop, of two clusters; one reads its token from a file of the test's."""
    folder = tmp_path_factory.mktemp("loops")
    with followed_git(sandbox, folder) as made:
        agent = made.agent
        agent.module = "ansible_collections.plumb.gitops.tests.support.agent.faulty_agent"
        agent.environment["PLUMB_FAULTS"] = ",".join((*LOOPS.values(), WATCH))
        election = {"namespace": made.namespace, "kubeconfig": str(sandbox.kubeconfig), "retry": "2s"}
        agent.configure(
            interval="4s",
            images_interval="1s",
            previews_interval="1s",
            watch=True,
            leader_election={**election, "duration": "15s"},
        )
        ill = kubeconfig_with(token_file(folder), sandbox, folder)
        agent.inventory(
            {"here": {}, "ill": {"plumb_kubeconfig": str(ill)}},
            **made.variables(plumb_report_path=None, plumb_apps=[made.app(wait=False)]),
        )
        made.push({"all.yaml": config_map("first")})
        agent.start()
        yield made


def token_file(folder: Path) -> Path:
    return folder / "ill.token"


def kubeconfig_with(token: Path, sandbox: Sandbox, folder: Path) -> Path:
    """The sandbox's kubeconfig, with its token in a file of its own that is no text."""
    config = yaml.safe_load(sandbox.kubeconfig.read_text(encoding="utf-8"))
    user = config["users"][0]["user"]
    del user["token"]
    token.write_bytes(b"\xff\xfe")
    user["tokenFile"] = str(token)
    file = folder / "ill.kubeconfig"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return file


@pytest.mark.parametrize("loop", LOOPS)
def test_row_72_a_loop_that_ends_by_a_defect_begins_again(fleet: FollowedGit, loop: str) -> None:
    name = f'loop="{loop}"' if " " in loop else f"loop={loop}"
    line = fleet.agent.await_line("loop failed", f" {name} ")
    assert "LookupError: a defect in" in line
    assert "Traceback" not in "\n".join(fleet.agent.lines())
    series = f'plumb_loop_restarts_total{{loop="{loop}"}}'
    until(lambda: fleet.agent.series().get(series, 0) >= 1, "the restart is counted")
    _status, text = fleet.agent.get("/api/v1/status", token=fleet.token)
    assert loop in {failed["loop"] for failed in json.loads(text)["loops"]}
    assert fleet.agent.get("/healthz")[0] == 200


def test_row_72_all_loops_go_on_after_that(fleet: FollowedGit) -> None:
    before = len(fleet.agent.lines())
    commit = fleet.push({"all.yaml": config_map("second")})
    fleet.agent.await_line("reconciled  cluster=here", f"fleet@{commit[:7]}", after=before)
    fleet.agent.await_line("reconciled  cluster=here", "cause=interval", after=before)
    _status, text = fleet.agent.get("/api/v1/status", token=fleet.token)
    here = next(cluster for cluster in json.loads(text)["clusters"] if cluster["name"] == "here")
    assert here["watch"]["on"]
    until(lambda: watched(fleet), "the watch goes on after a defect in its thread")


def watched(fleet: FollowedGit) -> bool:
    _status, text = fleet.agent.get("/api/v1/status", token=fleet.token)
    here = next(cluster for cluster in json.loads(text)["clusters"] if cluster["name"] == "here")
    return bool(here["watch"]["kinds"]) and not here["watch"]["troubles"]


def test_row_72_a_pipe_in_place_of_credentials_is_reported_and_waited_for_by_nobody(
    fleet: FollowedGit,
) -> None:
    """Other hostile files are in tests/unit/cluster/test_hostile_credentials.py."""
    file = token_file(fleet.folder.parent)
    file.unlink()
    os.mkfifo(file)
    before = len(fleet.agent.lines())
    fleet.agent.await_line("not reconciled", "cluster=ill", "it is no regular file", after=before)
    fleet.agent.await_line("reconciled  cluster=here", after=len(fleet.agent.lines()))
    assert fleet.agent.get("/healthz")[0] == 200
