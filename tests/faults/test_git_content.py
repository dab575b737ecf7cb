# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Git says is broken, empty, far too little or in stages (rows 22-25 and 34 of the list of faults)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AppState, PruneLimit
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import Verb
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, custom_kind, manifest

ANY: dict[str, Any] = {"podSelector": {}}
BROKEN = {
    "syntax": ("app/bad.yaml", "a: [1\n", "app/bad.yaml:1"),
    "late": ("app/bad.yaml", config_map("e") + "---\nkind: ConfigMap\n", "app/bad.yaml:13"),
    "duplicate key": (
        "app/bad.yaml",
        config_map("e").replace('"data"', '"kind": "X",\n "data"'),
        "app/bad.yaml",
    ),
    "kustomize": ("app/kustomization.yaml", "resources: [missing.yaml]\n", "missing.yaml"),
    "twice": ("app/bad.yaml", config_map("c"), "ConfigMap"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_row_22_one_bad_file_and_nothing_of_the_app_is_applied_or_pruned(
    engine: Engine, kubectl: Kubectl, name: str
) -> None:
    path, text, named = BROKEN[name]
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.write("other/all.yaml", config_map("o"))
    engine.apply()
    engine.write("app/all.yaml", config_map("c", {"a": "2"}) + config_map("new"))
    engine.write(path, text)
    done = engine.apply(engine.spec(), engine.spec("other"))
    broken, other = done.result.apps
    assert broken.failed
    assert named in broken.plan.error
    assert not broken.plan.actions
    assert not other.failed
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "1"}
    assert kubectl.live("configmap", "left", engine.namespace)
    assert kubectl.get("configmap", "new", engine.namespace) is None
    assert kubectl.live("configmap", "o", engine.namespace)


def test_row_22_an_object_that_the_server_refuses_holds_up_prune_but_not_the_others(
    engine: Engine, kubectl: Kubectl
) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.apply()
    misspelt = config_map("bad").replace('"data"', '"dta"')
    engine.write("app/all.yaml", config_map("c", {"a": "2"}) + misspelt)
    done = engine.apply()
    assert done.app.failed
    (failed,) = (o for o in done.app.outcomes if o.action.ref.name == "bad")
    assert "dta" in failed.error
    assert "app/all.yaml:" in failed.error
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "2"}
    assert kubectl.live("configmap", "left", engine.namespace)
    assert "dta" in engine.check().action("ConfigMap", "bad").reason


def test_row_22_a_version_that_is_not_served_prunes_nothing(engine: Engine, kubectl: Kubectl) -> None:
    engine.write(
        "app/all.yaml", config_map("c") + manifest("networking.k8s.io/v1", "NetworkPolicy", "n", spec=ANY)
    )
    engine.apply()
    later = manifest("networking.k8s.io/v9", "NetworkPolicy", "n", spec=ANY)
    engine.write("app/all.yaml", config_map("c") + later)
    done = engine.apply()
    action = done.action("NetworkPolicy", "n")
    assert action.verb is Verb.REFUSED
    assert "networking.k8s.io/v1 NetworkPolicy" in action.reason
    assert kubectl.live("networkpolicy", "n", engine.namespace)


def test_row_23_an_empty_render_is_refused_unless_allowed(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("d"))
    engine.apply()
    engine.write("app/all.yaml", "# nothing\n")
    done = engine.apply()
    assert "allow_empty: true" in done.app.plan.error
    assert done.writes == 0
    assert kubectl.live("configmap", "c", engine.namespace)
    assert not engine.apply(engine.spec(allow_empty=True)).app.failed
    assert kubectl.get("configmap", "c", engine.namespace) is None
    assert kubectl.get("configmap", "d", engine.namespace) is None
    assert engine.apply(engine.spec(allow_empty=True)).writes == 0


def test_row_23_a_path_that_is_gone_is_not_an_empty_render(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/all.yaml", config_map("c"))
    engine.apply()
    done = engine.apply(engine.spec(path="moved/away", allow_empty=True))
    assert "moved/away" in done.app.plan.error
    assert kubectl.live("configmap", "c", engine.namespace)


@pytest.mark.parametrize(
    ("limit", "total", "left", "allowed"),
    [
        (PruneLimit(50, percent=True), 12, 7, False),
        (PruneLimit(50, percent=True), 12, 6, True),
        (PruneLimit(50, percent=True), 10, 9, True),
        (PruneLimit(2), 5, 3, False),
        (PruneLimit(0), 2, 1, False),
    ],
)
def test_row_24_a_prune_above_the_limit_is_refused_and_says_how_to_allow_it(
    engine: Engine, kubectl: Kubectl, limit: PruneLimit, total: int, left: int, *, allowed: bool
) -> None:
    app = engine.spec(prune_limit=limit)
    engine.write("app/all.yaml", "".join(config_map(f"c{i}") for i in range(total)))
    engine.apply(app)
    engine.write("app/all.yaml", "".join(config_map(f"c{i}") for i in range(left, total)))
    done = engine.apply(app)
    assert done.app.failed is not allowed
    names = kubectl(
        "get", "configmap", "-n", engine.namespace, "-o", "name", "-l", "applyset.kubernetes.io/part-of"
    )
    assert len(names.splitlines()) == (total - left if allowed else total)
    if not allowed:
        assert f"{left} of {total}" in done.app.plan.prune_blocked
        assert "Raise prune_limit" in done.app.plan.prune_blocked


def test_row_24_prune_false_keeps_and_says_so(engine: Engine, kubectl: Kubectl) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.apply()
    engine.write("app/all.yaml", config_map("c"))
    done = engine.apply(engine.spec(prune=False))
    assert not done.app.failed
    assert "prune: false" in done.action("ConfigMap", "left").reason
    assert kubectl.live("configmap", "left", engine.namespace)
    engine.apply()
    assert kubectl.get("configmap", "left", engine.namespace) is None


def test_row_25_what_takes_data_with_it_is_pruned_only_with_consent(engine: Engine, kubectl: Kubectl) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    protected = (
        manifest("v1", "PersistentVolumeClaim", "p", spec=claim)
        + manifest("v1", "Namespace", f"{engine.namespace}-sub")
        + custom_kind("things", "Thing", group)
    )
    names = {
        ("persistentvolumeclaim", "p", engine.namespace),
        ("namespace", f"{engine.namespace}-sub", ""),
        ("customresourcedefinition", f"things.{group}", ""),
    }
    engine.write("app/all.yaml", config_map("c") + protected)
    assert not engine.apply().app.failed
    engine.write("app/all.yaml", config_map("c"))
    done = engine.apply()
    waiting = [action for action in done.app.plan.actions if "waits for consent" in action.reason]
    assert {action.verb for action in waiting} == {Verb.UNCHANGED}
    assert len(waiting) == 3
    assert all("plumb.gitops/prune=enabled" in action.reason for action in waiting)
    for kind, name, namespace in names:
        assert "deletionTimestamp" not in kubectl.live(kind, name, namespace)["metadata"]
        where = ["-n", namespace] if namespace else []
        kubectl("annotate", kind, name, *where, "plumb.gitops/prune=enabled")
    assert not engine.apply().app.failed
    for kind, name, namespace in names:
        live = kubectl.get(kind, name, namespace)
        assert live is None or "deletionTimestamp" in live["metadata"]


def test_row_25_an_annotation_in_git_keeps_any_object(engine: Engine, kubectl: Kubectl) -> None:
    protected = config_map("kept", annotations={"plumb.gitops/prune": "disabled"})
    engine.write("app/all.yaml", config_map("c") + protected)
    engine.apply()
    engine.write("app/all.yaml", config_map("c"))
    done = engine.apply()
    assert not done.app.failed
    assert "disabled" in done.action("ConfigMap", "kept").reason
    assert kubectl.live("configmap", "kept", engine.namespace)
    gone = engine.apply(engine.spec(state=AppState.ABSENT))
    assert not gone.app.failed
    assert kubectl.live("configmap", "kept", engine.namespace)


def test_row_34_a_kind_and_its_objects_come_in_one_commit_and_go_in_one(
    engine: Engine, kubectl: Kubectl
) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    crd = custom_kind("things", "Thing", group, annotations={"plumb.gitops/prune": "enabled"})
    things = "".join(manifest(f"{group}/v1", "Thing", f"t{i}", spec={"size": i}) for i in range(3))
    engine.write("app/all.yaml", things + crd + config_map("c"))
    checked = engine.check()
    assert set(checked.verbs().values()) == {Verb.CREATE}
    assert checked.writes == 0
    done = engine.apply()
    assert not done.app.failed
    assert kubectl.live(f"things.{group}", "t2", engine.namespace)["spec"] == {"size": 2}
    assert engine.apply().writes == 0
    engine.write("app/all.yaml", config_map("c"))
    gone = engine.apply(engine.spec(prune_limit=PruneLimit(100, percent=True)))
    assert not gone.app.failed
    order = [o.action.ref.kind for o in gone.app.outcomes if o.action.verb is Verb.PRUNE]
    assert order == ["Thing", "Thing", "Thing", "CustomResourceDefinition"]
    live = kubectl.get("customresourcedefinition", f"things.{group}")
    assert live is None or "deletionTimestamp" in live["metadata"]
    again = engine.apply()
    assert not again.app.failed
    assert again.writes <= 1  # the kind leaves the inventory


def test_row_34_objects_wait_for_a_kind_of_an_app_they_depend_on(engine: Engine, kubectl: Kubectl) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    engine.write("kinds/crd.yaml", custom_kind("things", "Thing", group))
    engine.write("app/t.yaml", manifest(f"{group}/v1", "Thing", "t", spec={"size": 1}))
    apps = engine.spec(depends_on=("kinds",)), engine.spec("kinds")
    assert not any(app.failed for app in engine.check(*apps).result.apps)
    assert not any(app.failed for app in engine.apply(*apps).result.apps)
    assert kubectl.live(f"things.{group}", "t", engine.namespace)


def test_row_34_a_kind_that_nobody_knows_is_refused_and_the_rest_is_applied(
    engine: Engine, kubectl: Kubectl
) -> None:
    engine.write("app/all.yaml", config_map("c") + manifest("example.org/v1", "Widget", "w"))
    done = engine.apply()
    assert done.app.failed
    assert "does not know example.org/v1 Widget (app/all.yaml:" in done.action("Widget", "w").reason
    assert kubectl.live("configmap", "c", engine.namespace)


def test_row_34_a_kind_that_someone_deleted_comes_back_with_its_objects(
    engine: Engine, kubectl: Kubectl
) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    thing = manifest(f"{group}/v1", "Thing", "t", spec={"size": 1})
    engine.write("app/all.yaml", custom_kind("things", "Thing", group) + thing + config_map("c"))
    engine.apply()
    kubectl("delete", "customresourcedefinition", f"things.{group}")
    checked = engine.check()
    assert not checked.app.failed
    assert checked.app.drifted
    assert not engine.apply().app.failed
    assert kubectl.live(f"things.{group}", "t", engine.namespace)
    assert engine.apply().writes == 0
