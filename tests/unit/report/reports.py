# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports for golden files: one for each thing that a reader may meet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import Person, Revision
from ansible_collections.plumb.gitops.plugins.module_utils.model.change import (
    ABSENT,
    MASK,
    Cause,
    Culprit,
    FieldChange,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.health import Health
from ansible_collections.plumb.gitops.plugins.module_utils.model.object_diff import Hunk, ObjectDiff
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import ObjectRef, Origin
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import (
    Action,
    AppResult,
    Outcome,
    Plan,
    Result,
    Unhealthy,
    Verb,
)
from ansible_collections.plumb.gitops.plugins.module_utils.model.report import Report, SourceReport

_ADA = Person("Ada Lovelace", "ada@example.com")
MAIN = Revision(
    source="fleet", ref="main", commit="4f2a9c1" + "0" * 33, subject="Raise checkout limits", author=_ADA,
    committer=_ADA, authored="2026-11-23T09:00:00Z", committed="2026-11-23T09:01:00Z",
)  # fmt: skip
IMAGE = FieldChange("spec.template.spec.containers[main].image", "shop/checkout:1.4.1", "shop/checkout:1.4.2")
SCALED = FieldChange("spec.replicas", 9, 3, Cause.DRIFT, Culprit("kubectl", "Update", "scale"))
EDITED = FieldChange(
    "data.banner",
    "Sale!",
    "Welcome",
    Cause.DRIFT,
    Culprit("kubectl-edit", "Update", "", "2026-11-23T09:10:00Z"),
)


def ref(kind: str, name: str, namespace: str = "shop") -> ObjectRef:
    return ObjectRef("apps" if kind == "Deployment" else "", kind, namespace, name)


def action(kind: str, name: str, verb: Verb, *changes: FieldChange, **more: Any) -> Action:
    return Action(ref=ref(kind, name), verb=verb, changes=changes, origin=Origin(f"{name}.yaml", 1), **more)


def report(*apps: AppResult, **more: Any) -> Report:
    return Report(
        **{
            "cluster": "prod-eu",
            "server": "127.0.0.1:6443",
            "check": True,
            "started": "2026-11-23T09:13:02Z",
            "seconds": 1.2345,
            "sources": (SourceReport("fleet", MAIN),),
            "apps": apps,
            "requests": (("dry_runs", 1), ("reads", 12), ("retries", 0), ("writes", 0)),
            **more,
        }
    )


def app(name: str, *actions: Action, outcomes: tuple[Outcome, ...] = (), **more: Any) -> AppResult:
    of_plan = {key: more.pop(key) for key in ("warnings", "suspended", "prune_blocked") if key in more}
    plan = Plan(app=name, actions=actions, **of_plan)
    return AppResult(plan=plan, outcomes=outcomes, **more)


_CHANGED = action("Deployment", "checkout", Verb.UPDATE, IMAGE)
_NEW = action("ConfigMap", "flags", Verb.CREATE)
_GONE = action("Job", "migrate", Verb.PRUNE, reason="left Git in 4f2a9c1")
_WANTED = tuple(action("Service", f"s{number}", Verb.UNCHANGED) for number in range(77))
_SCALED = action("Deployment", "cart", Verb.UPDATE, SCALED)
_VERBS = (
    action("ConfigMap", "banner", Verb.UPDATE, EDITED, FieldChange("data.new", ABSENT, "x")),
    action("Deployment", "adopted", Verb.ADOPT, FieldChange("metadata.labels[team]", ABSENT, "shop")),
    action("Deployment", "again", Verb.RECREATE, reason="spec.selector cannot be changed in place"),
    action("PersistentVolumeClaim", "data", Verb.REFUSED, reason="left Git; pruned only with consent"),
    action("Service", "gone", Verb.CREATE, deleted_by_someone=True),
    action("Deployment", "left", Verb.UNCHANGED, SCALED, reason="drift: report, it stays as it is"),
    action(
        "Deployment", "scaled", Verb.UNCHANGED, warning="spec.replicas is left to its HorizontalPodAutoscaler"
    ),
    action("Secret", "token", Verb.UPDATE, FieldChange("data.token", MASK, MASK)),
    action("ConfigMap", "denied", Verb.UPDATE, reason="may not patch", unverified=True),
    Action(ref=ObjectRef("", "Namespace", "", "shop"), verb=Verb.CREATE, reason="create_namespace"),
)
_FAILED = action("Deployment", "cart", Verb.UPDATE, IMAGE)
_SKIPPED = action("Job", "old", Verb.PRUNE, reason="left Git in 4f2a9c1")
_HOSTILE = "a\n  shop   1000 unchanged\x1b[2K\u202e"
_LONG = "the same beginning, over and over, " * 3
_VALUES: tuple[tuple[Any, Any], ...] = (
    ("1", 1), (True, "true"), ("", None), ([], {}), ("a\nb", "a b"), (_LONG + "old", _LONG + "new"),
    ({"b": 1, "a": [1]}, ["é"]), ("x" * 200, "y"), (0, 0.0), (ABSENT, "(none)"),
)  # fmt: skip

_LABELLED = FieldChange(
    "metadata.labels.team", "b", ABSENT, Cause.ADDITION, Culprit("kubectl-label", "Update")
)
_UPDATE_DIFF = ObjectDiff(
    hunks=(
        Hunk("spec", ("spec.replicas",), (" spec:", "-  replicas: 9", "+  replicas: 3")),
        Hunk("metadata.labels", ("metadata.labels.team",), ("-  team: b", " ", "   a: |", "     ```")),
    ),
    revision="4f2a9c1",
    left=frozenset({"metadata.labels.team"}),
)
_NEW_DIFF = ObjectDiff(
    hunks=(Hunk("", (), ("+apiVersion: v1", "+kind: ConfigMap")),), live=False, revision="4f2a9c1"
)
_OLD_DIFF = ObjectDiff(hunks=(Hunk("", (), ("-apiVersion: v1", "-kind: ConfigMap")),), wanted=False)
_LONG_DIFF = ObjectDiff(
    hunks=(Hunk("data", (), tuple(f"+  key-{n}: x" for n in range(300))),), revision="4f2a9c1"
)

REPORTS: dict[str, Report] = {
    "diffs": report(
        app(
            "shop",
            action("Deployment", "cart", Verb.UPDATE, SCALED, _LABELLED, api_version="apps/v1", diff=_UPDATE_DIFF),
            action("ConfigMap", "new", Verb.CREATE, api_version="v1", diff=_NEW_DIFF),
            action("ConfigMap", "old", Verb.PRUNE, reason="left Git in 4f2a9c1", api_version="v1", diff=_OLD_DIFF),
            action("ConfigMap", "long", Verb.UPDATE, api_version="v1", diff=_LONG_DIFF),
            action("ConfigMap", "none", Verb.UPDATE, FieldChange("data.a", "1", "2")),
        )
    ),
    "creates": report(
        app(
            "shop",
            *(action("ConfigMap", f"c{number}", Verb.CREATE) for number in range(40)),
            *(action("Service", f"s{number}", Verb.CREATE) for number in range(12)),
            action("ConfigMap", "warned", Verb.CREATE, warning="look at this"),
            action("ConfigMap", "again", Verb.CREATE, deleted_by_someone=True),
            *(action("Deployment", f"d{number}", Verb.CREATE, reason="its namespace comes", unverified=True)
              for number in range(11)),
        ),
        app("few", *(action("ConfigMap", f"c{number}", Verb.CREATE) for number in range(10))),
        app("kinds", *(action(f"Kind{number:02}", "x", Verb.CREATE) for number in range(15))),
    ),
    "check": report(
        app("shop", _CHANGED, _SCALED, _NEW, _GONE, *_WANTED), app("payments", *_WANTED), app("nothing")
    ),
    "verbs": report(app("shop", *_VERBS, warnings=("ConfigMap shop/x carries this app's label",))),
    "applied": report(
        app(
            "shop", _CHANGED, _SCALED, _NEW, _GONE, *_WANTED,
            outcomes=tuple(Outcome(a, Result.DONE) for a in (_CHANGED, _SCALED, _NEW, _GONE)),
            executed=True, waited=True, seconds=3.21,
        ),
        check=False,
    ),
    "failed": report(
        app(
            "shop", _CHANGED, _FAILED, _SKIPPED,
            outcomes=(Outcome(_CHANGED, Result.DONE), Outcome(_FAILED, Result.FAILED, "the server said no"),
                      Outcome(_SKIPPED, Result.SKIPPED, "not pruned, because something failed")),
            unhealthy=(Unhealthy(ref("Deployment", "checkout"), Health.in_progress("Available: 1/3"), (
                           "2 Pods: container app: CrashLoopBackOff, last exit code 1 (Error), 5 restarts",
                           "Pod checkout-1: `hostile` @here <b>")),
                       Unhealthy(ref("Deployment", "mail"), Health.failed(""))),
            executed=True,
        ),
        AppResult(plan=Plan(app="broken", error="app broken: rendering x: x.yaml:3 is no YAML"), executed=True),
        AppResult(plan=Plan(app="later"), executed=True, error="app later: not started, because of broken"),
        app("glass", suspended=True, executed=True),
        check=False,
    ),
    "sources": report(
        app("shop", *_WANTED),
        sources=(
            SourceReport("fleet", replace(MAIN, ref="^1.2", resolved="v1.2.3")),
            SourceReport("pinned", replace(MAIN, ref=MAIN.commit)),
            SourceReport("lost", None, "source lost: fetching it: no such repository"),
            SourceReport("kept", MAIN, "source kept: following branch main: branch main was rewritten"),
            SourceReport("told", MAIN, warning="source told: tag v1 was moved; it is followed"),
        ),
        unclaimed=("app old (ConfigMap shop/plumb-old)",),
        cluster="",
    ),
    "values": report(app("shop", *(
        action("ConfigMap", f"c{number}", Verb.UPDATE, FieldChange("data.a", live, wanted))
        for number, (live, wanted) in enumerate(_VALUES)))),
    "much": report(app("shop", *(
        action("ConfigMap", f"c{number}", Verb.UPDATE, *(FieldChange(f"data.k{n}", "1", "2") for n in range(fields)))
        for number, fields in enumerate([13, *[1] * 200])))),
    "hostile": report(
        app("shop", action("ConfigMap", "x", Verb.UPDATE,
            FieldChange(f"spec.free[{_HOSTILE}]", _HOSTILE, _HOSTILE + "!", Cause.DRIFT, Culprit(_HOSTILE, "Update")))),
        sources=(SourceReport("fleet", replace(MAIN, subject=_HOSTILE, author=Person(_HOSTILE, ""))),),
        unclaimed=(f"app {_HOSTILE} (ConfigMap shop/x)",),
    ),
}  # fmt: skip
