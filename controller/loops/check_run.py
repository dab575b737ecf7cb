# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check runs: what the next run of a cluster would do, for `plumb-agent diff`.

It is the playbook with `--check --diff`, beside the runs of the cluster, since it writes nothing; one after another.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

from ..runner.run_pool import RunRequest
from ..store.agent_state import AgentServices, AgentState
from .cluster_loop import PLAYBOOK
from .commands import CommandRequest, Commands

_NO_OUTPUTS = {"plumb_commit_status": False, "plumb_hooks": {}, "plumb_notifications": []}


class CheckRuns:
    """Makes one check run at a time."""

    def __init__(self, commands: Commands, shared: AgentServices) -> None:
        self._commands, self._shared = commands, shared
        self._turn = asyncio.Lock()
        self.used: list[Path] = []  # copies of inventories that check runs read now

    async def diff(self, request: CommandRequest) -> dict[str, Any]:
        """Return what the next run of a cluster, or of one of its apps, would do.

        `lines` are those of the playbook, `changed` says whether it would change something, `failures` why it could
        not be found out, `silent` names sources that did not answer. An app that is named is looked at even if it is
        suspended. Raises InputError.
        """
        if not request.cluster:
            raise InputError("diff", "carrying out the command", "it names no cluster", "Name one.")
        self._commands.named(request.cluster, request.app)
        async with self._turn:
            silent = await self._commands.sources.ask(
                request.cluster, frozenset({request.app}) if request.app else None
            )
            in_force = self._shared.in_force()
            self.used.append(in_force.accepted.folder)
            try:
                outcome = await self._shared.runs.make(_check_run(in_force, request))
            finally:
                self.used.remove(in_force.accepted.folder)
        failures = list(outcome.failures)
        if outcome.code and not (failures or outcome.lines):
            failures = [f"ansible-playbook ended with code {outcome.code}"]
        return {
            "cluster": request.cluster,
            "app": request.app,
            "lines": list(outcome.lines),
            "changed": outcome.changed,
            "failed": bool(outcome.code),
            "failures": failures,
            "silent": list(silent),
        }


def _check_run(in_force: AgentState, request: CommandRequest) -> RunRequest:
    variables: dict[str, Any] = {"plumb_fetch": "never", "plumb_retry_refused": True, **_NO_OUTPUTS}
    if request.app:
        variables["plumb_only"] = [request.app]
    elif suspended := in_force.suspensions.apps(request.cluster):
        variables["plumb_suspended"] = list(suspended)
    return RunRequest(
        playbook=PLAYBOOK,
        inventory=in_force.accepted.path,
        limit=request.cluster,
        timeout=in_force.config.run_timeout,
        variables=variables,
        vault_password_file=in_force.config.vault_password_file,
        keep_fork_server=in_force.config.start_ahead,
        check=True,
    )
