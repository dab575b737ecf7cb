# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pull request would do to a cluster: base and head rendered, head planned, and only what differs kept.

Nothing is written to the cluster: the plan is that of a check.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ...cluster.client import Cluster
from ...model.app import AppSpec, AppState, Checkout
from ...model.errors import PlumbError
from ...model.objects import Manifest, ObjectRef
from ...model.plan import AppResult, Plan
from ...model.report import Report, SourceReport
from ...model.run_options import RunOptions
from ...reconcile.plan.verified_cache import VerifiedStates
from ...reconcile.run import Run, run_apps

Render = Callable[[Checkout, AppSpec], tuple[Manifest, ...]]
Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What a preview is planned in: all apps and sources of the cluster as they are now."""

    cluster: Cluster
    name: str
    apps: tuple[AppSpec, ...]
    sources: Mapping[str, Checkout | PlumbError]
    render: Render
    options: RunOptions
    verified: VerifiedStates


@dataclass(frozen=True, slots=True)
class AppChange:
    """What a pull request changes of one app: objects, or that it does not render."""

    app: str
    keys: frozenset[Key]
    error: str = ""


def app_changes(fleet: Fleet, base: Checkout, head: Checkout) -> tuple[AppChange, ...]:
    """Return the apps of a source whose manifests differ between two revisions of it, with what differs."""
    changes = []
    for app in fleet.apps:
        if app.source != head.revision.source or app.suspend or app.state is AppState.ABSENT:
            continue
        try:
            after = _by_key(app, fleet.render(head, app))
        except PlumbError as error:
            changes.append(AppChange(app.name, frozenset(), str(error)))
            continue
        try:
            before = _by_key(app, fleet.render(base, app))
        except PlumbError:  # the pull request may repair it: all of the app counts
            before = {}
        keys = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        if keys:
            changes.append(AppChange(app.name, frozenset(keys)))
    return tuple(changes)


def preview_report(fleet: Fleet, head: Checkout, changes: Sequence[AppChange], title: str) -> Report:
    """Return the plan of what the pull request `title` touches, as a check's report. Raises PlumbError."""
    started, clock = datetime.now(UTC), time.monotonic()
    planned = [change.app for change in changes if not change.error]
    results: dict[str, AppResult] = {
        change.app: AppResult(plan=Plan(app=change.app, error=change.error))
        for change in changes
        if change.error
    }
    if planned:
        result = run_apps(
            fleet.cluster,
            Run(
                apps=fleet.apps,
                sources={**fleet.sources, head.revision.source: head},
                render=fleet.render,
                options=replace(fleet.options, only=frozenset(planned)),
                verified=fleet.verified,
            ),
        )
        keys = {change.app: change.keys for change in changes}
        results |= {app.plan.app: _only(app, keys[app.plan.app]) for app in result.apps}
    return Report(
        cluster=fleet.name,
        server=fleet.cluster.server,
        check=True,
        started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=time.monotonic() - clock,
        sources=(SourceReport(head.revision.source, replace(head.revision, ref=title)),),
        apps=tuple(results[change.app] for change in changes),
    )


def _by_key(app: AppSpec, manifests: Sequence[Manifest]) -> dict[Key, str]:
    """Return the digest of each manifest; one without a namespace may be of the app's, or of none."""
    return {_key(m.ref, m.ref.namespace or app.namespace): m.digest for m in manifests}


def _key(ref: ObjectRef, namespace: str) -> Key:
    return ref.group, ref.kind, namespace, ref.name


def _only(result: AppResult, keys: frozenset[Key]) -> AppResult:
    """Return the result with the actions on these objects. Cluster-scoped ones count in the app's namespace, too."""
    anywhere = {(group, kind, name) for group, kind, _namespace, name in keys}
    actions = tuple(
        action
        for action in result.plan.actions
        if _key(action.ref, action.ref.namespace) in keys
        or (not action.ref.namespace and (action.ref.group, action.ref.kind, action.ref.name) in anywhere)
    )
    return replace(result, plan=replace(result.plan, actions=actions))
