# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `diff` and `apply` do between their options and their results."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...cluster.client import Cluster
from ...cluster.connection import connect
from ...cluster.errors import CircuitOpen, RequestError
from ...cluster.requests.circuit_breaker import Traffic, blames_server
from ...cluster.requests.refused_requests import RefusedRequests
from ...cluster.requests.request_counts import RequestCounts
from ...model.errors import printable
from ...model.report import Report
from ...reconcile.run import Run, RunResult, run_apps
from ...render.render_cache import RenderCache
from ...report.document import counts, document, failures
from ...report.terminal import lines
from ..options.common import spec_of_run
from ..outputs.audit_log import audit_log_file, with_audit_log
from ..outputs.kubernetes_events import write_kubernetes_events
from ..outputs.reported_state import reported_state_file
from ..outputs.writers import check_outputs, write_outputs
from ..parsing.cache_folder import RENDERINGS, bound_caches, cache_of, check_cache
from .apply_request import ApplyRequest, apply_request
from .apply_result import bounded_actions, bounded_message, bounded_text
from .main import ModuleWork
from .mode import Mode
from .renderer import renderer_of
from .verified_cache_store import (
    StateError,
    VerifiedCache,
    check_space,
    load_verified_cache,
    save_verified_cache,
    verified_cache_file,
)

_UNREAD = "the config in Git could not be used, so there may be apps that take over what others leave"


def diff(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """Return the result of `diff`: what `apply` would do. It changes nothing."""
    return {**apply(options, replace(mode, check=True)), "changed": False}


def apply(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """Return the result of `apply`: counts, what is not unchanged, the lines for people; the rest is in the report."""
    check_cache(cache_of(options))
    request = apply_request(options, mode)
    if not mode.check:
        check_outputs(request.outputs, request.cluster)
    report, unsaved = _report(request)
    whole = document(report)
    written = write_outputs(request.outputs, request.cache, report, whole, request.apps)
    shown = [
        *lines(report),
        *map(_unknown_suspended, request.unknown_suspended),
        *([f"  x {unsaved}"] if unsaved else []),
        *written.lines,
    ]
    result: dict[str, Any] = {
        "changed": report.changed,
        "drifted": report.drifted,
        "counts": counts(report),
        "apps": [_app(app) for app in whole["apps"]],
        "actions": bounded_actions(whole),
        "lines": shown,
        "unclaimed": list(report.unclaimed),
        "requests": dict(report.requests),
    }
    if report.stopped:
        result["stopped"] = report.stopped
    result |= written.places
    failed = bounded_message(failures(whole)) if report.failed else ""
    message = "\n".join(filter(None, (failed, unsaved, *written.errors)))
    if mode.diff:
        result["diff"] = {"prepared": bounded_text("\n".join(shown) + "\n")}
    if report.failed or message:
        result |= {"failed": True, "msg": message}
    return result


def _app(app: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in app.items() if key != "actions"}


def _unknown_suspended(name: str) -> str:
    """Return the line for a name in `suspended` that no app has. An app may leave Git while it is suspended."""
    return f"  ? suspended names app {printable(name, 80)}, which does not exist"


def _report(request: ApplyRequest) -> tuple[Report, str]:
    """Return what the run came to, and why what it verified could not be saved (empty where it could)."""
    check = request.options.check
    started, clock = datetime.now(UTC), time.monotonic()
    audit_log, warnings = audit_log_file(request.audit_log)
    with connect(request.connection, lease_file=request.lease_file) as cluster:
        file = verified_cache_file(request.cache, cluster.server)
        before = load_verified_cache(file)
        believe = not (check or request.retry_refused or request.options.deep)
        cluster.refused = RefusedRequests(dict(before.refused), believe=believe)
        deep = request.options.deep or (before.is_due and not check)
        renderings = RenderCache(request.cache / RENDERINGS, afresh=deep)
        if not check:
            check_space(file)  # a disk that takes nothing stops the run before it writes to the cluster
        result, stopped = _run(cluster, _run_of(request, before, renderings, deep=deep))
        after = VerifiedCache(
            result.verified,
            time.time() if deep else before.checked or time.time(),
            cluster.refused.after_run(rights=not stopped),
        )
        unsaved = _save(file, after) if after != before else ""
        renderings.evict()
        if deep:  # once a day
            bound_caches(request.cache)
        evidence_file = _state_file(request, cluster, "evidence")
        apps, unread = with_audit_log(cluster, result.apps, audit_log, evidence_file, started)
        report = Report(
            cluster=request.cluster,
            server=cluster.server,
            check=check,
            started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds=time.monotonic() - clock,
            sources=tuple(
                source for name, source in request.source_reports.items() if name in request.used_sources
            ),
            apps=apps,
            unclaimed=result.unclaimed,
            warnings=(*warnings, *unread, *map(_differing, renderings.differing)),
            config=request.config,
            stopped=stopped,
        )
        if request.events and not check and not stopped:
            events_file = _state_file(request, cluster, "events")
            unwritten = write_kubernetes_events(cluster, report, request.apps, events_file)
            report = replace(report, warnings=(*report.warnings, *unwritten))
        report = replace(report, requests=_requests(cluster.requests))
    return report, "" if check else unsaved  # a check may run where nothing can be written


def _run_of(request: ApplyRequest, before: VerifiedCache, renderings: RenderCache, *, deep: bool) -> Run:
    return Run(
        apps=request.apps,
        sources=request.sources,
        render=renderer_of(renderings),
        options=replace(request.options, deep=deep),
        verified=before.states,
        progress=request.progress,
        remarks=lambda app: renderings.remarks.get(f"app {app}", ()),
        unread=_UNREAD if request.config is not None and request.config.error else "",
    )


def _run(cluster: Cluster, run: Run) -> tuple[RunResult, str]:
    """Return the result of a run, and why it was stopped: the API server failed for one request after another.

    A check, or a run that could not begin for another reason, raises what kept it from going on.
    """
    try:
        result = run_apps(cluster, run)
    except (CircuitOpen, RequestError) as error:
        if run.options.check or (isinstance(error, RequestError) and not blames_server(error, Traffic.READS)):
            raise
        return RunResult((), (), run.verified), str(error)
    return result, str(cluster.stopped or "") or _why_nothing_was_written(result)


def _why_nothing_was_written(result: RunResult) -> str:
    """Return why the server took no write of any app, where the first one to it, of an inventory, failed already."""
    wrote = any(app.changed for app in result.apps)
    return "" if wrote else next((app.error for app in result.apps if app.blames_server), "")


def _requests(made: RequestCounts) -> tuple[tuple[str, int], ...]:
    return (
        ("dry_runs", made.dry_runs),
        ("reads", made.reads),
        ("retries", made.retries),
        ("writes", made.writes),
    )


def _state_file(request: ApplyRequest, cluster: Cluster, about: str) -> Path:
    """Return the file in which runs on a cluster remember what they reported or saw there."""
    return reported_state_file(request.cache, cluster.server, request.options.owner, about)


def _save(file: Path, verified: VerifiedCache) -> str:
    """Save what was verified; return why that was not possible, or nothing. The run is reported all the same."""
    try:
        save_verified_cache(file, verified)
    except StateError as error:
        return str(error)
    return ""


def _differing(subject: str) -> str:
    return (
        f"{subject}: what was kept of its rendering was not what its files render to now, which was used."
        " This is a defect of Plumb: please report it, with the app's files if you can"
    )


DIFF = ModuleWork("diff", spec_of_run(), diff)
APPLY = ModuleWork("apply", spec_of_run(), apply)
