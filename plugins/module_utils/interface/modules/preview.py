# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `preview` does: a comment on each open pull request that says what it would do to the cluster."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...cluster.connection import connect
from ...forge.client import ForgeClient
from ...forge.comment import ensure_comment
from ...forge.open_pulls import OpenPull, base_of, open_pulls
from ...model.app import Checkout, RefKind
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
from ..inventory.source_repositories import forge_place, on_forge
from ..parsing.cache_folder import PREVIEWS, RENDERINGS, cache_of, check_cache
from ..parsing.checkout_paths import REFERENCES, cache_size_of, paths_of_apps, specs_with_paths
from ..parsing.engine_values import connection_spec, pulled_sources, source_spec
from .mode import Mode
from .preview_plan import Fleet, preview_report, touched_by
from .reconcile import apps_of, renderer_of
from .verified_cache_store import load_verified_cache, verified_cache_file

_STORE = RecordStore[Mapping[str, Any]](
    kind="plumb.gitops/previews",
    version=1,
    encode=lambda seen: {"seen": seen},
    decode=lambda content: dict(content["seen"]),
)
_MOST = 30  # pull requests of a source in one run; the rest comes next
_NO_HEAD = "it cannot be fetched"


@dataclass(slots=True)
class PreviewState:
    """What was previewed before, by repository and number, and what came of this run."""

    before: Mapping[str, Any]
    after: dict[str, Any] = field(default_factory=dict)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    looked: int = 0


def preview(options: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """The result of `preview`. One pull request's failure does not hide the others; it fails in the end."""
    check_cache(cache_of(options))
    file = _file(options)
    seen = PreviewState(_STORE.load(file) or {})
    where = on_forge(options)
    followed: set[tuple[tuple[str, str], str]] = set()
    for given in where.sources:
        spec = source_spec(given)
        if spec.ref_kind is not RefKind.BRANCH:
            continue
        try:
            with ForgeClient(forge_place(options, where.repositories[spec.name])) as client:
                place = where.repositories[spec.name], spec.ref
                mark = f"preview {options['cluster']}" + (f" {spec.name}" if place in followed else "")
                followed.add(place)
                _source(options, mode, client, given, seen, comment_mark=mark)
        except PlumbError as error:
            seen.errors.append(str(error))
            seen.after |= {k: v for k, v in seen.before.items() if k.startswith(f"{spec.name} ")}
    if seen.after != seen.before and not mode.check:
        _STORE.save_or_forget(file, seen.after)  # where it is forgotten, all is planned once more
    changed = any(one["commented"] for one in seen.pulls)
    result: dict[str, Any] = {"changed": changed, "pulls": seen.pulls, "left_out": list(where.left_out)}
    return {**result, "failed": True, "msg": "\n".join(seen.errors)} if seen.errors else result


def _source(
    options: Mapping[str, Any],
    mode: Mode,
    client: ForgeClient,
    given: Mapping[str, Any],
    seen: PreviewState,
    *,
    comment_mark: str,
) -> None:
    """The pull requests to the branch that a source follows; two sources of one branch have a comment each."""
    name, branch = given["name"], given["branch"]
    base = next((one for one in options["pulled"] if one["name"] == name and one.get("revision")), None)
    if base is None:
        return
    fresh_for = parse_duration(options.get("max_age") or "1h", subject="preview, max_age")
    for pull in open_pulls(client):
        if pull.branch != branch or (pull.fork and not options["forks"]):
            continue
        key = f"{name} {pull.number}"
        mark = f"{pull.head} {base['revision']['commit']}"
        before = seen.before.get(key)
        if before and before["mark"] == mark and 0 <= time.time() - before["time"] < fresh_for:
            seen.after[key] = before
            continue
        if seen.looked >= _MOST:
            continue
        seen.looked += 1
        try:
            comment = _body(options, client, given, pull)
            if comment is None and not (before and before["comment"]):
                seen.after[key] = {"mark": mark, "time": time.time(), "comment": False}
                continue
            text = comment or f"This pull request changes nothing of cluster {options['cluster']}.\n"
            said = mode.check or ensure_comment(client, pull.number, comment_mark, text)
            seen.after[key] = {"mark": mark, "time": time.time(), "comment": True}
            seen.pulls.append(_told(name, pull, text, said=said))
        except PlumbError as error:
            seen.errors.append(f"pull request {pull.number} of {client.repository.title}: {error}")


def _told(source: str, pull: OpenPull, text: str, *, said: bool) -> dict[str, Any]:
    return {
        "source": source,
        "number": pull.number,
        "head": pull.head,
        "url": pull.url,
        "commented": said,
        "comment": text,
    }


def _body(
    options: Mapping[str, Any], client: ForgeClient, given: Mapping[str, Any], pull: OpenPull
) -> str | None:
    """The comment's Markdown; None where the pull request touches nothing of this cluster."""
    began = base_of(client, pull)
    head = _checkout(options, given, pull.head)
    base = _checkout(options, given, began) if began else None
    sources = pulled_sources(options["pulled"])
    renderings = RenderCache(
        cache_of(options) / RENDERINGS, writable=False
    )  # nobody has reviewed what is rendered here
    with connect(connection_spec(options)) as cluster:
        fleet = Fleet(
            cluster=cluster,
            name=options["cluster"],
            apps=apps_of(options),
            sources=sources,
            render=renderer_of(renderings, sources),
            options=RunOptions(check=True, owner=options["owner"], namespace=options["namespace"]),
            looks=load_verified_cache(verified_cache_file(cache_of(options), cluster.server)).looks,
        )
        now = sources[given["name"]]
        before = base or (now if isinstance(now, Checkout) else head)
        touched = touched_by(fleet, before, head)
        if not touched:
            return None
        return _markdown(pull, preview_report(fleet, head, touched, f"pull request {pull.number}"))


def _checkout(options: Mapping[str, Any], given: Mapping[str, Any], commit: str) -> Checkout:
    """The source at a commit, fetched as the source itself is, to a place that no run reads."""
    apps = [*options["apps"], *apps_in_force(options)]
    (spec,) = specs_with_paths([{**given, "branch": None, "commit": commit}], paths_of_apps(apps))
    (pulled,) = pull_sources(
        [spec],
        cache_of(options) / PREVIEWS / "sources",
        cache_size=cache_size_of(options),
        references=REFERENCES,
    )
    if pulled.checkout is None:
        raise pulled.error or InputError(f"source {spec.name}", f"fetching commit {commit}", _NO_HEAD)
    return pulled.checkout


def _markdown(pull: OpenPull, report: Report) -> str:
    lines = [_risk(one) for one in risks(report.apps)]
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
    """A name of Kubernetes as code; what comes from a pull request may hold anything."""
    return "".join(char for char in text if char.isalnum() or char in " ./:_-")[:200]


def _file(options: Mapping[str, Any]) -> Path:
    return record_file(cache_of(options) / PREVIEWS, options["forge"]["url"].rstrip("/"), options["cluster"])
