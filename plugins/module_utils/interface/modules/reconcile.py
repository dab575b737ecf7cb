# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules do between their options and their results."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ...cluster.client import Cluster
from ...cluster.connection import connect
from ...cluster.errors import CircuitOpen, RequestError
from ...cluster.requests.circuit_breaker import Traffic, blames_server
from ...cluster.requests.refused_requests import RefusedRequests
from ...cluster.requests.request_counts import RequestCounts
from ...model.app import AppSpec, Checkout
from ...model.errors import InputError, PlumbError, printable
from ...model.objects import Manifest
from ...model.plan import Verb
from ...model.report import Report, SourceReport
from ...model.run_options import RunOptions
from ...reconcile.run import Run, RunResult, run_apps
from ...render.app import render_app
from ...render.bounds.memory_budget import MemoryBudget
from ...render.render_cache import RenderCache, RenderSource
from ...report.document import counts, document, failures, source_document
from ...report.terminal import lines
from ...source.pull import PulledSource, pull_sources, with_paths
from ..inventory.git_config import apps_in_force, config_report, follow_git_config
from ..outputs.audit_log import audit_log_file, evident
from ..outputs.kubernetes_events import write_kubernetes_events
from ..outputs.reported_state import reported_state_file
from ..outputs.writers import see_places, write_outputs
from ..parsing.cache_folder import RENDERINGS, bound_caches, cache_of, check_cache
from ..parsing.checkout_paths import REFERENCES, Paths, cache_size_of, named_paths, specs_with_paths
from ..parsing.engine_values import app_specs, connection_spec, pulled_sources
from .mode import Mode
from .verified_cache_store import (
    StateError,
    VerifiedCache,
    load_verified_cache,
    save_verified_cache,
    see_memory_place,
    verified_cache_file,
)

_MOST_ACTIONS = 200  # in a module's result; the report file has all
_MOST_DIFF = 64 * 1024  # bytes of a module's `diff`
_MOST_CHANGES = 64 * 1024  # bytes of JSON of all `changes` of its actions
_UNREAD = "the config in Git could not be used, so there may be apps that take over what others leave"
_CUT = "\n… cut; the report file has all\n"


def pull(options: Mapping[str, Any], _mode: Mode) -> dict[str, Any]:
    """The result of `pull`: each source with its revision and checkout, or its error. Never `changed`."""
    check_cache(cache_of(options))
    named = named_paths(options)
    pulled = _pull(options, options["sources"], named)
    result: dict[str, Any] = {"changed": False}
    errors: list[str] = []
    if options.get("config"):
        followed = follow_git_config(options, cache_of(options), pulled)
        result["config"] = followed.result(options["config"])
        errors += [followed.error] if followed.error else []
        if followed.config is not None:
            with_config = named_paths(options, followed.config.apps)
            pulled = _with_more(options, pulled, named, with_config)
            pulled += _pull(options, followed.config.sources, with_config)
    result["sources"] = [_pulled(one) for one in pulled]
    warnings = [source["warning"] for source in result["sources"] if "warning" in source]
    if warnings:
        result["warnings"] = warnings
    errors = [*(source["error"] for source in result["sources"] if "error" in source), *errors]
    if errors:
        result |= {"failed": True, "msg": "\n".join(errors)}
    return result


def _pull(
    options: Mapping[str, Any], sources: Sequence[Mapping[str, Any]], paths: Paths
) -> tuple[PulledSource, ...]:
    return pull_sources(
        specs_with_paths(sources, paths),
        cache_of(options) / "sources",
        cache_size=cache_size_of(options),
        references=REFERENCES,
    )


def _with_more(
    options: Mapping[str, Any], pulled: tuple[PulledSource, ...], before: Paths, now: Paths
) -> tuple[PulledSource, ...]:
    """The sources of the inventory with what apps of a config in Git name of them, at the revisions they have."""
    wanted = dict(zip((one.name for one in pulled), specs_with_paths(options["sources"], now), strict=True))
    had = {spec.name: spec for spec in specs_with_paths(options["sources"], before)}
    return tuple(
        one
        if wanted[one.name].paths == had[one.name].paths
        else with_paths(
            one,
            wanted[one.name],
            cache_of(options) / "sources",
            cache_size=cache_size_of(options),
            references=REFERENCES,
        )
        for one in pulled
    )


def _pulled(one: PulledSource) -> dict[str, Any]:
    revision = one.checkout.revision if one.checkout is not None else None
    error = str(one.error) if one.error is not None else ""
    shown = source_document(SourceReport(one.name, revision, error, one.warning))
    return {**shown, "path": str(one.checkout.path)} if one.checkout is not None else shown


def diff(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """The result of `diff`: what `apply` would do; it changes nothing."""
    return {**apply(options, Mode(check=True, diff=mode.diff)), "changed": False}


def apply(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """The result of `apply`: counts, what is not unchanged, the lines for people; the rest is in the report."""
    check_cache(cache_of(options))
    if not mode.check:
        see_places(options)
    apps = apps_of(options)
    report, forgotten = _report(options, apps, check=mode.check)
    whole = document(report)
    telling = write_outputs(options, cache_of(options), report, whole, apps)
    kept = [f"  x {forgotten}"] if forgotten else []
    told = [*lines(report), *_unknown_suspended(options), *kept, *telling.lines]
    result: dict[str, Any] = {
        "changed": report.changed,
        "drifted": report.drifted,
        "counts": counts(report),
        "apps": [_app(app) for app in whole["apps"]],
        "actions": _actions(whole),
        "lines": told,
        "unclaimed": list(report.unclaimed),
        "requests": dict(report.requests),
    }
    if report.stopped:
        result["stopped"] = report.stopped
    result |= telling.places
    failed = "\n".join(
        filter(None, (_some(failures(whole)) if report.failed else "", forgotten, *telling.wrong))
    )
    if mode.diff:
        result["diff"] = {"prepared": _bounded("\n".join(told) + "\n")}
    if report.failed or failed:
        result |= {"failed": True, "msg": failed}
    return result


def _report(options: Mapping[str, Any], apps: tuple[AppSpec, ...], *, check: bool) -> tuple[Report, str]:
    """What the run came to, and why what it proved could not be kept (empty where it could)."""
    only = _only(options, apps)
    sources = pulled_sources(options["sources"])
    config = config_report(options)
    used = {app.source for app in apps if not only or app.name in only} | (
        {config.source} if config else set()
    )
    told = {str(given.get("name") or ""): given for given in options["sources"]}
    started, clock = datetime.now(UTC), time.monotonic()
    lease = Path(options["lease_file"]) if options.get("lease_file") else None
    place, no_evidence = audit_log_file(options)
    with connect(connection_spec(options), lease_file=lease) as cluster:
        file = verified_cache_file(cache_of(options), cluster.server)
        memory = load_verified_cache(file)
        cluster.refused = RefusedRequests(
            dict(memory.refused), believe=not (check or options.get("retry_refused") or options.get("deep"))
        )
        deep = bool(options.get("deep")) or (memory.is_due and not check)
        renderings = RenderCache(cache_of(options) / RENDERINGS, afresh=deep)
        if not check:
            see_memory_place(file)  # a disk that takes nothing stops the run before it writes to the cluster
        found, stopped = _made(
            cluster,
            Run(
                apps=apps,
                sources=sources,
                render=renderer_of(renderings),
                options=RunOptions(
                    only=only,
                    check=check,
                    deep=deep,
                    owner=options["owner"],
                    namespace=options["namespace"],
                ),
                verified=memory.looks,
                remarks=lambda app: renderings.remarks.get(f"app {app}", ()),
                unread=_UNREAD if config is not None and config.error else "",
            ),
        )
        proven = VerifiedCache(
            found.verified,
            time.time() if deep else memory.checked or time.time(),
            cluster.refused.after_run(rights=not stopped),
        )
        forgotten = _keep(file, proven) if proven != memory else ""
        renderings.evict()
        if deep:  # once a day
            bound_caches(cache_of(options))
        results, unread = evident(
            cluster, found.apps, place, _standing(options, cluster.server, "evidence"), started
        )
        report = Report(
            cluster=options.get("cluster") or "",
            server=cluster.server,
            check=check,
            started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds=time.monotonic() - clock,
            sources=tuple(
                _source(name, state, told.get(name, {})) for name, state in sources.items() if name in used
            ),
            apps=results,
            unclaimed=found.unclaimed,
            warnings=(*no_evidence, *unread, *map(_differing, renderings.differing)),
            config=config,
            stopped=stopped,
        )
        if options.get("events", True) and not check and not stopped:
            untold = write_kubernetes_events(
                cluster, report, apps, _standing(options, cluster.server, "events")
            )
            report = replace(report, warnings=(*report.warnings, *untold))
        report = replace(report, requests=_requests(cluster.requests))
    return report, "" if check else forgotten  # a check may run where nothing can be written


def _made(cluster: Cluster, run: Run) -> tuple[RunResult, str]:
    """The result of a run, and why it was stopped: the API server failed for one request after another.

    A check, or a run that could not begin for another reason, raises what kept it from going on.
    """
    try:
        found = run_apps(cluster, run)
    except (CircuitOpen, RequestError) as error:
        if run.options.check or (isinstance(error, RequestError) and not blames_server(error, Traffic.READS)):
            raise
        return RunResult((), (), run.verified), str(error)
    return found, str(cluster.stopped or "") or _took_nothing(found)


def _took_nothing(found: RunResult) -> str:
    """Why the server took no write of any app, where the first one to it, of an inventory, failed already."""
    wrote = any(app.changed for app in found.apps)
    return "" if wrote else next((app.error for app in found.apps if app.blames_server), "")


def _requests(asked: RequestCounts) -> tuple[tuple[str, int], ...]:
    return (
        ("dry_runs", asked.dry_runs),
        ("reads", asked.reads),
        ("retries", asked.retries),
        ("writes", asked.writes),
    )


def _standing(options: Mapping[str, Any], server: str, about: str) -> Path:
    return reported_state_file(cache_of(options), server, options.get("owner") or "", about)


def _source(name: str, state: Checkout | PlumbError, told: Mapping[str, Any]) -> SourceReport:
    """A source as it was in this run, with what `pull` told of it."""
    warning = str(told.get("warning") or "")
    if isinstance(state, Checkout):
        return SourceReport(name, state.revision, str(told.get("error") or ""), warning)
    return SourceReport(name, None, str(state), warning)


def _keep(file: Path, memory: VerifiedCache) -> str:
    """Keep what was proven; why that was not possible, or nothing. What the run did is told all the same."""
    try:
        save_verified_cache(file, memory)
    except StateError as error:
        return str(error)
    return ""


def _differing(subject: str) -> str:
    return (
        f"{subject}: what was kept of its rendering was not what its files render to now, which was used."
        " This is a defect of Plumb: please report it, with the app's files if you can"
    )


def renderer_of(
    renderings: RenderCache, of_run: Mapping[str, Checkout | PlumbError] = MappingProxyType({})
) -> Callable[[Checkout, AppSpec], tuple[Manifest, ...]]:
    """How an app is rendered from a checkout, with what was rendered before.

    `of_run` are the sources as a run follows them, where other revisions of them are rendered: what was kept by runs is
    looked for under those.
    """

    budget = MemoryBudget.of_process()

    def render(checkout: Checkout, app: AppSpec) -> tuple[Manifest, ...]:
        known = of_run.get(app.source)
        followed = known if isinstance(known, Checkout) else checkout
        return render_app(
            checkout.path,
            RenderSource(
                folder=str(followed.path.parent.parent),
                source=app.source,
                ref=followed.revision.ref,
                path=app.path,
            ),
            subject=f"app {app.name}",
            cache=renderings,
            budget=budget,
        )

    return render


def apps_of(options: Mapping[str, Any]) -> tuple[AppSpec, ...]:
    """The apps; those named in `suspended` are left alone, whatever they say themselves."""
    suspended = frozenset(options.get("suspended") or ())
    apps = app_specs([*options["apps"], *apps_in_force(options)])
    return tuple(replace(app, suspend=app.suspend or app.name in suspended) for app in apps)


def _unknown_suspended(options: Mapping[str, Any]) -> list[str]:
    """A line for each name in `suspended` that no app has. It fails nothing: an app may leave while it is suspended."""
    names = {app["name"] for app in (*options["apps"], *apps_in_force(options))}
    return [
        f"  ? suspended names app {printable(name, 80)}, and there is none of that name"
        for name in sorted(set(options.get("suspended") or ()) - names)
    ]


def _only(options: Mapping[str, Any], apps: Sequence[AppSpec]) -> frozenset[str]:
    only = frozenset(options.get("only") or ())
    names = {app.name for app in apps}
    for name in sorted(only - names):
        raise InputError(
            f"app {name}",
            "selecting apps by only (plumb_only)",
            "there is no such app",
            f"The apps are {', '.join(sorted(names)) or 'none'}.",
        )
    return only


def _app(app: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in app.items() if key != "actions"}


def _actions(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is not unchanged, at most `_MOST_ACTIONS`, each with its app; its changes while there is room for them."""
    told = (
        {"app": app["name"], **action}
        for app in whole["apps"]
        for action in app.get("actions", ())
        if action["action"] != Verb.UNCHANGED.value or action.get("drifted")
    )
    return _with_room([*islice(told, _MOST_ACTIONS)])


def _with_room(actions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The actions, from the first whose changes go beyond the bound each without changes and `changes_cut` instead."""
    left, kept = _MOST_CHANGES, []
    for action in actions:
        left -= len(json.dumps(action.get("changes", [])))
        fits = left >= 0 or "changes" not in action
        rest = {key: value for key, value in action.items() if key != "changes"}
        kept.append(action if fits else {**rest, "changes_cut": True})
    return kept


def _bounded(text: str) -> str:
    """The text, or as much of it as `_MOST_DIFF` allows and a line that says so."""
    raw = text.encode()
    if len(raw) <= _MOST_DIFF:
        return text
    return raw[: _MOST_DIFF - len(_CUT.encode())].decode(errors="ignore") + _CUT


def _some(said: Sequence[str]) -> str:
    """The lines, as many as a message may have."""
    most = 20
    rest = [f"… and {len(said) - most} more"] if len(said) > most else []
    return "\n".join([*said[:most], *rest])
