# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose an object is where its label, its version or the object itself is gone (rows 71, 75, 81, 93 and 108)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AppState, DriftPolicy, PruneLimit
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, custom_kind, manifest

LABEL = "applyset.kubernetes.io/part-of"


def strip(kubectl: Kubectl, engine: Engine, *, entry: bool) -> None:
    """Take the label away, as somebody with kubectl; with `entry` all of managedFields, too."""
    kubectl("label", "configmap", "both", "-n", engine.namespace, f"{LABEL}-")
    if entry:
        patch = json.dumps([{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}])
        kubectl("patch", "configmap", "both", "-n", engine.namespace, "--type=json", "-p", patch)


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize(("entry", "adopt"), [(False, False), (False, True), (True, True)])
def test_row_75_what_lost_its_label_while_its_app_does_not_render_is_no_other_apps(
    engine: Engine, kubectl: Kubectl, order: tuple[str, str], *, entry: bool, adopt: bool
) -> None:
    engine.write("a/all.yaml", config_map("both", {"from": "a"}))
    engine.write("b/all.yaml", config_map("other"))
    apps = [engine.spec(name, adopt=adopt) for name in order]
    engine.apply(*apps)
    strip(kubectl, engine, entry=entry)
    engine.write("a/all.yaml", "---\n: [")
    engine.write("b/all.yaml", config_map("other") + config_map("both", {"from": "b"}))
    for run in (engine.check, engine.apply):
        done = run(*apps)
        action = done.action("ConfigMap", "both")
        assert action.verb is Verb.REFUSED
        assert "app a, which does not render" in action.reason
        assert kubectl.live("configmap", "both", engine.namespace)["data"] == {"from": "a"}
    engine.write("a/all.yaml", config_map("both", {"from": "a"}))
    engine.write("b/all.yaml", config_map("other"))
    if not entry or adopt:
        assert not any(app.failed for app in engine.apply(*apps).result.apps)
        assert engine.apply(*apps).writes == 0


def test_row_75_a_label_of_another_app_that_somebody_wrote_changes_nothing(
    engine: Engine, kubectl: Kubectl
) -> None:
    """Neither does the other app prune the object, nor does it take it over while its own does not render."""
    engine.write("a/all.yaml", config_map("both", {"from": "a"}) + config_map("a"))
    engine.write("b/all.yaml", config_map("other"))
    apps = engine.spec("a"), engine.spec("b")
    engine.apply(*apps)
    label = kubectl.live("configmap", "other", engine.namespace)["metadata"]["labels"][LABEL]
    forged = config_map("both", {"from": "a"}, namespace=engine.namespace, labels={LABEL: label})
    kubectl.apply(forged, "--server-side", "--force-conflicts", "--field-manager=plumb")
    engine.write("a/all.yaml", "---\n: [")
    done = engine.apply(*apps)
    assert not done.verbs()
    engine.write("b/all.yaml", config_map("other") + config_map("both", {"from": "b"}))
    assert engine.apply(*apps).action("ConfigMap", "both").verb is Verb.REFUSED
    engine.write("a/all.yaml", config_map("both", {"from": "a"}) + config_map("a"))
    engine.write("b/all.yaml", config_map("other"))
    assert not any(app.failed for app in engine.apply(*apps).result.apps)
    live = kubectl.live("configmap", "both", engine.namespace)
    assert live["data"] == {"from": "a"}
    assert live["metadata"]["labels"][LABEL] != label
    assert engine.apply(*apps).writes == 0


@pytest.fixture
def group(kubectl: Kubectl) -> Iterator[str]:
    """An API group of the test's own, whose definition for Widgets is deleted afterwards."""
    name = f"g{uuid.uuid4().hex[:8]}.example.com"
    yield name
    kubectl("delete", "crd", f"widgets.{name}", "--ignore-not-found", "--wait=false")


def widget(kubectl: Kubectl, engine: Engine, group: str) -> object:
    """The spec of the Widget `w`, as v1 has it."""
    return json.loads(kubectl("get", f"widgets.v1.{group}", "w", "-n", engine.namespace, "-o", "json"))[
        "spec"
    ]


def test_row_81_an_object_of_another_served_version_is_refused_and_never_pruned(
    engine: Engine, kubectl: Kubectl, group: str
) -> None:
    kubectl.apply(custom_kind("widgets", "Widget", group))
    kubectl("wait", "--for=condition=established", f"crd/widgets.{group}", "--timeout=30s")
    theirs = manifest(
        f"{group}/v1", "Widget", "w", metadata={"namespace": engine.namespace}, spec={"a": "theirs"}
    )
    kubectl.apply(theirs)
    definition = custom_kind("widgets", "Widget", group, ("v1", "v2"))
    ours = manifest(f"{group}/v2", "Widget", "w", spec={"a": "ours"})
    engine.write("crd/all.yaml", definition)
    engine.write("app/all.yaml", ours + config_map("c"))
    apps = engine.spec("crd", adopt=True), engine.spec("app", depends_on=("crd",))
    for run in (engine.check, engine.apply):
        action = run(*apps).action("Widget", "w")
        assert action.verb is Verb.REFUSED
        assert "adopt: true" in action.reason
    engine.write("app/all.yaml", config_map("c"))
    engine.apply(*apps)
    assert widget(kubectl, engine, group) == {"a": "theirs"}


@pytest.mark.parametrize("adopt", [False, True])
def test_row_81_a_definition_and_a_manifest_of_its_new_version_in_one_commit(
    engine: Engine, kubectl: Kubectl, group: str, *, adopt: bool
) -> None:
    theirs = manifest(
        f"{group}/v1", "Widget", "w", metadata={"namespace": engine.namespace}, spec={"a": "theirs"}
    )
    engine.write("app/all.yaml", custom_kind("widgets", "Widget", group))
    engine.apply()
    kubectl("wait", "--for=condition=established", f"crd/widgets.{group}", "--timeout=30s")
    kubectl.apply(theirs)
    ours = manifest(f"{group}/v2", "Widget", "w", spec={"a": "ours"})
    engine.write("app/all.yaml", custom_kind("widgets", "Widget", group, ("v1", "v2")) + ours)
    app = engine.spec(adopt=adopt)
    verb = Verb.ADOPT if adopt else Verb.REFUSED
    assert engine.check(app).action("Widget", "w").verb is verb
    done = engine.apply(app)
    assert done.action("Widget", "w").verb is verb
    assert done.app.failed is not adopt
    assert widget(kubectl, engine, group) == {"a": "ours" if adopt else "theirs"}
    if adopt:
        assert engine.apply(app).writes == 0
    else:
        engine.write("app/all.yaml", custom_kind("widgets", "Widget", group, ("v1", "v2")))
        engine.apply(app)
        assert widget(kubectl, engine, group) == {"a": "theirs"}


def test_row_93_every_deletion_is_drift_whatever_else_the_commit_brings(
    engine: Engine, kubectl: Kubectl
) -> None:
    ports = {"selector": {"app": "s"}, "ports": [{"port": 80}]}
    service = manifest("v1", "Service", "s", spec=ports)
    engine.write("app/all.yaml", service + config_map("c") + config_map("d"))
    engine.apply()
    kubectl("create", "configmap", "foreign", "-n", engine.namespace)
    changed = {**ports, "ports": [{"port": 81}]}
    commits = {
        "unrelated": service + config_map("c", {"a": "2"}) + config_map("d"),
        "one that is refused": service
        + config_map("c", {"a": "2"})
        + config_map("d")
        + config_map("foreign"),
        "again": service + config_map("c", {"a": "2"}) + config_map("d") + config_map("foreign"),
        "to the object itself": manifest("v1", "Service", "s", spec=changed) + config_map("d"),
    }
    for name, commit in commits.items():
        kubectl("delete", "service", "s", "-n", engine.namespace)
        engine.write("app/all.yaml", commit)
        for run in (engine.check, engine.apply):
            action = run().action("Service", "s")
            assert (action.verb, action.drifted) == (Verb.CREATE, True), name
        assert kubectl.live("service", "s", engine.namespace)


def test_row_93_what_no_run_applied_is_no_drift(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("bad", {"a": "1"}, finalizers=["not valid!"]))
    for _run in range(2):
        done = engine.apply()
        assert done.app.failed
        assert not done.action("ConfigMap", "bad").drifted
    engine.write("app/all.yaml", config_map("c"))
    engine.apply()
    kubectl("delete", "configmap", "c", "-n", engine.namespace)
    engine.write("app/all.yaml", config_map("d"))  # it left Git, too
    engine.apply(engine.spec(prune_limit=PruneLimit(100)))
    engine.write("app/all.yaml", config_map("d") + config_map("c"))
    assert not engine.apply().action("ConfigMap", "c").drifted, "it left Git meanwhile, so it is new"


@pytest.mark.parametrize("only", [("a", "b"), ("b", "a")])
def test_row_93_what_moves_to_another_app_and_back_is_no_drift(
    engine: Engine, kubectl: Kubectl, only: tuple[str, str]
) -> None:
    apps = engine.spec("a"), engine.spec("b")
    for holder, other in (("a", "b"), ("b", "a")):
        engine.write(f"{holder}/all.yaml", config_map(f"in-{holder}") + config_map("moves"))
        engine.write(f"{other}/all.yaml", config_map(f"in-{other}"))
        for name in only:
            assert not engine.apply(*apps, only=[name]).app.drifted
    engine.write("b/all.yaml", config_map("in-b"))
    engine.apply(*apps)
    assert kubectl.get("configmap", "moves", engine.namespace) is None
    engine.write("a/all.yaml", config_map("in-a") + config_map("moves"))
    assert not engine.apply(*apps).action("ConfigMap", "moves").drifted


def test_row_93_drift_report_leaves_a_deleted_object_through_unrelated_commits(
    engine: Engine, kubectl: Kubectl
) -> None:
    app = engine.spec(drift=DriftPolicy.REPORT)
    engine.write("app/all.yaml", config_map("c") + config_map("d"))
    engine.apply(app)
    kubectl("delete", "configmap", "c", "-n", engine.namespace)
    engine.write("app/all.yaml", config_map("c") + config_map("d", {"a": "2"}))
    for _run in range(2):
        action = engine.apply(app).action("ConfigMap", "c")
        assert (action.verb, action.drifted) == (Verb.UNCHANGED, True)
    engine.write("app/all.yaml", config_map("c", {"a": "2"}) + config_map("d", {"a": "2"}))
    assert engine.apply(app).action("ConfigMap", "c").verb is Verb.CREATE


MARKERS = [
    {"kustomize.toolkit.fluxcd.io/prune": "disabled"},
    {"argocd.argoproj.io/sync-options": "Prune=false"},
    {"argocd.argoproj.io/sync-options": "Replace=true, Prune=confirm"},
    {"argocd.argoproj.io/sync-options": "Delete=false,Validate=false"},
    {"helm.sh/resource-policy": "keep"},
]


@pytest.mark.parametrize("state", [AppState.PRESENT, AppState.ABSENT])
@pytest.mark.parametrize("live_only", [False, True], ids=["in Git", "only live"])
def test_row_108_what_another_tool_is_told_never_to_delete_is_kept_and_said(
    engine: Engine, kubectl: Kubectl, state: AppState, *, live_only: bool
) -> None:
    marked = {f"m{n}": marker for n, marker in enumerate(MARKERS)}
    texts = [config_map(name, **({} if live_only else {"annotations": m})) for name, m in marked.items()]
    engine.write("app/all.yaml", config_map("c") + "".join(texts) + config_map("goes"))
    engine.apply()
    for name, marker in marked.items() if live_only else ():
        ((key, value),) = marker.items()
        kubectl("annotate", "configmap", name, "-n", engine.namespace, f"{key}={value}")
    engine.write("app/all.yaml", config_map("c"))
    app = engine.spec(state=state, prune_limit=PruneLimit(100))
    for _run in range(2):
        done = engine.apply(app)
        assert not done.app.failed
        for name, marker in marked.items():
            action = done.action("ConfigMap", name)
            assert action.verb is Verb.UNCHANGED
            assert "kept" in action.reason
            assert next(iter(marker)) in action.reason
            assert kubectl.live("configmap", name, engine.namespace)
    assert kubectl.get("configmap", "goes", engine.namespace) is None
    off = engine.spec(state=state, prune_limit=PruneLimit(100), keep_marked=False)
    assert not engine.apply(off).app.failed
    assert kubectl.get("configmap", "m0", engine.namespace) is None


def test_row_108_a_marker_of_git_counts_though_somebody_removed_it(engine: Engine, kubectl: Kubectl) -> None:
    keep = "helm.sh/resource-policy"
    engine.write("app/all.yaml", config_map("c") + config_map("m", annotations={keep: "keep"}))
    engine.apply()
    kubectl("annotate", "configmap", "m", "-n", engine.namespace, f"{keep}-")
    engine.write("app/all.yaml", config_map("c"))
    assert "helm.sh/resource-policy: keep" in engine.apply().action("ConfigMap", "m").reason
    assert kubectl.live("configmap", "m", engine.namespace)


def test_row_108_a_marked_object_is_not_recreated(engine: Engine, kubectl: Kubectl) -> None:
    fixed = {"immutable": True, "metadata": {"annotations": {"helm.sh/resource-policy": "keep"}}}
    engine.write("app/all.yaml", manifest("v1", "ConfigMap", "c", data={"a": "1"}, **fixed))
    engine.apply()
    before = kubectl.live("configmap", "c", engine.namespace)["metadata"]["uid"]
    engine.write("app/all.yaml", manifest("v1", "ConfigMap", "c", data={"a": "2"}, **fixed))
    action = engine.apply(engine.spec(recreate=True)).action("ConfigMap", "c")
    assert action.verb is Verb.REFUSED
    assert "helm.sh/resource-policy: keep" in action.reason
    assert kubectl.live("configmap", "c", engine.namespace)["metadata"]["uid"] == before
    assert not engine.apply(engine.spec(recreate=True, keep_marked=False)).app.failed
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "2"}


@pytest.fixture
def dead_kind(kubectl: Kubectl, group: str, engine: Engine) -> str:
    """A kind of somebody else's with one object, in a version that only a dead webhook could convert; `Kind.group`."""
    kubectl.apply(custom_kind("widgets", "Widget", group, ("v1", "v2")))
    kubectl("wait", "--for=condition=established", f"crd/widgets.{group}", "--timeout=30s")
    kubectl.apply(
        manifest(f"{group}/v1", "Widget", "w", metadata={"namespace": engine.namespace}, spec={"a": "1"})
    )
    conversion = {
        "strategy": "Webhook",
        "webhook": {
            "conversionReviewVersions": ["v1"],
            "clientConfig": {"url": "https://127.0.0.1:1/convert"},
        },
    }
    patch = json.dumps({"spec": {"conversion": conversion, "preserveUnknownFields": False}})
    kubectl("patch", "crd", f"widgets.{group}", "--type=merge", "-p", patch)
    return f"Widget.{group}"


def is_dead(kubectl: Kubectl, group: str) -> bool:
    try:
        kubectl("get", f"widgets.v2.{group}", "-A")
    except AssertionError:
        return True
    return False


def test_row_71_a_kind_of_somebody_elses_that_cannot_be_listed_is_not_asked_for(
    engine: Engine, kubectl: Kubectl, sandbox: Sandbox, dead_kind: str
) -> None:
    group = dead_kind.partition(".")[2]
    while not is_dead(kubectl, group):
        pass
    engine.write("app/all.yaml", config_map("c") + manifest("v1", "ServiceAccount", "left"))
    since = sandbox.audit_log.stat().st_size
    assert not engine.check().app.failed
    first = engine.apply()
    assert not first.app.failed
    engine.write("app/all.yaml", config_map("c"))
    done = engine.apply()
    assert not done.app.failed
    assert kubectl.get("serviceaccount", "left", engine.namespace) is None, "its own prunes go on"
    parent = kubectl.live("configmap", "plumb-app", engine.namespace)
    assert dead_kind not in json.dumps(parent["metadata"]["annotations"])
    with sandbox.audit_log.open("rb") as log:
        log.seek(since)
        asked = [line for line in log if group.encode() in line and b'"plumb/' in line]
    assert not asked


def test_row_71_an_inventory_that_names_such_a_kind_holds_up_no_prune(
    engine: Engine, kubectl: Kubectl, dead_kind: str
) -> None:
    group = dead_kind.partition(".")[2]
    while not is_dead(kubectl, group):
        pass
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.apply()
    hints = {"applyset.kubernetes.io/contains-group-kinds": f"ConfigMap,{dead_kind}"}
    patch = json.dumps({"metadata": {"annotations": hints}})
    kubectl("patch", "configmap", "plumb-app", "-n", engine.namespace, "-p", patch)
    engine.write("app/all.yaml", config_map("c"))
    assert not engine.apply().app.failed
    assert kubectl.get("configmap", "left", engine.namespace) is None
    parent = kubectl.live("configmap", "plumb-app", engine.namespace)
    assert dead_kind not in json.dumps(parent["metadata"]["annotations"])
