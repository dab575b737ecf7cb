# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Gitea tells a real agent of a push, and the agent pulls at once though its poll is an hour away."""

from __future__ import annotations

import secrets
import uuid
from pathlib import Path

from ansible_collections.plumb.gitops.tests.support.agent.process import AgentProcess, running, until
from ansible_collections.plumb.gitops.tests.support.ansible.fleet import Fleet
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import ForgeApi, new_repository
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map


def test_a_push_to_gitea_is_applied_at_once(
    sandbox: Sandbox, play: Play, namespace: str, tmp_path: Path
) -> None:
    name = f"hook-{uuid.uuid4().hex[:8]}"
    repository = new_repository(sandbox, name, tmp_path / "clone")
    repository.commit({"app/a.yaml": config_map("a")})
    api = ForgeApi(sandbox, f"{sandbox.forge_user}/{name}")
    secret = tmp_path / "hook-secret"
    secret.write_text(secrets.token_hex(32), encoding="utf-8")

    agent = AgentProcess(tmp_path / "agent")
    hook = {"name": "fleet", "kind": "gitea", "secret_file": str(secret), "sources": ["fleet"]}
    agent.configure(http={**agent.words["http"], "webhooks": [hook]}, poll_interval="1h")
    git = {"url": repository.url, "token_file": str(repository.token_file)}
    fleet = Fleet(play, sandbox, git, namespace, agent.folder)
    agent.inventory({"here": {}}, **fleet.variables(plumb_report_path=None))
    config = {
        "url": f"http://{agent.words['http']['listen']}/webhook/fleet",
        "content_type": "json",
        "secret": secret.read_text(encoding="utf-8"),
    }
    with running(agent):
        agent.await_run()
        until(lambda: not api.repo("")["empty"], "Gitea to have taken the first push in", 30)
        made = {"type": "gitea", "config": config, "events": ["push"], "active": True}
        api.repo("/hooks", "POST", made)
        pushed = repository.commit({"app/b.yaml": config_map("b")})
        line = agent.await_run(more_than=1)
        assert f"fleet@{pushed[:7]}" in line
        assert "fleet moved" in line
        delivered = agent.series()
        assert delivered['plumb_webhook_deliveries_total{status="202",webhook="fleet"}'] >= 1
