# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads that fail or lie, and objects that move between plan and write (rows 13, 14, 15, 17 of the list of faults)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.plugins.module_utils.model.app import AppSpec
from ansible_collections.plumb.gitops.plugins.module_utils.model.plan import AppResult, Result, Verb
from ansible_collections.plumb.gitops.plugins.module_utils.model.run_options import DEFAULT_NAMESPACE
from ansible_collections.plumb.gitops.plugins.module_utils.reconcile.plan import appearances
from ansible_collections.plumb.gitops.tests.support.cluster.engine import Done, Engine
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.faults.proxy import (
    Proxy,
    cut_after,
    first,
    replay,
    status,
)
from ansible_collections.plumb.gitops.tests.support.manifests.text import (
    config_map,
    deployment,
    manifest,
    secret,
)

LISTS = r"/{}\?limit="


def app_of(done: Done, name: str) -> AppResult:
    return next(app for app in done.result.apps if app.plan.app == name)


def service_account(name: str) -> str:
    return manifest("v1", "ServiceAccount", name)


def test_row_13_a_list_that_fails_blocks_the_prune_of_apps_of_that_kind_only(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", config_map("c") + service_account("left"))
    engine.write("other/all.yaml", config_map("d") + config_map("left"))
    apps = engine.spec(), engine.spec("other")
    engine.apply(*apps)
    engine.write("app/all.yaml", config_map("c", {"a": "2"}))
    engine.write("other/all.yaml", config_map("d"))
    proxy.fault("GET", LISTS.format("serviceaccounts"), status(403, "Forbidden"))
    done = engine.apply(*apps, kubeconfig=proxy.kubeconfig)
    held = app_of(done, "app")
    assert "ServiceAccount could not be listed" in held.plan.warnings[0]
    assert "ServiceAccount could not be listed" in held.plan.prune_blocked
    assert kubectl.live("serviceaccount", "left", engine.namespace)
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "2"}
    assert not app_of(done, "other").failed
    assert kubectl.get("configmap", "left", engine.namespace) is None
    healed = engine.apply(*apps)
    assert not any(app.failed for app in healed.result.apps)
    assert kubectl.get("serviceaccount", "left", engine.namespace) is None


@pytest.mark.parametrize("code", [403, 404, 500])
def test_row_13_no_answer_to_a_list_is_taken_for_an_empty_one(
    engine: Engine, kubectl: Kubectl, proxy: Proxy, code: int
) -> None:
    engine.write("app/all.yaml", config_map("c") + service_account("left"))
    engine.apply()
    engine.write("app/all.yaml", config_map("c"))
    fault = proxy.fault("GET", LISTS.format("serviceaccounts"), status(code))
    engine.apply(kubeconfig=proxy.kubeconfig)
    assert fault.met
    assert kubectl.live("serviceaccount", "left", engine.namespace)
    engine.apply()
    assert kubectl.get("serviceaccount", "left", engine.namespace) is None


def restricted(engine: Engine, kubectl: Kubectl, tmp_path: Path, rules: list[dict[str, Any]]) -> Path:
    """The kubeconfig of an account that has these rights in the test's namespace, and keeps its records."""
    name, namespace = f"u-{engine.namespace}", engine.namespace
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    where, home = {"namespace": namespace}, {"namespace": DEFAULT_NAMESPACE}
    records = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch", "delete"]}
    rbac = "rbac.authorization.k8s.io/v1"
    kubectl.apply(
        manifest("v1", "ServiceAccount", name, metadata=where)
        + manifest(rbac, "Role", name, metadata=where, rules=rules)
        + manifest(rbac, "RoleBinding", name, metadata=where, subjects=[subject], roleRef=role)
        + manifest("v1", "Namespace", DEFAULT_NAMESPACE)
        + manifest(rbac, "Role", name, metadata=home, rules=[records])
        + manifest(rbac, "RoleBinding", name, metadata=home, subjects=[subject], roleRef=role)
    )
    config = yaml.safe_load(engine.sandbox.kubeconfig.read_text(encoding="utf-8"))
    config["users"][0]["user"] = {"token": kubectl("create", "token", name, "-n", namespace).strip()}
    file = tmp_path / "restricted.kubeconfig"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return file


def test_row_13_a_revoked_list_blocks_prune_and_the_rest_goes_on(
    engine: Engine, kubectl: Kubectl, tmp_path: Path
) -> None:
    everything = {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["*"]}
    blind = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "patch", "delete"]}
    maps = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}
    engine.write("app/all.yaml", config_map("c") + secret("left", {"k": "v"}))
    assert not engine.apply(kubeconfig=restricted(engine, kubectl, tmp_path, [everything])).app.failed
    engine.write("app/all.yaml", config_map("c", {"a": "2"}))
    done = engine.apply(kubeconfig=restricted(engine, kubectl, tmp_path, [maps, blind]))
    assert "Secret could not be listed" in done.app.plan.prune_blocked
    assert kubectl.live("secret", "left", engine.namespace)
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "2"}
    assert not engine.apply(kubeconfig=restricted(engine, kubectl, tmp_path, [everything])).app.failed
    assert kubectl.get("secret", "left", engine.namespace) is None


def test_row_13_a_namespace_that_may_not_be_listed_blocks_no_app_of_another(
    engine: Engine, kubectl: Kubectl, tmp_path: Path
) -> None:
    maps = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}
    account = restricted(engine, kubectl, tmp_path, [maps])
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.write("foreign/all.yaml", config_map("f"))
    foreign = engine.spec("foreign", namespace="default")
    assert not engine.apply(kubeconfig=account).app.failed
    engine.write("app/all.yaml", config_map("c"))
    done = engine.apply(engine.spec(), foreign, kubeconfig=account)
    assert app_of(done, "foreign").failed
    assert not app_of(done, "app").failed
    assert kubectl.get("configmap", "left", engine.namespace) is None


def test_row_13_inventories_that_cannot_be_listed_are_read_one_by_one(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", service_account("a") + service_account("left"))
    engine.apply()
    engine.write("app/all.yaml", service_account("a"))
    proxy.fault("GET", LISTS.format("configmaps"), status(403, "Forbidden"))
    assert not engine.apply(kubeconfig=proxy.kubeconfig).app.failed
    assert kubectl.get("serviceaccount", "left", engine.namespace) is None


def test_row_13_without_any_inventory_nothing_is_written(engine: Engine, proxy: Proxy) -> None:
    engine.write("app/all.yaml", config_map("c"))
    engine.apply()
    engine.write("app/all.yaml", config_map("d"))
    proxy.fault("GET", "/configmaps", status(403, "Forbidden"))
    done = engine.apply(kubeconfig=proxy.kubeconfig)
    assert f"ConfigMap {engine.namespace}/plumb-app: reading" in done.app.plan.error
    assert done.app.failed
    assert not proxy.writes()


def test_row_14_a_stale_list_prunes_nothing_that_was_made_anew(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", config_map("c") + service_account("left"))
    engine.apply()
    engine.check(kubeconfig=proxy.kubeconfig)
    stale = proxy.answer_to("GET", LISTS.format("serviceaccounts"))
    kubectl("delete", "serviceaccount", "left", "-n", engine.namespace)
    kubectl("create", "serviceaccount", "left", "-n", engine.namespace)
    engine.write("app/all.yaml", config_map("c"))
    proxy.fault("GET", LISTS.format("serviceaccounts"), replay(stale))
    done = engine.apply(kubeconfig=proxy.kubeconfig)
    (outcome,) = (o for o in done.app.outcomes if o.action.verb is Verb.PRUNE)
    assert outcome.result is Result.SKIPPED
    assert "created anew" in outcome.error
    assert kubectl.live("serviceaccount", "left", engine.namespace)


def test_row_14_a_stale_list_overwrites_nothing_unseen(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", config_map("c", {"a": "1", "b": "1"}))
    engine.apply()
    engine.check(kubeconfig=proxy.kubeconfig)
    stale = proxy.answer_to("GET", LISTS.format("configmaps") + ".*part-of")
    theirs = config_map("c", {"a": "theirs"}, namespace=engine.namespace)
    kubectl.apply(theirs, "--server-side", "--force-conflicts", "--field-manager=other")
    engine.write("app/all.yaml", config_map("c", {"a": "2", "b": "2"}))
    proxy.fault("GET", LISTS.format("configmaps") + ".*part-of", replay(stale))
    done = engine.apply(kubeconfig=proxy.kubeconfig)
    (outcome,) = (o for o in done.app.outcomes if o.action.ref.name == "c")
    assert outcome.result is Result.FAILED
    assert "other claims data.a" in outcome.error
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "theirs", "b": "1"}


def test_row_15_what_is_made_anew_just_before_the_delete_is_kept(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.apply()
    engine.write("app/all.yaml", config_map("c"))

    def race() -> None:
        kubectl("delete", "configmap", "left", "-n", engine.namespace)
        kubectl("create", "configmap", "left", "-n", engine.namespace, "--from-literal=a=theirs")

    fault = proxy.fault("DELETE", "configmaps/left", first(race), times=1)
    done = engine.apply(kubeconfig=proxy.kubeconfig)
    assert fault.met == 1
    assert [o.result for o in done.app.outcomes if o.action.verb is Verb.PRUNE] == [Result.SKIPPED]
    assert kubectl.live("configmap", "left", engine.namespace)["data"] == {"a": "theirs"}
    assert kubectl.live("configmap", "left", engine.namespace)["metadata"].get("labels") is None


def test_row_15_what_only_moved_on_is_still_pruned(engine: Engine, kubectl: Kubectl, proxy: Proxy) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.apply()
    engine.write("app/all.yaml", config_map("c"))
    touch = ["annotate", "configmap", "left", "-n", engine.namespace, "--overwrite", "touched=yes"]
    proxy.fault("DELETE", "configmaps/left", first(lambda: kubectl(*touch)), times=1)
    assert not engine.apply(kubeconfig=proxy.kubeconfig).app.failed
    assert kubectl.get("configmap", "left", engine.namespace) is None


def test_row_15_a_consent_withdrawn_just_before_the_delete_is_heard(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.apply()
    engine.write("app/all.yaml", config_map("c"))
    keep = ["annotate", "configmap", "left", "-n", engine.namespace, "plumb.gitops/prune=disabled"]
    proxy.fault("DELETE", "configmaps/left", first(lambda: kubectl(*keep)), times=1)
    engine.apply(kubeconfig=proxy.kubeconfig)
    assert kubectl.live("configmap", "left", engine.namespace)


def test_row_17_a_stale_conflict_is_planned_anew_and_a_bounded_number_of_times(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("d"))
    engine.apply()
    engine.write("app/all.yaml", config_map("c", {"a": "2"}) + config_map("d", {"a": "2"}))
    passing = proxy.fault("PATCH", r"configmaps/c\?(?!.*dryRun)", status(409, "Conflict"), times=2)
    lasting = proxy.fault("PATCH", r"configmaps/d\?(?!.*dryRun)", status(409, "Conflict"))
    done = engine.apply(kubeconfig=proxy.kubeconfig)
    outcomes = {o.action.ref.name: o for o in done.app.outcomes}
    assert outcomes["c"].result is Result.DONE
    assert passing.met == 2
    assert outcomes["d"].result is Result.FAILED
    assert 2 <= lasting.met <= 10
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "2"}


def test_row_17_a_write_lands_on_an_object_that_keeps_moving(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", config_map("c"))
    engine.apply()
    engine.write("app/all.yaml", config_map("c", {"a": "2"}))
    patch = ["patch", "configmap", "c", "-n", engine.namespace, "-p", '{"data": {"theirs": "yes"}}']
    proxy.fault("PATCH", r"configmaps/c\?(?!.*dryRun)", first(lambda: kubectl(*patch)), times=1)
    assert engine.apply(kubeconfig=proxy.kubeconfig).app.changed
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "2", "theirs": "yes"}


def test_row_13_autoscalers_that_cannot_be_listed_leave_replicas_alone(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", deployment("d", replicas=1))
    engine.apply()
    kubectl("scale", "deployment/d", "--replicas=4", "-n", engine.namespace)
    engine.write("app/all.yaml", deployment("d", replicas=1, image="example.com/app:2"))
    proxy.fault("GET", "/horizontalpodautoscalers", status(403, "Forbidden"))
    action = engine.apply(kubeconfig=proxy.kubeconfig).action("Deployment", "d")
    assert "left as it is" in action.warning
    assert kubectl.live("deployment", "d", engine.namespace)["spec"]["replicas"] == 4
    engine.apply()
    assert kubectl.live("deployment", "d", engine.namespace)["spec"]["replicas"] == 1


def test_row_13_a_scan_that_fails_for_a_kind_forgets_none_of_its_members(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", config_map("c") + service_account("left"))
    engine.apply()
    kubectl("delete", "configmap", "plumb-app", "-n", engine.namespace)
    engine.write("app/all.yaml", config_map("c"))
    proxy.fault("GET", LISTS.format("serviceaccounts"), status(500, "InternalError"))
    engine.apply(kubeconfig=proxy.kubeconfig)
    assert kubectl.live("serviceaccount", "left", engine.namespace)
    engine.apply()
    assert kubectl.get("serviceaccount", "left", engine.namespace) is None


@pytest.mark.parametrize(
    ("method", "pattern"), [("PATCH", r"configmaps/\w+\?(?!.*dryRun)"), ("DELETE", "configmaps/")]
)
def test_row_5_an_answer_that_is_lost_after_the_write_loses_nothing(
    engine: Engine, kubectl: Kubectl, proxy: Proxy, method: str, pattern: str
) -> None:
    engine.write("app/all.yaml", config_map("c") + config_map("left"))
    engine.apply()
    engine.write("app/all.yaml", config_map("c", {"a": "2"}) + config_map("new"))
    fault = proxy.fault(method, pattern, cut_after(), times=2)
    done = engine.apply(kubeconfig=proxy.kubeconfig)
    assert fault.met
    assert not done.app.failed
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"a": "2"}
    assert kubectl.live("configmap", "new", engine.namespace)
    assert kubectl.get("configmap", "left", engine.namespace) is None
    assert engine.apply().writes == 0


def test_row_17_a_parent_that_another_run_writes_meanwhile_loses_no_kind(
    engine: Engine, kubectl: Kubectl, proxy: Proxy
) -> None:
    engine.write("app/all.yaml", config_map("c"))
    engine.apply()
    engine.write("app/all.yaml", config_map("c") + manifest("v1", "Secret", "s"))

    def other_run() -> None:
        engine.write("other/all.yaml", config_map("c") + service_account("theirs"))
        engine.apply(engine.spec(path="other"))

    proxy.fault("PATCH", "configmaps/plumb-app", first(other_run), times=1)
    done = engine.apply(kubeconfig=proxy.kubeconfig)
    assert "nothing was written: its inventory could not be recorded" in done.app.error
    assert not engine.apply().app.failed
    assert kubectl.get("serviceaccount", "theirs", engine.namespace) is None


def test_what_appears_after_the_plan_is_not_merged_into(
    engine: Engine, kubectl: Kubectl, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read counts as known for some seconds; none here, as after a stage that was awaited."""
    monkeypatch.setattr(appearances, "_PLAN_IS_FRESH", 0.0)
    engine.write("app/all.yaml", config_map("c") + config_map("d"))

    def race() -> None:
        kubectl("create", "configmap", "c", "-n", engine.namespace, "--from-literal=b=theirs")

    proxy.fault("PATCH", "configmaps/plumb-app", first(race), times=1)
    done = engine.apply(kubeconfig=proxy.kubeconfig)
    (outcome,) = (o for o in done.app.outcomes if o.result is Result.FAILED)
    assert "adopt: true" in outcome.error
    assert kubectl.live("configmap", "c", engine.namespace)["data"] == {"b": "theirs"}
    assert kubectl.live("configmap", "d", engine.namespace)


APPS = 6  # of these tests


def many(engine: Engine, count: int, prefix: str) -> list[AppSpec]:
    """Apps of three kinds, each of which a shared look lists."""
    names = [f"{prefix}-{number}" for number in range(count)]
    for name in names:
        bodies = [config_map(f"{name}-{number}") for number in range(4)]
        engine.write(f"{name}/all.yaml", "".join([*bodies, service_account(name), secret(name, {"k": "v"})]))
    return [engine.spec(name) for name in names]


def test_reads_of_a_first_apply_grow_with_kinds_and_not_with_apps(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All plans count as old, as those of most of many apps; the first app looks for all of them."""
    monkeypatch.setattr(appearances, "_PLAN_IS_FRESH", 0.0)
    monkeypatch.setattr(appearances, "_LOOK_IS_FRESH", 3600.0)
    engine.apply(*many(engine, 1, "before"))  # makes the namespace of the records
    some = engine.apply(*many(engine, APPS, "a"))
    more = engine.apply(*many(engine, 3 * APPS, "b"))
    assert not any(app.failed for app in (*some.result.apps, *more.result.apps))
    assert more.reads == some.reads


@pytest.mark.parametrize("denied", [False, True], ids=["listed", "may-not-be-listed"])
def test_what_appears_before_a_shared_look_is_merged_into_by_no_app(
    engine: Engine, kubectl: Kubectl, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, denied: bool
) -> None:
    monkeypatch.setattr(appearances, "_PLAN_IS_FRESH", 0.0)
    apps = many(engine, APPS, "a")
    taken = [f"{app.name}-1" for app in apps]

    def race() -> None:
        for name in taken:
            kubectl("create", "configmap", name, "-n", engine.namespace, "--from-literal=b=theirs")
        if denied:
            proxy.fault("GET", r"/configmaps\?limit=", status(403, "Forbidden"))

    after_objects = proxy.fault("GET", rf"/namespaces/{engine.namespace}(\?|$)", first(race), times=1)
    done = engine.apply(*apps, kubeconfig=proxy.kubeconfig)
    assert after_objects.met == 1
    failed = {o.action.ref.name: o.error for a in done.result.apps for o in a.outcomes if o.error}
    assert sorted(failed) == taken
    assert all("adopt: true" in error for error in failed.values())
    assert all(kubectl.live("configmap", n, engine.namespace)["data"] == {"b": "theirs"} for n in taken)
