# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop of one cluster: waits until a run is due, makes it, reports it. Never two runs at once."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.interface.inventory.git_config_store import (
    GitConfig,
    load_git_config,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import GroupKind
from ansible_collections.plumb.gitops.plugins.module_utils.report.document import unhealthy_text

from ..core.instants import file_stamp
from ..core.run_protocol import RunOutcome
from ..core.schedule import (
    DEPENDENCY,
    HEALTH,
    INTERVAL,
    RETRY,
    Pace,
    Trigger,
    Urgency,
    backoff_after,
    merge_triggers,
    wait_after,
)
from ..runner.reports import drop_old
from ..runner.run_pool import RunRequest
from ..store.agent_state import AgentServices
from ..store.app_states import (
    AppStatuses,
    HeldStates,
    read_statuses,
    startable,
    statuses_after,
    write_statuses,
)
from ..store.health_waits import HEALTHY, HealthWait
from ..store.history import after_health, read_history, write_history
from ..store.metrics import Metered
from ..store.run_state import read_record, write_record
from ..watch.change_queue import HeldApps
from ..watch.cluster_watch import ClusterWatch
from .before_sync import BeforeSync
from .health_follower import HealthFollower
from .progress_log import ProgressLog
from .run_result import history_after, log_values, record_after
from .run_variables import run_variables

PLAYBOOK = "plumb.gitops.reconcile"


class ClusterLoop:
    """The loop of one cluster."""

    def __init__(self, name: str, shared: AgentServices) -> None:
        self.name = name
        self._shared = shared
        config = shared.in_force().config
        self._records = config.state_dir / "clusters"
        self.record = read_record(self._records, name)
        self._histories = config.state_dir / "history"
        self.history = read_history(self._histories, name)
        self.running_since = 0.0  # seconds since the epoch; 0 where no run is under way
        self._apps_in_run: frozenset[str] | None = None  # of the run under way; None: all of them
        self.begun = 0  # runs since the start
        self.progress = ProgressLog(name, shared.log, shared.changed)
        self.inventory_used: Path | None = None
        self.config: GitConfig | None = None
        self.read_config()
        self.health = HealthFollower(self, config.state_dir / "health")
        self._states = config.state_dir / "apps"
        self.app_states: AppStatuses = read_statuses(self._states, name)
        self._interval = config.interval
        self._paced = self._due = time.monotonic()
        self._trigger: Trigger | None = Trigger("started")
        self.before_sync = BeforeSync(
            name, shared, may_run=lambda: self.may_run, passed=self._admit, failed=self._hook_failed
        )
        self._not_before = 0.0  # by time.monotonic(): until then only an operator may ask for a run
        self._stopped = 0  # runs in a row that the API server's failures stopped
        self._warned: frozenset[str] = frozenset()
        self._wakeup = asyncio.Event()
        self.watch = ClusterWatch(
            self,
            self._held_apps,
            self.health,
            shared.log,
            lambda: shared.metrics.count_watch_restart(name),
        )

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the inventory says of this cluster."""
        settings: Mapping[str, Any] = self._shared.in_force().accepted.settings[self.name]
        return settings

    @property
    def apps(self) -> tuple[str, ...]:
        """The apps by name: those of the inventory, and those that its config in Git adds."""
        return tuple(dict.fromkeys(app["name"] for app in self.all_apps))

    @property
    def git_apps(self) -> tuple[Mapping[str, Any], ...]:
        """The apps that the config in Git adds, as their options."""
        return self.config.apps if self.config is not None else ()

    @property
    def all_apps(self) -> tuple[Mapping[str, Any], ...]:
        """All apps, with the source and the path of each."""
        return (*self.settings["apps"], *self.git_apps)

    @property
    def metered(self) -> Metered:
        """What there are series of."""
        of_git = self.config.sources if self.config is not None else ()
        sources = {str(source["name"]) for source in (*self.settings["sources"], *of_git)}
        return Metered(frozenset(self.apps), frozenset(sources), bool(self.settings.get("image_updates")))

    @property
    def kinds(self) -> frozenset[GroupKind]:
        """The kinds of the objects that the last run saw."""
        names = {name for app in self.record.summary.get("apps", ()) for name in app.get("kinds", ())}
        return frozenset(map(GroupKind.parse, names))

    @property
    def seconds_left(self) -> float:
        """Seconds until the next run is due, if nothing asks for one before."""
        return max(0.0, self._due - time.monotonic())

    @property
    def backs_off(self) -> float:
        """Seconds for which the cluster is left alone, since its API server failed for all; 0 where it is not."""
        return max(0.0, self._not_before - time.monotonic())

    @property
    def may_run(self) -> bool:
        """Whether a run may be made now: this agent leads, and the cluster is not suspended."""
        in_force = self._shared.in_force()
        return in_force.may_run and not in_force.suspensions.holds(self.name)

    def read_config(self) -> None:
        """Read the config in Git that is in force; a run puts it there."""
        config = self.settings.get("config")
        self.config = load_git_config(Path(config["file"])) if config else None

    def request_run(self, trigger: Trigger) -> None:
        """Ask for a run: now, or as soon as the one that is under way has ended."""
        if not self._waits_for_hook(trigger):
            self._admit(trigger)

    def _waits_for_hook(self, trigger: Trigger) -> bool:
        """Return whether a hook runs before this; it asks for the run again, so that of the interval waits, too."""
        waits = self.before_sync.takes(trigger)
        if waits and trigger.apps is None:
            self._due = time.monotonic() + self._interval
        return waits

    def _admit(self, trigger: Trigger) -> None:
        """Have a run made that waits for no hook."""
        self._trigger = merge_triggers(self._trigger, trigger)
        self._wakeup.set()

    def _hook_failed(self, trigger: Trigger, outcome: RunOutcome) -> None:
        """Record a sync that its hook has kept back."""
        self.begun += 1  # for whoever waits for the run that they asked for
        before, self.record = self.record, record_after(self.record, outcome, trigger, None, time.time())
        if self.record.failures != before.failures:  # told once, until it has passed
            self._shared.log.error("hook failed", **log_values(self.name, outcome, trigger, 0.0))
        self._paced = time.monotonic()
        self._set_due()
        write_record(self._records, self.name, self.record)
        self.history = history_after(self.history, outcome, self.record, whole=False)
        write_history(self._histories, self.name, self.history)
        self.update_states()
        self._wakeup.set()
        self._shared.changed(self.name)

    def announce(self, source: str, commit: str) -> None:
        """Have others told that a commit of a source is to be applied."""
        self._shared.deliveries.add_pending(self.name, source, commit)

    @property
    def undelivered(self) -> list[dict[str, Any]]:
        """What waits to be delivered, by receiver."""
        return self._shared.deliveries.status(self.name)

    def apply_state(self) -> None:
        """Apply a change of the agent's state: a resumption, a lead, a configuration."""
        self.read_config()
        if self._interval != self._shared.in_force().config.interval:
            self._set_due()
        self._follow_or_end()
        self.update_states()
        self.health.wake()
        self.before_sync.start()
        self._wakeup.set()
        self._shared.changed(self.name)

    def _follow_or_end(self) -> None:
        in_force = self._shared.in_force()
        if in_force.config.watch and in_force.may_run and self.name in in_force.accepted.settings:
            try:
                self.watch.follow()
            except PlumbError as error:  # its runs go on, and find at the interval what changes
                self._shared.log.error("not watching", cluster=self.name, why=error)
        else:
            self.watch.end()

    def _held_apps(self) -> HeldApps:
        """Return the apps that changes may not start runs of."""
        in_force = self._shared.in_force()
        suspended = {app["name"] for app in self.all_apps if app.get("suspend")}
        everything = not in_force.may_run or in_force.suspensions.holds(self.name)
        return HeldApps(everything, frozenset({*in_force.suspensions.apps(self.name), *suspended}))

    async def loop(self) -> None:
        """Make runs for ever. Cancelling it ends the run that is under way, and the watch."""
        self._follow_or_end()
        if self._trigger is not None:
            trigger, self._trigger = self._trigger, None
            self.request_run(trigger)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.health.loop())
                tasks.create_task(self._loop())
        finally:
            self.before_sync.end()
            self.watch.end()

    async def _loop(self) -> None:
        while True:
            trigger = await self._next()
            if not self.begun:
                await self._shared.sources.first_pulls(self.name)
            try:
                async with self._shared.turns.turn(partial(self._urgency, trigger), self._interval):
                    if self._trigger is not None:  # asked for while the turn was waited for
                        trigger, self._trigger = merge_triggers(trigger, self._trigger), None
                    if not self.may_run:  # suspended meanwhile
                        self._trigger = trigger
                        continue
                    await self._run(trigger)
            except Exception as error:  # noqa: BLE001 - the loop goes on whatever a run came to
                self.record = replace(self.record, failed=self.record.failed + 1)
                self._paced = time.monotonic()
                self._set_due()
                self._shared.log.error(
                    "not reconciled",
                    cluster=self.name,
                    why=f"{type(error).__name__}: {error}",
                    cause=trigger.cause,
                )
                self._shared.changed(self.name)

    def _urgency(self, trigger: Trigger) -> Urgency:
        """Return how urgent the run of this trigger is, with what was asked for since."""
        return (trigger if self._trigger is None else merge_triggers(trigger, self._trigger)).urgency

    async def _next(self) -> Trigger:
        """Wait until a run is due and may be made."""
        while True:
            self._wakeup.clear()
            may_run = self.may_run
            if may_run and self.backs_off and not (self._trigger and self._trigger.is_by_hand):
                await self._wait(self.backs_off)
                continue
            left = self._due - time.monotonic()
            if may_run and left <= 0:
                due = Trigger(RETRY if self.record.failed else INTERVAL)
                if self._waits_for_hook(due):
                    continue
                trigger = merge_triggers(self._trigger, due)
                trigger = self._trigger if self._trigger and self._trigger.apps is None else trigger
                self._trigger = None
                return trigger
            if may_run and self._trigger is not None:
                trigger, self._trigger = self._trigger, None
                return trigger
            await self._wait(left if may_run else None)

    async def _wait(self, seconds: float | None) -> None:
        """Wait until something has changed, at most `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wakeup.wait()

    async def _run(self, trigger: Trigger) -> None:
        in_force = self._shared.in_force()
        started = time.time()
        folder = in_force.config.state_dir / "reports" / self.name
        stamp = file_stamp(time.time())
        request = RunRequest(
            playbook=PLAYBOOK,
            inventory=in_force.accepted.path,
            limit=self.name,
            timeout=in_force.config.run_timeout,
            variables=run_variables(
                self.name, in_force, trigger, folder / f"{stamp}.json", self.before_sync.pulled
            ),
            report=folder / f"{stamp}.json",
            vault_password_file=in_force.config.vault_password_file,
            keep_fork_server=in_force.config.start_ahead,
        )
        self.running_since, self.inventory_used = started, in_force.accepted.folder
        self._apps_in_run = trigger.apps
        self.begun += 1
        self.progress.begin()
        self.watch.run_began()
        self._shared.changed(self.name)
        try:
            outcome = await self._shared.runs.make(request, self.progress.update)
        finally:
            self.progress.end()
            self.running_since, self.inventory_used = 0.0, None
        whole = trigger.apps is None
        self.record = record_after(self.record, outcome, trigger, request.report, time.time())
        if whole or self.record.failed:
            self._paced = time.monotonic()
            self._set_due()
        self._back_off(outcome)
        self._report(outcome, trigger, time.time() - started)
        self.read_config()
        self._follow_health(outcome)
        self.watch.run_ended(outcome, trigger)
        self._shared.deliveries.add(self.name)
        drop_old(folder, in_force.config.keep_reports)
        write_record(self._records, self.name, self.record)
        was_stopped = bool(outcome.summary.get("stopped"))
        self.history = history_after(self.history, outcome, self.record, whole=whole and not was_stopped)
        write_history(self._histories, self.name, self.history)
        self.update_states()
        self._shared.changed(self.name)

    def _follow_health(self, outcome: RunOutcome) -> None:
        commits = {app["name"]: self.record.commit_of(app["source"]) for app in self.all_apps}
        self.health.run_ended(outcome.summary, commits, self.record.report, frozenset(self.apps))
        self.watch.update_followed()
        self._start_dependents()

    def is_in_run(self, app: str) -> bool:
        """Return whether a run of this app is under way."""
        return bool(self.running_since) and (self._apps_in_run is None or app in self._apps_in_run)

    def health_ended(self, waits: Sequence[HealthWait]) -> None:
        """Record that apps are healthy, or are not in their time; apps that depend on a healthy one are due."""
        for wait in waits:
            self._log_health(wait)
            self.history = after_health(self.history, wait, time.time())
            self._shared.deliveries.add_health(self.name, wait)
        write_history(self._histories, self.name, self.history)
        self.watch.update_followed()
        self._start_dependents()
        self.update_states()
        self._shared.changed(self.name)

    def _log_health(self, wait: HealthWait) -> None:
        about = {"cluster": self.name, "app": wait.app, "seconds": round(wait.ended - wait.began, 1)}
        if wait.result == HEALTHY:
            self._shared.log.info("healthy", **about)
        else:
            why = "; ".join(map(unhealthy_text, wait.unhealthy[:3])) or wait.waits_for
            self._shared.log.error("not healthy", **about, why=why, report=wait.report)

    def health_unreadable(self, apps: frozenset[str]) -> None:
        """Have a run read the health of these apps."""
        self.request_run(Trigger(HEALTH, apps))

    def _start_dependents(self) -> None:
        """Ask for a run of the apps that wait for others which are all healthy by now."""
        depends_on = {app["name"]: tuple(app.get("depends_on") or ()) for app in self.all_apps}
        due = startable(depends_on, self.record.summary.get("apps", ()), self.health.waits.by_app)
        if due:
            self.request_run(Trigger(DEPENDENCY, due))

    def update_states(self) -> None:
        """Bring the states of the apps up to date with what is known of them."""
        held = HeldStates(
            suspended=self._held_apps().apps,
            conflicting=frozenset(conflict.key.app for conflict in self.watch.conflicts()),
        )
        records = self.record, self.history, self.health.waits
        states = statuses_after(self.app_states, self.all_apps, *records, held, time.time())
        if states != self.app_states:
            self.app_states = states
            with contextlib.suppress(OSError):  # they follow from other records
                write_statuses(self._states, self.name, states)

    def _back_off(self, outcome: RunOutcome) -> None:
        """Leave the cluster alone for a while where its API server failed for one request after another."""
        stopped = outcome.summary.get("stopped", "")
        if not stopped:
            self._stopped, self._not_before = 0, 0.0
            return
        self._stopped += 1
        seconds = backoff_after(self._stopped, random.random())  # noqa: S311 - spreads load
        self._not_before = time.monotonic() + seconds
        self._due = max(self._due, self._not_before)
        self._shared.log.warning(
            "backing off",
            cluster=self.name,
            seconds=round(seconds),
            why=stopped,
            instead="no run of this cluster until then, except by sync or resume",
        )

    def _set_due(self) -> None:
        """Set when the next run is due, counted from the end of the last one."""
        config = self._shared.in_force().config
        self._interval = config.interval
        if self.begun:
            pace = Pace(config.interval, config.jitter)
            self._due = self._paced + wait_after(pace, self.record.failed, random.random())  # noqa: S311 - spreads load

    def _report(self, outcome: RunOutcome, trigger: Trigger, seconds: float) -> None:
        metrics = self._shared.metrics
        metrics.count_run(self.name, self.record, outcome.summary, seconds)
        metrics.keep_only(self.name, self.metered)
        log, values = self._shared.log, log_values(self.name, outcome, trigger, seconds)
        for why in outcome.warnings:
            if why not in self._warned:  # logged once, until it has passed
                log.warning("not reported", cluster=self.name, why=why)
        self._warned = frozenset(outcome.warnings)
        if self.record.result == "succeeded":
            log.info("reconciled", **values)
        elif outcome.summary and self.record.result == "failed":
            log.error("reconciled in part", **values)
        else:
            log.error("not reconciled", **values)
