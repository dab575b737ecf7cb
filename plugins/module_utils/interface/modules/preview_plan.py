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
    looks: VerifiedStates


@dataclass(frozen=True, slots=True)
class Touched:
    """What a pull request changes of one app: objects, or that it does not render."""

    app: str
    keys: frozenset[Key]
    error: str = ""


def touched_by(fleet: Fleet, base: Checkout, head: Checkout) -> tuple[Touched, ...]:
    """The apps of a source whose manifests differ between two revisions of it, with what differs."""
    found = []
    for app in fleet.apps:
        if app.source != head.revision.source or app.suspend or app.state is AppState.ABSENT:
            continue
        try:
            after = _by_key(app, fleet.render(head, app))
        except PlumbError as error:
            found.append(Touched(app.name, frozenset(), str(error)))
            continue
        try:
            before = _by_key(app, fleet.render(base, app))
        except PlumbError:  # what it would mend: all of the app counts
            before = {}
        keys = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        if keys:
            found.append(Touched(app.name, frozenset(keys)))
    return tuple(found)


def preview_report(fleet: Fleet, head: Checkout, touched: Sequence[Touched], title: str) -> Report:
    """The plan of what the pull request `title` touches, as the report of a check. Raises ClusterError, InputError."""
    started, clock = datetime.now(UTC), time.monotonic()
    planned = [one.app for one in touched if not one.error]
    results: dict[str, AppResult] = {
        one.app: AppResult(plan=Plan(app=one.app, error=one.error)) for one in touched if one.error
    }
    if planned:
        found = run_apps(
            fleet.cluster,
            Run(
                apps=fleet.apps,
                sources={**fleet.sources, head.revision.source: head},
                render=fleet.render,
                options=replace(fleet.options, only=frozenset(planned)),
                verified=fleet.looks,
            ),
        )
        keys = {one.app: one.keys for one in touched}
        results |= {one.plan.app: _only(one, keys[one.plan.app]) for one in found.apps}
    return Report(
        cluster=fleet.name,
        server=fleet.cluster.server,
        check=True,
        started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=time.monotonic() - clock,
        sources=(SourceReport(head.revision.source, replace(head.revision, ref=title)),),
        apps=tuple(results[one.app] for one in touched),
    )


def _by_key(app: AppSpec, manifests: Sequence[Manifest]) -> dict[Key, str]:
    """The digest of each manifest; one without a namespace may be of the app's, or of none."""
    return {_key(one.ref, one.ref.namespace or app.namespace): one.digest for one in manifests}


def _key(ref: ObjectRef, namespace: str) -> Key:
    return ref.group, ref.kind, namespace, ref.name


def _only(result: AppResult, keys: frozenset[Key]) -> AppResult:
    """Of a plan what is about these objects. Cluster-scoped ones were written in the app's namespace, too."""
    anywhere = {(group, kind, name) for group, kind, _namespace, name in keys}
    actions = tuple(
        action
        for action in result.plan.actions
        if _key(action.ref, action.ref.namespace) in keys
        or (not action.ref.namespace and (action.ref.group, action.ref.kind, action.ref.name) in anywhere)
    )
    return replace(result, plan=replace(result.plan, actions=actions))
