# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run over the apps of one cluster: a check, or bringing the cluster to what Git says.

options of the run (Run)
  render the selected apps     while discovery, parents and records are read
  DesiredState.load            which app wants which object
  plan_apps                    in a check, all apps at once; else those whose dependencies are done
  apply_app                    side by side, each app as soon as it is planned
RunResult                      one result per app, and the verified states for the next run
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ..cluster.client import Cluster
from ..cluster.discovery import Discovery
from ..model.app import AppSpec, AppState, Checkout
from ..model.errors import ClusterError, PlumbError, SourceError
from ..model.objects import Body, Manifest, ObjectRef
from ..model.plan import AppResult, Plan
from ..model.progress import Phase, Progress
from ..model.run_options import RunOptions
from .apply.apply_app import AppliedApp, apply_app
from .applyset.inventory import SetIdentity, app_of_parent, hinted_kinds, identity_of
from .applyset.recovery import scan
from .desired.dependencies import dependencies
from .desired.desired_state import RENDERERS, DesiredState, Render, check_former_names, identities_of
from .membership.member_records import MemberRecords
from .plan.appearances import Appearances, creates_of
from .plan.context import RunContext
from .plan.plan_app import AppPlan
from .plan.plan_apps import plan_apps
from .plan.snapshot import read_parents
from .plan.verified_cache import VerifiedState, VerifiedStates

# Applied side by side. Most of their time apps wait for health, which must not delay the others; their requests share
# the cluster's limit of concurrency.
_APPS_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run is to do. `render` returns an app's manifests from its source's checkout."""

    apps: tuple[AppSpec, ...]
    sources: Mapping[str, Checkout | PlumbError]
    render: Callable[[Checkout, AppSpec], tuple[Manifest, ...]]
    options: RunOptions
    verified: VerifiedStates = field(default_factory=dict)  # what earlier runs verified
    # (app) -> warnings of its rendering, once it is made.
    remarks: Callable[[str], tuple[str, ...]] = lambda _app: ()
    unread: str = ""  # why there may be apps that are not among `apps`: then nothing is pruned
    progress: Progress = field(default_factory=Progress, compare=False)  # where it is counted


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run found and did: one result per selected app, in the inventory's order.

    `unclaimed` are apply sets of this owner without an app, as `app shop (ConfigMap shop/plumb-shop)`. `verified` are
    the states that this run verified, and those of earlier runs for apps that it does not select.
    """

    apps: tuple[AppResult, ...]
    unclaimed: tuple[str, ...]
    verified: VerifiedStates


def run_apps(cluster: Cluster, run: Run) -> RunResult:
    """Plan the selected apps and, unless it is a check, apply the plans; independent apps side by side.

    Raises InputError for apps that contradict themselves and ClusterError where nothing at all can be read.
    """
    options, home = run.options, run.options.namespace
    selected = [app for app in run.apps if not options.only or app.name in options.only]
    dependencies(run.apps)
    check_former_names(run.apps, home)
    with _render_selected(run, selected) as render:
        discovery = cluster.discover()
        context = _run_context(cluster, discovery, run, selected, render)
    if options.check:
        plans = plan_apps(context, discovery, selected)
        results = [AppResult(plan=app_plan.plan) for app_plan in plans]
        verified: dict[str, Mapping[ObjectRef, VerifiedState]] = {
            app_plan.inventory.identity.id: app_plan.verified
            for app_plan in plans
            if app_plan.inventory is not None
        }
    else:
        scheduler = _AppScheduler(context, selected)
        results, verified = scheduler.run(), scheduler.verified
    current_sets = {identity_of(app, home).id for app in run.apps}
    earlier = {set_id: states for set_id, states in run.verified.items() if set_id in current_sets}
    return RunResult(tuple(results), _unclaimed_sets(run, context.parents), {**earlier, **verified})


def _run_context(
    cluster: Cluster, discovery: Discovery, run: Run, selected: Sequence[AppSpec], render: Render
) -> RunContext:
    """Read what all apps share, and wait for the rendering of the selected ones."""
    home = run.options.namespace
    sets = {app.name: identities_of(app, home) for app in run.apps}
    all_sets = [identity for identities in sets.values() for identity in identities]
    parents = read_parents(cluster, discovery, all_sets)
    records = MemberRecords(cluster, home, run.options.owner)
    unknown = [
        identity.id
        for app in selected
        if not app.suspend and _is_unknown(sets[app.name], parents, records)
        for identity in sets[app.name]
    ]
    bodies = [body for body in parents.values() if not isinstance(body, ClusterError)]
    used_kinds = {kind for body in bodies for kind in hinted_kinds(body)}
    recovered = scan(cluster, discovery, unknown, used_kinds)
    names = [app.name for app in selected]
    desired = DesiredState(run.apps, names, render, discovery, home, unread=run.unread)
    desired.load()
    checkouts = {name: source for name, source in run.sources.items() if isinstance(source, Checkout)}
    return RunContext(
        cluster=cluster,
        records=records,
        recovered=recovered,
        desired=desired,
        parents=parents,
        revisions={name: checkout.revision.short for name, checkout in checkouts.items()},
        options=run.options,
        appearances=Appearances(cluster),
        remarks=run.remarks,
        verified=run.verified,
        progress=run.progress,
    )


def _unclaimed_sets(run: Run, parents: Mapping[ObjectRef, Body | ClusterError]) -> tuple[str, ...]:
    """Return the apply sets of this owner without an app, as `app shop (ConfigMap shop/plumb-shop)`."""
    known = {identity.ref for app in run.apps for identity in identities_of(app, run.options.namespace)}
    return tuple(
        f"app {app} ({ref})"
        for ref, body in sorted(parents.items(), key=lambda item: item[0])
        if ref not in known
        and not isinstance(body, ClusterError)
        and (app := app_of_parent(body, run.options.owner))
    )


def _is_unknown(
    identities: Sequence[SetIdentity],
    parents: Mapping[ObjectRef, Body | ClusterError],
    records: MemberRecords,
) -> bool:
    """Whether nothing at all is known of what an app has: it has neither a parent nor a record, as when it is new."""
    if identities[0].ref in parents:
        return False
    try:
        return not records.load(identities[0]).exists
    except PlumbError:
        return False  # the error is reported where the record is needed


@contextmanager
def _render_selected(run: Run, selected: Sequence[AppSpec]) -> Iterator[Render]:
    """Yield how to render an app; within this block the selected ones are rendered while the cluster is read."""
    render = renderer(run)
    with ThreadPoolExecutor(RENDERERS) as pool:
        present = [app for app in selected if app.state is AppState.PRESENT]
        run.progress.begin(Phase.RENDERING, [app.name for app in present])
        started = {app.name: pool.submit(_render_counted, run.progress, render, app) for app in present}
        try:
            yield lambda app: started[app.name].result() if app.name in started else render(app)
        finally:
            pool.shutdown(cancel_futures=True)


def _render_counted(progress: Progress, render: Render, app: AppSpec) -> tuple[Manifest, ...]:
    try:
        return render(app)
    finally:
        progress.finish(app.name)


def renderer(run: Run) -> Callable[[AppSpec], tuple[Manifest, ...]]:
    """Return a function that renders an app; it raises why the app's source could not be pulled, or rendered."""

    def render(app: AppSpec) -> tuple[Manifest, ...]:
        checkout = run.sources.get(app.source)
        if isinstance(checkout, PlumbError):
            raise checkout
        if checkout is None:
            raise SourceError(
                f"app {app.name}",
                "finding its source",
                f"there is no source {app.source!r} among {', '.join(sorted(run.sources)) or 'none'}",
                "Correct source in plumb_apps, or add it to plumb_sources.",
            )
        return run.render(checkout, app)

    return render


class _AppScheduler:
    """Plans together the apps that are ready, applies them side by side, and starts the next as each app is done."""

    def __init__(self, context: RunContext, selected: Sequence[AppSpec]) -> None:
        self._context = context
        self._apps = {app.name: app for app in selected}
        self._results: dict[str, AppResult] = {}
        self._settled_early: list[str] = []  # names of apps that are done without being applied
        self.verified: dict[str, Mapping[ObjectRef, VerifiedState]] = {}  # by set

    def run(self) -> list[AppResult]:
        sorter = dependencies([_without_unselected(app, self._apps) for app in self._apps.values()])
        with ThreadPoolExecutor(_APPS_AT_ONCE) as pool:
            running: dict[Future[AppliedApp], AppPlan] = {}
            while sorter.is_active():
                for app_plan in self._expect(self._plan_ready(list(sorter.get_ready()))):
                    running[pool.submit(apply_app, app_plan)] = app_plan
                for name in self._finished_apps(running):
                    sorter.done(name)
        return [self._results[name] for name in self._apps]

    def _plan_ready(self, names: Sequence[str]) -> list[AppPlan]:
        """Plan the apps of these names; one whose dependency failed has its result at once."""
        ready = []
        circuit_open = self._context.cluster.stopped
        for name in names:
            if circuit_open is not None:
                self._results[name] = AppResult(plan=Plan(app=name), executed=True, error=str(circuit_open))
                continue
            awaited = [other for other in self._apps[name].depends_on if other in self._results]
            failed = [other for other in awaited if self._results[other].failed]
            in_progress = [other for other in awaited if _is_in_progress(self._results[other])]
            if failed:
                self._results[name] = AppResult(
                    plan=Plan(app=name),
                    executed=True,
                    error=f"app {name}: not started, because it depends on app {failed[0]}, which failed",
                )
            elif in_progress:
                self._results[name] = AppResult(plan=Plan(app=name), executed=True, waits_for=in_progress[0])
            else:
                ready.append(self._apps[name])
        planned: list[AppPlan] = []
        try:
            planned = plan_apps(self._context, self._context.cluster.discover(), ready)
        except ClusterError as error:
            # The results of other apps are reported all the same.
            for app in ready:
                self._results[app.name] = AppResult(plan=Plan(app=app.name, error=str(error)), executed=True)
        self._settled_early = [name for name in names if name in self._results]
        return planned

    def _expect(self, app_plans: list[AppPlan]) -> list[AppPlan]:
        """Have what all of these apps create looked for at once; return the plans."""
        discovery = self._context.cluster.discover()
        for app_plan in app_plans:
            self._context.appearances.expect(creates_of(discovery, app_plan.applies))
        return app_plans

    def _finished_apps(self, running: dict[Future[AppliedApp], AppPlan]) -> list[str]:
        """Return the names of apps that are done now; wait for one if none is."""
        finished = self._settled_early
        self._settled_early = []
        if finished or not running:
            return finished
        done, _rest = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            app_plan, applied = running.pop(future), future.result()
            self._results[app_plan.app.name] = applied.result
            if app_plan.inventory is not None:
                self.verified[app_plan.inventory.identity.id] = applied.verified
            finished.append(app_plan.app.name)
        return finished


def _is_in_progress(result: AppResult) -> bool:
    return result.follow_up is not None or bool(result.waits_for)


def _without_unselected(app: AppSpec, selected: Mapping[str, AppSpec]) -> AppSpec:
    """Return the app without dependencies that this run does not select: those are taken as they are."""
    return replace(app, depends_on=tuple(name for name in app.depends_on if name in selected))
