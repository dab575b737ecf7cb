# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent: puts configuration, inventory and clusters together, and handles signals and commands."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.connection import ConnectionSpec, connect
from ansible_collections.plumb.gitops.plugins.module_utils.cluster.lease import LeaseSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.duration import format_seconds
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError, PlumbError
from ansible_collections.plumb.gitops.plugins.module_utils.state.folder import make_folder

from .core.config import AT_START, Config, Election, read_config
from .core.log import Log
from .core.schedule import Trigger
from .core.suspensions import Suspensions, read_suspensions
from .core.triggers import Wakeups
from .core.turns import Turns
from .http.app import HttpServices, listen
from .http.audit_sink import AuditSink
from .http.auth import short_token
from .http.cluster_view import STATE_NAMES, ClusterSnapshot
from .http.documents import Documents
from .http.event_broker import EventBroker
from .http.fleet_view import FleetView
from .http.page import PageData
from .http.status import cluster_status, last_run_fields
from .http.webhook import WebhookReceiver
from .loops.check_run import CheckRuns
from .loops.cluster_loop import ClusterLoop
from .loops.commands import Commands
from .loops.delivery import Deliveries
from .loops.image_scan import ImageScanner
from .loops.leader import Leader, holder_name
from .loops.preview_scan import PreviewScanner
from .loops.source_pull import SourcePuller
from .loops.supervisor import Supervisor, log_unhandled
from .loops.token_renewal import TokenRenewer
from .runner.run_pool import RunPool
from .store.agent_state import AgentServices, AgentState
from .store.inventory_copy import (
    InventoryCopy,
    check_inventory_copy,
    drop_others,
    fingerprint,
    last_accepted,
)
from .store.metrics import Metrics

_FILES_INTERVAL = 2.0  # seconds between two checks of the files that the operator may change


class Agent:
    """One agent: one state folder, some clusters. `run` does all of its work."""

    def __init__(self, file: Path, config: Config, log: Log) -> None:
        self.log = log
        self.metrics = Metrics()
        self.clusters: dict[str, ClusterLoop] = {}
        self.broker = EventBroker()
        self.fleet = FleetView(lambda: sorted(self.clusters), self._snapshot, self.broker.version_of)
        self.wakeups = Wakeups()
        self.in_force = AgentState(config, InventoryCopy(Path(), Path(), {}), Suspensions())
        self._file = file
        self._runs = RunPool(config.runtime_dir)
        self._deliveries = Deliveries(
            lambda: self.in_force, self._runs, log, self._sources_of, self.broker.changed
        )
        self._sources = SourcePuller(self.clusters, lambda: self.in_force, log, self.wakeups, self.metrics)
        self._shared = AgentServices(
            lambda: self.in_force,
            self._runs,
            log,
            self.metrics,
            Turns(lambda: self.in_force.config.max_runs),
            self._deliveries,
            self._sources,
            self._cluster_changed,
        )
        self._commands = Commands(self.clusters, lambda: self.in_force, self._suspend, log, self._sources)
        self._checks = CheckRuns(self._commands, self._shared)
        self._scanner = ImageScanner(self.clusters, self._shared, self.wakeups)
        self._previews = PreviewScanner(self.clusters, self._shared, self.wakeups)
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._supervisor = Supervisor(log, self.metrics.count_loop_restart)
        self._reload = asyncio.Event()
        self._files_seen: tuple[str, ...] = ()

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT, then end every run at once. Raises PlumbError or OSError if it cannot begin."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_unhandled(self.log))
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        work = asyncio.ensure_future(self._work())
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, work.cancel)
        try:
            await work
        except asyncio.CancelledError:
            self.log.info("stopped")
        finally:
            self._runs.end_all("the agent stops")

    async def _work(self) -> None:
        config = self.in_force.config
        with _exclusive(config.state_dir):
            self._runs.prepare()
            if config.leader_election is not None:
                self.in_force = replace(self.in_force, may_run=False, lease_file=self._lease_file())
                self.metrics.set_leader(leader=False)
            suspensions = read_suspensions(config.state_dir / "suspensions")
            self._files_seen = self._files_state()
            accepted = await self._first_inventory(config)
            self._set_state(replace(self.in_force, accepted=accepted, suspensions=suspensions))
            async with AsyncExitStack() as stack:
                web = await listen(config.http, self._http_services())
                if short := short_token(config.http):
                    self.log.warning("short token", why=short)
                stack.push_async_callback(web.cleanup)
                tasks = await stack.enter_async_context(asyncio.TaskGroup())
                self._update_clusters(tasks)
                for name, make in self._common_loops(tasks).items():
                    tasks.create_task(self._supervisor.run_forever(name, make), name=name)

    def _common_loops(self, tasks: asyncio.TaskGroup) -> dict[str, Callable[[], Awaitable[None]]]:
        """Return the loops that are for all clusters, by name, each as the function that begins it."""
        loops: dict[str, Callable[[], Awaitable[None]]] = {
            "files": lambda: self._watch_files(tasks),
            "sources": self._sources.loop,
            "images": self._scanner.loop,
            "previews": self._previews.loop,
            "deliveries": self._deliveries.loop,
            "suspensions": self._commands.end_overdue,
            "tokens": lambda: TokenRenewer(lambda: self.in_force, self.log).loop(),
        }
        election = self.in_force.config.leader_election
        if election is not None:
            loops["leader"] = lambda: self._leader(election).run(asyncio.Event())
        return loops

    def _http_services(self) -> HttpServices:
        documents = Documents(
            self._commands, self.fleet, lambda: self.in_force, self._supervisor.status, self.broker
        )
        return HttpServices(
            health=self._defects,
            readiness=self._not_ready,
            metrics=self._metrics_text,
            status=documents.status,
            commands=self._commands,
            diff=self._checks.diff,
            history=documents.history,
            sink=self._sink(),
            receiver=self._receiver(),
            page=PageData(
                documents.state, self.broker, lambda query: self.fleet.search(query, now=time.time())
            ),
        )

    def _snapshot(self, cluster: str) -> ClusterSnapshot:
        loop = self.clusters[cluster]
        return ClusterSnapshot(
            status=cluster_status(self.in_force, loop), history=loop.history, apps=loop.all_apps
        )

    def _metrics_text(self) -> bytes:
        for cluster, states in self.fleet.app_states():
            self.metrics.set_app_states(cluster, states, STATE_NAMES)
        return self.metrics.text()

    def _sources_of(self, cluster: str) -> Mapping[str, str]:
        """Return the source of each app of a cluster, by the app's name."""
        loop = self.clusters.get(cluster)
        return {app["name"]: app["source"] for app in loop.all_apps} if loop is not None else {}

    def _sink(self) -> AuditSink | None:
        config = self.in_force.config
        token = config.http.audit_token_file
        return AuditSink(config.state_dir / "audit", token, self.clusters.keys) if token is not None else None

    def _receiver(self) -> WebhookReceiver | None:
        webhooks = self.in_force.config.http.webhooks
        if not webhooks:
            return None
        return WebhookReceiver(
            webhooks, self.wakeups, lambda: self.in_force.may_run, self.metrics.count_delivery
        )

    def _leader(self, election: Election) -> Leader:
        async def lead(*, leads: bool) -> None:
            self.in_force = replace(self.in_force, may_run=leads)
            self.metrics.set_leader(leader=leads)
            if not leads:
                self._runs.end_all("this agent no longer leads")
            self._deliveries.wake()
            for cluster in self.clusters.values():
                cluster.apply_state()
                if leads and cluster.begun:  # what another agent has left
                    self._sources.request(cluster, Trigger("leading"))

        connection = ConnectionSpec(kubeconfig=election.kubeconfig, context=election.context)
        return Leader(
            spec=LeaseSpec(
                namespace=election.namespace,
                name=election.name,
                holder=holder_name(),
                duration=round(election.duration),
            ),
            open_cluster=lambda: connect(connection, circuit_breaker=False),
            retry=election.retry,
            file=self._lease_file(),
            started=lambda: lead(leads=True),
            ended=lambda: lead(leads=False),
            log=self.log,
        )

    def _lease_file(self) -> Path:
        return self.in_force.config.runtime_dir / "lease"

    def _suspend(self, state: AgentState) -> None:
        self.in_force = state
        for cluster in self.clusters.values():
            cluster.apply_state()

    def _defects(self) -> list[str]:
        """Return the problems that only a restart can solve, a line each."""
        return [f"the loop of cluster {name} has ended" for name, loop in self._loops.items() if loop.done()]

    def _not_ready(self) -> list[str]:
        """Return the reasons why the agent is not ready, a line each: no cluster has had a first run, though it may."""
        state = self.in_force
        due = [name for name in self.clusters if state.may_run and not state.suspensions.holds(name)]
        waits = due and not any(self.clusters[name].record.ended for name in due)
        return [*self._defects(), *(["no run has ended yet"] if waits or not self.clusters else [])]

    async def _first_inventory(self, config: Config) -> InventoryCopy:
        """Return the inventory to begin with: as it is now, else the one that was in force last."""
        last = last_accepted(config)
        try:
            return await check_inventory_copy(config, self._runs, None)
        except PlumbError as error:
            if last is None:
                raise
            self.log.error("inventory refused", why=error, instead="the last one that was accepted")
            return last

    def _set_state(self, state: AgentState) -> None:
        """Put the state in force."""
        self.in_force = state
        names = sorted(state.accepted.settings)
        self.log.info("in force", clusters=",".join(names), interval=format_seconds(state.config.interval))

    def _update_clusters(self, tasks: asyncio.TaskGroup) -> None:
        """Start the loops of new clusters of the inventory, and stop those of clusters that left it."""
        wanted = self.in_force.accepted.settings.keys()
        for name in self.clusters.keys() - wanted:
            self._loops.pop(name).cancel()
            del self.clusters[name]
            self.metrics.forget(name)
            self._cluster_changed(name)
        for name in sorted(wanted - self.clusters.keys()):
            cluster = self.clusters[name] = ClusterLoop(name, self._shared)
            self.metrics.add_cluster(name, cluster.record)
            self.metrics.set_watch(name, cluster.watch)
            self.metrics.set_pace(name, cluster)
            self.metrics.set_deliveries(name, self._deliveries.status)
            self.metrics.keep_only(name, cluster.metered)
            if cluster.record.result:
                self.log.info("last run", **last_run_fields(cluster))
            loop = self._supervisor.run_forever(f"cluster {name}", cluster.loop, name)
            self._loops[name] = tasks.create_task(loop, name=name)

    def _cluster_changed(self, name: str) -> None:
        self.broker.changed(name)
        self._sources.changed()

    async def _watch_files(self, tasks: asyncio.TaskGroup) -> None:
        """Reload at SIGHUP, and when a file has changed."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FILES_INTERVAL):
                    await self._reload.wait()
            asked = self._reload.is_set()
            self._reload.clear()
            files = await asyncio.to_thread(self._files_state)
            if asked or files != self._files_seen:
                self._files_seen = files
                await self._reload_files(tasks)
            await self._drop_copies()

    async def _reload_files(self, tasks: asyncio.TaskGroup) -> None:
        """Read the files again and put them in force; if one is wrong, nothing changes."""
        before = self.in_force
        try:
            config = read_config(self._file)
            fixed = {name: getattr(before.config, name) for name in AT_START}
            later = [name for name, value in fixed.items() if getattr(config, name) != value]
            config = replace(config, **fixed)
            accepted = await check_inventory_copy(config, self._runs, before.accepted)
        except (PlumbError, OSError) as error:
            self.log.error("reload refused", why=error, instead="the former one stays in force")
            return
        if later:
            self.log.warning("restart needed", why=f"only a restart changes {', '.join(later)}")
        if (config, accepted) == (before.config, before.accepted):
            self.log.info("nothing changed")
            return
        self._set_state(replace(self.in_force, config=config, accepted=accepted))
        self._update_clusters(tasks)
        for cluster in self.clusters.values():
            cluster.apply_state()
            if accepted is not before.accepted and cluster.begun:
                self._sources.request(cluster, Trigger("inventory changed"))
            self.metrics.keep_only(cluster.name, cluster.metered)

    async def _drop_copies(self) -> None:
        """Remove copies of inventories; one that a run still uses is removed later."""
        used = {cluster.inventory_used for cluster in self.clusters.values() if cluster.inventory_used}
        hooks = {cluster.before_sync.inventory for cluster in self.clusters.values()}
        used |= {inventory for inventory in hooks if inventory is not None}
        used |= (
            self._scanner.inventories
            | self._deliveries.inventories
            | {self.in_force.accepted.folder, *self._previews.used, *self._checks.used}
        )
        await asyncio.to_thread(drop_others, self.in_force.config, used)

    def _files_state(self) -> tuple[str, ...]:
        """Return a value that changes when the configuration or the inventory changes."""
        try:
            status = self._file.stat()
            config = f"{status.st_mtime_ns} {status.st_size} {status.st_ino}"
        except OSError:
            config = ""
        return config, fingerprint(self.in_force.config)


@contextlib.contextmanager
def _exclusive(state_dir: Path) -> Iterator[None]:
    """Hold the state folder for this process. Raises InputError where another agent has it."""
    make_folder(state_dir)
    with (state_dir / "lock").open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise InputError(
                f"state_dir {state_dir}",
                "starting",
                "another agent works with it",
                "Stop that one, or give this one its own state_dir.",
            ) from exc
        yield
