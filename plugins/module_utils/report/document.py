# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as a document: JSON with a version, the same bytes for the same run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model.app import Revision
from ..model.change import ABSENT, Culprit, FieldChange
from ..model.health import Health, brief_reason
from ..model.plan import Action, AppResult, Counts, Outcome, Unhealthy
from ..model.report import ConfigReport, Report, SourceReport
from .follow_up import follow_up_document
from .unified import diff_lines

API_VERSION = "plumb.gitops/v1"
KIND = "Report"


def document(report: Report) -> dict[str, Any]:
    """Return the whole report as JSON types. Secrets were masked where their values were compared."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "cluster": report.cluster,
        "server": report.server,
        "check": report.check,
        "started": report.started,
        "seconds": round(report.seconds, 3),
        "changed": report.changed,
        "failed": report.failed,
        "drifted": report.drifted,
        "counts": counts(report),
        "sources": [source_document(source) for source in report.sources],
        **({"config": _config(report.config)} if report.config is not None else {}),
        "apps": [_app(app, stopped=bool(report.stopped)) for app in report.apps],
        "unclaimed": list(report.unclaimed),
        **({"warnings": list(report.warnings)} if report.warnings else {}),
        **({"stopped": report.stopped} if report.stopped else {}),
        "requests": dict(report.requests),
    }


def counts(report: Report) -> dict[str, int]:
    """Return how many objects each verb has in the run, how many drifted, how many failed."""
    return _counts(Counts.of(report.apps))


def _counts(counted: Counts) -> dict[str, int]:
    return {
        **{verb.value: number for verb, number in counted.by_verb.items()},
        "drifted": counted.drifted,
        "failed": counted.failed,
        "skipped": counted.skipped,
    }


def _config(config: ConfigReport) -> dict[str, Any]:
    return _present(
        {"source": config.source, "file": config.file, "commit": config.commit, "error": config.error}
    )


def source_document(source: SourceReport) -> dict[str, Any]:
    """Return a source with its revision, its error and its warning, as far as it has them."""
    revision = revision_document(source.revision) if source.revision is not None else None
    return _present(
        {"name": source.name, "revision": revision, "error": source.error, "warning": source.warning}
    )


def revision_document(revision: Revision) -> dict[str, Any]:
    """Return a revision as modules return it."""
    return _present(
        {
            "ref": revision.ref,
            "resolved": revision.resolved,
            "commit": revision.commit,
            "subject": revision.subject,
            "author": {"name": revision.author.name, "email": revision.author.email},
            "committer": {"name": revision.committer.name, "email": revision.committer.email},
            "authored": revision.authored,
            "committed": revision.committed,
        }
    )


def _app(result: AppResult, *, stopped: bool) -> dict[str, Any]:
    plan = result.plan
    return _present(
        {
            "name": plan.app,
            "error": plan.error or result.error,
            "suspended": plan.suspended,
            "changed": result.changed,
            "failed": result.failed,
            "drifted": result.drifted,
            "prune_blocked": plan.prune_blocked,
            "warnings": list(plan.warnings),
            "counts": _counts(Counts.of([result])),
            "seconds": round(result.seconds, 3),
            "actions": [
                action_document(action, outcome, stopped=stopped)
                for action, outcome in result.with_outcomes()
            ],
            "waits_for": result.waits_for,
            "in_progress": follow_up_document(result.follow_up) if result.follow_up is not None else None,
            "unhealthy": [unhealthy_document(unhealthy) for unhealthy in result.unhealthy],
        }
    )


def action_document(
    action: Action, outcome: Outcome | None = None, *, stopped: bool = False
) -> dict[str, Any]:
    """Return an action with its outcome, if it was carried out; `stopped` where its run was."""
    ref = action.ref
    return _present(
        {
            "object": str(ref),
            "group": ref.group,
            "kind": ref.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "action": action.verb.value,
            "reason": action.reason,
            "warning": action.warning,
            "origin": str(action.origin) if action.origin else "",
            "drifted": action.drifted,
            "unverified": action.unverified,
            "culprit": culprit_document(action.culprit) if action.culprit is not None else None,
            "changes": [_change(change) for change in action.changes],
            "diff": "\n".join(diff_lines(action)),
            "health": _health(action.health) if action.health is not None else None,
            "result": outcome.result.value if outcome is not None and action.verb.writes else None,
            "error": outcome.error if outcome is not None else "",
            "blames_server": True if stopped and outcome is not None and outcome.blames_server else None,
        }
    )


def failures(whole: Mapping[str, Any]) -> list[str]:
    """Return why the run of this document failed: one line for each thing that did, of many alike only one.

    What keeps whole apps back comes first. Objects that the server failed for before the run stopped have no line.
    """
    reasons = [source["error"] for source in whole["sources"] if source.get("error")]
    reasons += filter(None, [whole.get("config", {}).get("error"), whole.get("stopped")])
    for app in whole["apps"]:
        if app.get("error"):
            reasons.append(app["error"])
        reasons += [
            f"app {app['name']}: {action['object']}: {action.get('error') or action.get('reason', '')}"
            for action in app.get("actions", ())
            if (action.get("result") == "failed" and not action.get("blames_server"))
            or action["action"] == "refused"
        ]
        reasons += [f"app {app['name']}: {unhealthy_text(item)}" for item in app.get("unhealthy", ())]
    return list(dict.fromkeys(reasons))


def unhealthy_document(unhealthy: Unhealthy) -> dict[str, Any]:
    """Return an object that is not healthy as JSON types."""
    return {
        "object": str(unhealthy.ref),
        "status": unhealthy.health.status.value,
        "message": unhealthy.health.message,
        **({"reasons": list(unhealthy.reasons)} if unhealthy.reasons else {}),
    }


def unhealthy_text(entry: Mapping[str, Any]) -> str:
    """Return an entry of `unhealthy` in one line, with its first reason."""
    state = f"{entry['status']} {entry.get('message', '')}".rstrip()
    reason = brief_reason(entry.get("reasons", ()))
    return f"{entry['object']} is not healthy: {state}{'; ' + reason if reason else ''}"


def _health(health: Health) -> dict[str, Any]:
    return _present({"status": health.status.value, "message": health.message})


def _change(change: FieldChange) -> dict[str, Any]:
    shown: dict[str, Any] = {"path": change.path, "cause": change.cause.value}
    if change.live is not ABSENT:
        shown["live"] = change.live
    if change.desired is not ABSENT:
        shown["desired"] = change.desired
    if change.culprit is not None:
        shown["culprit"] = culprit_document(change.culprit)
    return shown


def culprit_document(culprit: Culprit) -> dict[str, Any]:
    """Return who did something, and where that is known from."""
    return _present(
        {
            "manager": culprit.manager,
            "operation": culprit.operation,
            "subresource": culprit.subresource,
            "time": culprit.time,
            "user": culprit.user,
            "groups": list(culprit.groups),
            "addresses": list(culprit.addresses),
            "user_agent": culprit.user_agent,
            "verb": culprit.verb,
            "one_of": list(culprit.one_of),
            "evidence": culprit.evidence,
        }
    )


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without empty text, empty lists and None. A false or a zero stays."""
    return {key: value for key, value in values.items() if value not in (None, "", [])}
