# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `preview` does: write on each open pull request what it would do to the cluster."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...cluster.connection import ConnectionSpec, connect
from ...forge.client import ForgeClient
from ...forge.comment import ensure_comment
from ...forge.open_pulls import OpenPull, base_of, open_pulls
from ...model.app import AppSpec, Checkout, RefKind
from ...model.duration import parse_duration
from ...model.errors import InputError, PlumbError
from ...model.report import Report
from ...model.run_options import RunOptions
from ...render.render_cache import RenderCache
from ...report.markdown import MOST, markdown
from ...report.risks import Risk, risks
from ...source.pull import pull_sources
from ...state.record_store import RecordStore, record_file
from ..inventory.git_config import apps_in_force
from ..inventory.source_repositories import forge_repository, sources_on_forge
from ..options.feedback import spec_of_preview
from ..parsing.cache_folder import PREVIEWS, RENDERINGS, cache_of, check_cache
from ..parsing.checkout_paths import REFERENCES, cache_size_of, paths_of_apps, specs_with_paths
from ..parsing.engine_values import connection_spec, pulled_sources, run_options, source_spec
from .apply_request import apps_of
from .main import ModuleWork
from .mode import Mode
from .preview_plan import Fleet, app_changes, preview_report
from .renderer import renderer_of
from .verified_cache_store import load_verified_cache, verified_cache_file

_STORE = RecordStore[Mapping[str, Any]](
    kind="plumb.gitops/previews",
    version=1,
    encode=lambda seen: {"seen": seen},
    decode=lambda content: dict(content["seen"]),
)
_MOST = 30  # pull requests of a source in one run; the rest comes next
_NO_HEAD = "it cannot be fetched"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRequest:
    """What all previews of a task share: the fleet as it is now, and how pull requests are chosen. Seconds."""

    cluster: str
    connection: ConnectionSpec
    apps: tuple[AppSpec, ...]
    sources: Mapping[str, Checkout | PlumbError]
    options: RunOptions
    cache: Path
    cache_size: int
    paths: Mapping[str, Sequence[str]]  # that apps name, by source
    forks: bool
    max_age: float


@dataclass(slots=True)
class PreviewState:
    """What was previewed before, by source and number, and what this run came to."""

    before: Mapping[str, Any]
    after: dict[str, Any] = field(default_factory=dict)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    planned: int = 0


def preview(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """Return the result of `preview`. One pull request's failure does not hide the others; it fails in the end."""
    check_cache(cache_of(options))
    file = _file(options)
    state = PreviewState(_STORE.load(file) or {})
    request = _request(options)
    sources = sources_on_forge(options)
    branches: set[tuple[tuple[str, str], str]] = set()
    for source in sources.sources:
        spec = source_spec(source)
        if spec.ref_kind is not RefKind.BRANCH:
            continue
        try:
            with ForgeClient(forge_repository(options, sources.repositories[spec.name])) as client:
                branch = sources.repositories[spec.name], spec.ref
                comment_mark = f"preview {request.cluster}" + (f" {spec.name}" if branch in branches else "")
                branches.add(branch)
                _preview_source(request, mode, client, source, state, comment_mark=comment_mark)
        except PlumbError as error:
            state.errors.append(str(error))
            state.after |= {k: v for k, v in state.before.items() if k.startswith(f"{spec.name} ")}
    if state.after != state.before and not mode.check:
        _STORE.save_or_forget(file, state.after)  # where it is forgotten, all is planned once more
    changed = any(pull["commented"] for pull in state.pulls)
    result: dict[str, Any] = {"changed": changed, "pulls": state.pulls, "left_out": list(sources.left_out)}
    return {**result, "failed": True, "msg": "\n".join(state.errors)} if state.errors else result


def _request(options: Mapping[str, Any]) -> PreviewRequest:
    return PreviewRequest(
        cluster=options["cluster"],
        connection=connection_spec(options),
        apps=apps_of(options),
        sources=pulled_sources(options["pulled"]),
        options=run_options(options, check=True, diff=True),
        cache=cache_of(options),
        cache_size=cache_size_of(options),
        paths=paths_of_apps([*options["apps"], *apps_in_force(options)]),
        forks=options["forks"],
        max_age=parse_duration(options["max_age"], subject="preview, max_age"),
    )


def _preview_source(
    request: PreviewRequest,
    mode: Mode,
    client: ForgeClient,
    source: Mapping[str, Any],
    state: PreviewState,
    *,
    comment_mark: str,
) -> None:
    """Preview the pull requests to the branch that a source follows; two sources of one branch have a comment each."""
    name, branch = source["name"], source["branch"]
    current = request.sources.get(name)
    if not isinstance(current, Checkout):
        return
    for pull in open_pulls(client):
        if pull.branch != branch or (pull.fork and not request.forks):
            continue
        key = f"{name} {pull.number}"
        mark = f"{pull.head} {current.revision.commit}"
        before = state.before.get(key)
        if before and before["mark"] == mark and 0 <= time.time() - before["time"] < request.max_age:
            state.after[key] = before
            continue
        if state.planned >= _MOST:
            continue
        state.planned += 1
        try:
            comment = _comment(request, client, source, pull)
            if comment is None and not (before and before["comment"]):
                state.after[key] = {"mark": mark, "time": time.time(), "comment": False}
                continue
            text = comment or f"This pull request changes nothing of cluster {request.cluster}.\n"
            commented = mode.check or ensure_comment(client, pull.number, comment_mark, text)
            state.after[key] = {"mark": mark, "time": time.time(), "comment": True}
            state.pulls.append(_result(name, pull, text, commented=commented))
        except PlumbError as error:
            state.errors.append(f"pull request {pull.number} of {client.repository.title}: {error}")


def _result(source: str, pull: OpenPull, text: str, *, commented: bool) -> dict[str, Any]:
    return {
        "source": source,
        "number": pull.number,
        "head": pull.head,
        "url": pull.url,
        "commented": commented,
        "comment": text,
    }


def _comment(
    request: PreviewRequest, client: ForgeClient, source: Mapping[str, Any], pull: OpenPull
) -> str | None:
    """Return the comment's Markdown, or None where the pull request touches nothing of this cluster."""
    base_commit = base_of(client, pull)
    head = _checkout(request, source, pull.head)
    base = _checkout(request, source, base_commit) if base_commit else None
    # Not writable: nobody has reviewed what is rendered here.
    renderings = RenderCache(request.cache / RENDERINGS, writable=False)
    with connect(request.connection) as cluster:
        fleet = Fleet(
            cluster=cluster,
            name=request.cluster,
            apps=request.apps,
            sources=request.sources,
            render=renderer_of(renderings, request.sources),
            options=request.options,
            verified=load_verified_cache(verified_cache_file(request.cache, cluster.server)).states,
        )
        current = request.sources[source["name"]]
        before = base or (current if isinstance(current, Checkout) else head)
        changes = app_changes(fleet, before, head)
        if not changes:
            return None
        return _markdown(pull, preview_report(fleet, head, changes, f"pull request {pull.number}"))


def _checkout(request: PreviewRequest, source: Mapping[str, Any], commit: str) -> Checkout:
    """Return the source at a commit, fetched as the source itself is, to a folder that no run reads."""
    (spec,) = specs_with_paths([{**source, "branch": None, "commit": commit}], request.paths)
    (pulled,) = pull_sources(
        [spec],
        request.cache / PREVIEWS / "sources",
        cache_size=request.cache_size,
        references=REFERENCES,
    )
    if pulled.checkout is None:
        raise pulled.error or InputError(f"source {spec.name}", f"fetching commit {commit}", _NO_HEAD)
    return pulled.checkout


def _markdown(pull: OpenPull, report: Report) -> str:
    lines = [_risk(risk) for risk in risks(report.apps)]
    first = "\n".join(["**Look at**", "", *lines, ""]) if lines else "No risk was found in the plan.\n"
    last = (
        f"\n_Preview of {pull.head[:7]}: what would be applied if it were merged now. Nothing was written."
        " It is kept up to date; what others change in the cluster may change it._\n"
    )
    body = markdown(report, most=MOST - len(first) - len(last) - 10)
    return f"{first}\n{body}{last}"


def _risk(risk: Risk) -> str:
    names = ", ".join(f"`{_plain(name)}`" for name in risk.objects[:10])
    more = f" and {len(risk.objects) - 10} more" if len(risk.objects) > 10 else ""
    return f"- **{risk.word}** ({len(risk.objects)}): {names}{more}: {risk.means}"


def _plain(text: str) -> str:
    """Return a name of Kubernetes as code; what comes from a pull request may hold anything."""
    return "".join(char for char in text if char.isalnum() or char in " ./:_-")[:200]


def _file(options: Mapping[str, Any]) -> Path:
    return record_file(cache_of(options) / PREVIEWS, options["forge"]["url"].rstrip("/"), options["cluster"])


PREVIEW = ModuleWork("preview", spec_of_preview(), preview)
