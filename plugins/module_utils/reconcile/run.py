# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run over the apps of one cluster: a check, or bringing the cluster to what Git says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ..cluster.client import Cluster
from ..model.app import AppSpec, AppState, Checkout
from ..model.errors import ClusterError, PlumbError, SourceError
from ..model.objects import Body, Manifest, ObjectRef
from ..model.plan import AppResult, Plan
from ..model.run_options import RunOptions
from .apply.apply_app import AppliedApp, apply_app
from .applyset.inventory import SetIdentity, app_of_parent, hinted_kinds, identity_of
from .applyset.recovery import scan
from .desired.dependencies import dependencies
from .desired.desired_state import RENDERERS, DesiredState, Render, check_former_names, identities_of
from .membership.record_store import RecordStore
from .plan.context import RunContext
from .plan.plan_apps import AppPlan, plan_apps
from .plan.snapshot import read_parents
from .plan.verified_cache import VerifiedState, VerifiedStates

# Executed side by side. Most of their time they wait for health, and those that wait must not hold up the others; their
# requests share the cluster's bound on concurrency.
_APPS_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run is to do. `render` gives an app's manifests from its source's checkout."""

    apps: tuple[AppSpec, ...]
    sources: Mapping[str, Checkout | PlumbError]
    render: Callable[[Checkout, AppSpec], tuple[Manifest, ...]]
    options: RunOptions
    verified: VerifiedStates = field(default_factory=dict)  # what earlier runs verified
    remarks: Callable[[str], tuple[str, ...]] = (
        lambda _app: ()
    )  # what an app's rendering has to say, once it is made
    unread: str = ""  # why there may be apps that are not among `apps`: then nothing is pruned


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run found and did: one result per selected app, in the inventory's order.

    `unclaimed` are apply sets of ours that no app claims, as `app shop (ConfigMap shop/plumb-shop)`. `looks` are what
    this run proved, and what earlier ones did of apps that it does not select.
    """

    apps: tuple[AppResult, ...]
    unclaimed: tuple[str, ...]
    verified: VerifiedStates


def run_apps(cluster: Cluster, run: Run) -> RunResult:
    """Plan the selected apps and, unless it is a check, carry the plans out; what is independent goes side by side.

    Raises InputError for apps that contradict themselves and ClusterError where nothing at all can be read.
    """
    options, home = run.options, run.options.namespace
    selected = [app for app in run.apps if not options.only or app.name in options.only]
    dependencies(run.apps)
    check_former_names(run.apps, home)
    with _rendering(run, selected) as render:
        discovery = cluster.discover()
        sets = {app.name: identities_of(app, home) for app in run.apps}
        parents = read_parents(cluster, discovery, [identity for its in sets.values() for identity in its])
        records = RecordStore(cluster, home, options.owner)
        lost = [
            sets[app.name]
            for app in selected
            if not app.suspend and _is_lost(sets[app.name], parents, records)
        ]
        used = {
            kind
            for body in parents.values()
            if not isinstance(body, ClusterError)
            for kind in hinted_kinds(body)
        }
        recovered = scan(cluster, discovery, [identity.id for its in lost for identity in its], used)
        desired = DesiredState(
            run.apps, [app.name for app in selected], render, discovery, home, unread=run.unread
        )
        desired.load()
        setting = RunContext(
            cluster=cluster,
            records=records,
            recovered=recovered,
            desired=desired,
            parents=parents,
            revisions={n: c.revision.short for n, c in run.sources.items() if isinstance(c, Checkout)},
            options=options,
            remarks=run.remarks,
            verified=run.verified,
        )
    known = {identity.ref for its in sets.values() for identity in its}
    unclaimed = tuple(
        f"app {app} ({ref})"
        for ref, body in sorted(parents.items(), key=lambda item: item[0])
        if ref not in known
        and not isinstance(body, ClusterError)
        and (app := app_of_parent(body, options.owner))
    )
    if options.check:
        plans = plan_apps(setting, discovery, selected)
        results = [AppResult(plan=made.plan) for made in plans]
        seen: dict[str, Mapping[ObjectRef, VerifiedState]] = {
            made.inventory.identity.id: made.verified for made in plans if made.inventory is not None
        }
    else:
        waves = _Waves(setting, selected)
        results, seen = waves.run(), waves.verified
    current = {identity_of(app, home).id for app in run.apps}
    kept = {set_id: of for set_id, of in run.verified.items() if set_id in current}
    return RunResult(tuple(results), unclaimed, {**kept, **seen})


def _is_lost(
    its: Sequence[SetIdentity], parents: Mapping[ObjectRef, Body | ClusterError], records: RecordStore
) -> bool:
    """Whether nothing at all is known of what an app has: it has neither a parent nor a record, as when it is new."""
    if its[0].ref in parents:
        return False
    try:
        return not records.of(its[0]).exists
    except PlumbError:
        return False  # it is told where the record is needed


@contextmanager
def _rendering(run: Run, selected: Sequence[AppSpec]) -> Iterator[Render]:
    """How an app is rendered; within this block the selected ones are being rendered while the cluster is asked."""
    render = renderer(run)
    with ThreadPoolExecutor(RENDERERS) as pool:
        begun = {a.name: pool.submit(render, a) for a in selected if a.state is AppState.PRESENT}
        try:
            yield lambda app: begun[app.name].result() if app.name in begun else render(app)
        finally:
            pool.shutdown(cancel_futures=True)


def renderer(run: Run) -> Callable[[AppSpec], tuple[Manifest, ...]]:
    """What gives an app's manifests; it raises what kept the app's source from being pulled, or rendered."""

    def render(app: AppSpec) -> tuple[Manifest, ...]:
        checkout = run.sources.get(app.source)
        if isinstance(checkout, PlumbError):
            raise checkout
        if checkout is None:
            raise SourceError(
                f"app {app.name}",
                "looking for its source",
                f"there is no source {app.source!r} among {', '.join(sorted(run.sources)) or 'none'}",
                "Correct source in plumb_apps, or add it to plumb_sources.",
            )
        return run.render(checkout, app)

    return render


class _Waves:
    """Plans together what may start together, executes side by side, and lets the next start as each app is done."""

    def __init__(self, setting: RunContext, selected: Sequence[AppSpec]) -> None:
        self._setting = setting
        self._apps = {app.name: app for app in selected}
        self._results: dict[str, AppResult] = {}
        self._held: list[str] = []  # settled without being executed
        self.verified: dict[str, Mapping[ObjectRef, VerifiedState]] = {}  # by set

    def run(self) -> list[AppResult]:
        sorter = dependencies([_within(app, self._apps) for app in self._apps.values()])
        with ThreadPoolExecutor(_APPS_AT_ONCE) as pool:
            running: dict[Future[AppliedApp], AppPlan] = {}
            while sorter.is_active():
                for made in self._plan(list(sorter.get_ready())):
                    running[pool.submit(apply_app, made)] = made
                for finished in self._settled(running):
                    sorter.done(finished)
        return [self._results[name] for name in self._apps]

    def _plan(self, names: Sequence[str]) -> list[AppPlan]:
        """Plan the apps of these names that nothing holds back; what is held back has its result at once."""
        free = []
        stopped = self._setting.cluster.stopped
        for name in names:
            if stopped is not None:
                self._results[name] = AppResult(plan=Plan(app=name), executed=True, error=str(stopped))
                continue
            bad = next(
                (n for n in self._apps[name].depends_on if n in self._results and self._results[n].failed), ""
            )
            if bad:
                self._results[name] = AppResult(
                    plan=Plan(app=name),
                    executed=True,
                    error=f"app {name}: not started, because it depends on app {bad}, which failed",
                )
            else:
                free.append(self._apps[name])
        planned: list[AppPlan] = []
        try:
            planned = plan_apps(self._setting, self._setting.cluster.discover(), free)
        except ClusterError as error:
            # What other apps came to is told all the same.
            for app in free:
                self._results[app.name] = AppResult(plan=Plan(app=app.name, error=str(error)), executed=True)
        self._held = [name for name in names if name in self._results]
        return planned

    def _settled(self, running: dict[Future[AppliedApp], AppPlan]) -> list[str]:
        """The names of apps that are done now, waiting for one if none is."""
        settled = self._held
        self._held = []
        if settled or not running:
            return settled
        done, _rest = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            made, executed = running.pop(future), future.result()
            self._results[made.app.name] = executed.result
            if made.inventory is not None:
                self.verified[made.inventory.identity.id] = executed.verified
            settled.append(made.app.name)
        return settled


def _within(app: AppSpec, selected: Mapping[str, AppSpec]) -> AppSpec:
    """The app without dependencies that this run does not select: those are taken as they are."""
    return replace(app, depends_on=tuple(name for name in app.depends_on if name in selected))
