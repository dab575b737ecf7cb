# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent shows how far a run is while it goes on, in its status and its API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.tests.support.agent.agent_fleet import AgentFleet
from ansible_collections.plumb.gitops.tests.support.agent.process import running, until
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map

OBJECTS = 1200  # one after another, which takes some seconds


def test_the_status_has_the_progress_of_a_run(sandbox: Sandbox, tmp_path: Path, namespace: str) -> None:
    fleet = AgentFleet(sandbox, tmp_path, "agent-progress", namespace)
    fleet.repository.commit({"app/all.yaml": "".join(config_map(f"c{number}") for number in range(OBJECTS))})
    fleet.write(plumb_concurrency=1, plumb_progress="always")
    with running(fleet.agent) as agent:
        progress: dict[str, Any] = until(lambda: _progress(*agent.command("status", "--json")), "progress")
        assert progress["phase"] == "applying"
        assert progress["total"] == OBJECTS
        assert 0 < progress["done"] < OBJECTS
        assert progress["text"] == f"{progress['done']:,} of 1,200 applied"
        agent.await_run()
        assert not json.loads(agent.command("status", "--json")[1])["clusters"][0]["progress"]


def _progress(code: int, status: str) -> Any:
    if code:  # it does not listen yet
        return None
    progress = json.loads(status)["clusters"][0]["progress"]
    return progress if progress.get("phase") == "applying" and progress["done"] else None
