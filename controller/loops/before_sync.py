# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the hook `before_sync` of a cluster ahead of a sync, without holding the cluster's turn.

    a sync is asked for -- takes --> the hook, a run of its own -- passed --> the sync, with the commits the hook saw
                                                               -- failed --> nothing is applied; it is tried again

Meanwhile reverts go on, with the commits that the hook saw when it passed last: only a sync waits for its hook, at most
`plumb_hook_timeout`. So nothing is applied that no hook has seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from ..core.instants import file_stamp
from ..core.run_protocol import RunOutcome
from ..core.schedule import Trigger, merge_triggers
from ..runner.run_pool import DIED, RunRequest
from ..store.agent_state import AgentServices, AgentState

PLAYBOOK = "plumb.gitops.reconcile"


class BeforeSync:
    """The hook of one cluster. `passed` gets the sync that it let pass, `failed` what else the hook came to."""

    def __init__(
        self,
        cluster: str,
        shared: AgentServices,
        *,
        may_run: Callable[[], bool],
        passed: Callable[[Trigger], None],
        failed: Callable[[Trigger, RunOutcome], None],
    ) -> None:
        self._cluster, self._shared = cluster, shared
        self._may_run, self._passed, self._failed = may_run, passed, failed
        self._folder = shared.in_force().config.state_dir / "before_sync" / cluster
        self._waiting: Trigger | None = None
        self._task: asyncio.Task[None] | None = None
        self.since = 0.0  # seconds since the epoch; 0 where the hook is not running
        self.inventory: Path | None = None  # of the run of the hook

    @property
    def pulled(self) -> Path | None:
        """The record of the sources that the hook saw when it passed last; None where there is no hook."""
        return max(self._folder.glob("*.json"), default=None) if self._is_configured else None

    @property
    def _is_configured(self) -> bool:
        settings = self._shared.in_force().accepted.settings.get(self._cluster, {})
        return "before_sync" in settings.get("deliver", {}).get("hooks", ())

    def takes(self, trigger: Trigger) -> bool:
        """Return whether the hook runs before this; then `passed` or `failed` is called with it later."""
        if not self._is_configured or not (trigger.has_hook or self.pulled is None):
            return False
        self._waiting = merge_triggers(self._waiting, trigger)
        self.start()
        return True

    def start(self) -> None:
        """Start the hook, if a sync waits for it and runs may be made."""
        if self._waiting is not None and self._task is None and self._may_run():
            trigger, self._waiting = self._waiting, None
            self._task = asyncio.create_task(self._run(trigger))

    def end(self) -> None:
        """End the hook that is running."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, trigger: Trigger) -> None:
        stamp = file_stamp(time.time())
        record = self._folder / f"{stamp}.new"
        try:
            outcome = await self._make(trigger, record)
            if outcome.code == 0:
                record.replace(record.with_suffix(".json"))
        except Exception as error:  # noqa: BLE001 - whatever it came to, the sync is tried again
            outcome = RunOutcome(code=DIED, failures=(f"{type(error).__name__}: {error}",))
        finally:
            self.since, self.inventory, self._task = 0.0, None, None
        if outcome.code == 0:
            self._passed(trigger)
        elif outcome.code == DIED and not self._may_run():  # this agent no longer leads
            self._waiting = merge_triggers(trigger, self._waiting) if self._waiting else trigger
        else:
            self._failed(trigger, outcome)
        self._drop_old()
        self.start()

    async def _make(self, trigger: Trigger, record: Path) -> RunOutcome:
        await self._shared.sources.first_pulls(self._cluster)
        in_force = self._shared.in_force()
        self.since, self.inventory = time.time(), in_force.accepted.folder
        self._shared.changed(self._cluster)
        return await self._shared.runs.make(_request(self._cluster, in_force, trigger, record))

    def _drop_old(self) -> None:
        """Remove the records that no run uses: one that is under way may have the last but one."""
        for file in (*sorted(self._folder.glob("*.json"))[:-2], *self._folder.glob("*.new")):
            with contextlib.suppress(OSError):
                file.unlink()


def _request(cluster: str, in_force: AgentState, trigger: Trigger, record: Path) -> RunRequest:
    only = {"plumb_only": sorted(trigger.apps)} if trigger.apps is not None else {}
    return RunRequest(
        playbook=PLAYBOOK,
        inventory=in_force.accepted.path,
        limit=cluster,
        timeout=float(in_force.accepted.settings[cluster]["deliver"]["hook_timeout"]),
        timeout_name="plumb_hook_timeout",
        variables={
            "plumb_before_sync": True,
            "plumb_record_path": str(record),
            "plumb_fetch": "never",  # the agent pulls the sources
            **only,
        },
        vault_password_file=in_force.config.vault_password_file,
        keep_fork_server=in_force.config.start_ahead,
    )
