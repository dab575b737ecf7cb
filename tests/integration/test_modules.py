# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pull, diff and apply as Ansible runs them: check, do, do again, change, check, remove, check."""

from __future__ import annotations

import json
import stat
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.main import outcome_of
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.mode import Mode
from ansible_collections.plumb.gitops.plugins.module_utils.interface.modules.pull import PULL
from ansible_collections.plumb.gitops.tests.support.ansible.fleet import options_of
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.audit_log import Audit
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import Repository, new_repository
from ansible_collections.plumb.gitops.tests.support.manifests.builtin_kinds import built_in
from ansible_collections.plumb.gitops.tests.support.manifests.text import config_map, custom_kind, manifest


@dataclass(slots=True)
class Shop:
    """An app `shop` in a repository of its own, run through the modules."""

    play: Play
    sandbox: Sandbox
    repository: Repository
    namespace: str
    audit: Audit
    folder: Path
    sources: list[dict[str, Any]] = field(default_factory=list)

    def commit(self, files: Mapping[str, str | None], subject: str = "Change it") -> str:
        """Commit, push and pull, this in the test's own process; the commit."""
        commit = self.repository.commit(files, subject)
        options = {"sources": [self.source()], "cache_dir": str(self.folder / "cache")}
        pulled = outcome_of(PULL, options_of(PULL.argument_spec, options), Mode(check=False, diff=False))
        self.sources = list(pulled["sources"])
        return commit

    def source(self) -> dict[str, Any]:
        token_file = str(self.repository.token_file)
        return {"name": "fleet", "url": self.repository.url, "branch": "main", "token_file": token_file}

    def pull(self, *words: str) -> Mapping[str, Any]:
        return self.play.module("pull", {"sources": [self.source()]}, *words).result

    def run(
        self, module: str, *words: str, task: Mapping[str, Any] | None = None, **options: Any
    ) -> Mapping[str, Any]:
        """Run `diff` or `apply` on what was pulled last; its result. `task` are keywords of the task."""
        app = {"name": "shop", "source": "fleet", "path": "shop", "namespace": self.namespace, "wait": False}
        defaults = {
            "kubeconfig": str(self.sandbox.kubeconfig),
            "sources": self.sources,
            "apps": [{**app, **options.pop("app", {})}],
            **options,
        }
        return self.play.tasks([{f"plumb.gitops.{module}": defaults, **(task or {})}], *words).result


@pytest.fixture
def shop(sandbox: Sandbox, play: Play, namespace: str, tmp_path: Path) -> Shop:
    repository = new_repository(sandbox, f"m-{uuid.uuid4().hex[:8]}", tmp_path / "clone", past_hooks=True)
    audit = Audit(sandbox.audit_log)
    audit.writes()
    return Shop(play, sandbox, repository, namespace, audit, tmp_path)


@pytest.fixture
def unique(kubectl: Kubectl) -> Iterator[str]:
    """A name for cluster-scoped objects, which are removed afterwards."""
    name = f"u-{uuid.uuid4().hex[:8]}"
    yield name
    kinds = "namespace,clusterrole,clusterrolebinding,ingressclass,storageclass,priorityclass,runtimeclass"
    policies = "validatingadmissionpolicybinding,validatingadmissionpolicy"
    kubectl("delete", f"{policies},{kinds}", name, "--ignore-not-found", "--wait=false")


def counts(result: Mapping[str, Any]) -> dict[str, int]:
    return {name: number for name, number in result["counts"].items() if number}


def test_row_41_every_kind_through_check_do_again_change_and_remove(
    shop: Shop, kubectl: Kubectl, unique: str
) -> None:
    group = f"{unique}.example.com"
    consent = {"plumb.gitops/prune": "enabled"}
    kinds = built_in(unique)
    assert len(kinds) >= 20
    things = "".join(
        manifest(f"{group}/v1", "Thing", f"t{n}", spec={"n": n, "deep": [{"a": 1}]}) for n in range(3)
    )
    crd = custom_kind("things", "Thing", group, annotations=consent)
    everything = "".join(kinds.values()) + things + crd
    total = len(kinds) + 4
    shop.commit({"shop/all.yaml": everything, "shop/extra.yaml": config_map("extra")})

    checked = shop.run("apply", "--check", "--diff")
    assert checked["changed"]
    assert counts(checked) == {"create": total + 1}
    assert shop.audit.writes() == []
    seen = shop.run("diff")
    assert not seen["changed"]
    assert counts(seen) == {"create": total + 1}
    assert shop.audit.writes() == []

    done = shop.run("apply")
    assert not done.get("failed"), done.get("msg")
    assert done["changed"]
    assert counts(done) == {"create": total + 1}
    assert shop.audit.writes()

    again = shop.run("apply")
    assert again["changed"] is False
    assert counts(again) == {"unchanged": total + 1}
    assert again["requests"]["writes"] == 0
    assert again["actions"] == []
    assert shop.audit.writes() == []

    changed = (
        everything.replace('"two\\nlines\\n"', '"three"')
        .replace("app:1", "app:2")
        .replace("0 3 * * *", "0 4 * * *")
    )
    shop.commit({"shop/all.yaml": changed, "shop/extra.yaml": None})
    # The ReplicaSet, StatefulSet, Deployment, DaemonSet, PodTemplate, CronJob and ConfigMap change; `extra` leaves.
    checked = shop.run("diff", "--diff")
    assert counts(checked) == {"update": 7, "prune": 1, "unchanged": total - 7}
    assert "three" in checked["diff"]["prepared"]
    assert shop.audit.writes() == []
    assert kubectl.live("configmap", "extra", shop.namespace)
    assert not shop.run("apply").get("failed")
    assert kubectl.get("configmap", "extra", shop.namespace) is None
    assert shop.audit.writes()
    again = shop.run("apply", "--check")
    assert again["changed"] is False
    assert shop.audit.writes() == []

    gone = shop.run("apply", app={"state": "absent"})
    assert not gone.get("failed"), gone.get("msg")
    (waiting,) = [line for line in gone["lines"] if "waits for consent" in line]
    assert unique in waiting
    assert kubectl.get("deployment", "web", shop.namespace) is None
    kubectl("annotate", "namespace", unique, "plumb.gitops/prune=enabled")
    gone = shop.run("apply", app={"state": "absent"})
    assert not gone.get("failed"), gone.get("msg")
    assert kubectl.get("configmap", "plumb-shop", shop.namespace) is None
    shop.audit.writes()
    assert shop.run("apply", app={"state": "absent"})["changed"] is False
    assert shop.audit.writes() == []


def test_diff_never_writes_nor_changes_whatever_it_finds(shop: Shop, kubectl: Kubectl) -> None:
    shop.commit({"shop/all.yaml": config_map("c") + config_map("left") + config_map("gone")})
    shop.run("apply")
    kubectl("patch", "configmap", "c", "-n", shop.namespace, "-p", '{"data": {"a": "theirs"}}')
    kubectl("delete", "configmap", "gone", "-n", shop.namespace)
    kubectl("create", "configmap", "foreign", "-n", shop.namespace)
    files = config_map("c") + config_map("gone") + config_map("new") + config_map("foreign")
    shop.commit({"shop/all.yaml": files})
    shop.audit.writes()
    result = shop.run("diff", "--diff")
    assert result["changed"] is False
    assert result["drifted"] is True
    assert counts(result) == {"create": 2, "update": 1, "refused": 1, "unchanged": 1, "drifted": 2}
    assert shop.audit.writes() == []
    (change,) = next(a for a in result["actions"] if a["name"] == "c")["changes"]
    assert (change["path"], change["live"], change["desired"], change["cause"]) == (
        "data.a",
        "theirs",
        "1",
        "drift",
    )
    assert change["culprit"]["manager"] == "kubectl-patch"


def test_pull_returns_revision_and_path_and_never_changed(shop: Shop) -> None:
    commit = shop.commit({"shop/all.yaml": config_map("c")}, "Open the shop")
    for words in ((), ("--check",)):
        result = shop.pull(*words)
        assert result["changed"] is False
        (source,) = result["sources"]
        assert source["name"] == "fleet"
        assert source["revision"]["commit"] == commit
        assert source["revision"]["subject"] == "Open the shop"
        assert source["revision"]["author"]["name"] == "Alma Berg"
        assert (Path(source["path"]) / "shop" / "all.yaml").is_file()


def test_apply_as_a_packed_module_does_the_same(shop: Shop, kubectl: Kubectl) -> None:
    shop.commit({"shop/all.yaml": config_map("c")})
    packed = {"environment": {"PLUMB_TEST": "packed"}}  # an environment of its own makes it run apart
    assert counts(shop.run("apply", "--check", task=packed)) == {"create": 1}
    assert shop.run("apply", task=packed)["changed"]
    assert kubectl.live("configmap", "c", shop.namespace)
    shop.audit.writes()
    assert shop.run("apply", task=packed)["changed"] is False
    assert shop.audit.writes() == []


def test_the_report_file_has_all_and_is_private(shop: Shop) -> None:
    shop.commit({"shop/all.yaml": "".join(config_map(f"c{n}") for n in range(210))})
    nowhere = shop.run("diff", report_path="/dev/null/report.json")
    assert nowhere["failed"]
    assert "report_path" in nowhere["msg"]
    assert nowhere["lines"], "what was found is told all the same"
    result = shop.run("apply", "--diff", report_path=str(shop.folder / "reports"), cluster="here")
    assert not result.get("failed"), result.get("msg")
    assert len(result["actions"]) == 200
    file = Path(result["report"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    report = json.loads(file.read_text(encoding="utf-8"))
    (app,) = report["apps"]
    assert len(app["actions"]) == 210
    assert len(result["diff"]["prepared"].encode()) <= 70_000


def test_waiting_says_what_is_not_healthy_and_why(shop: Shop) -> None:
    labels = {"app": "d"}
    template = {
        "metadata": {"labels": labels, "annotations": {"sandbox.plumb.gitops/outcome": "image-pull-error"}},
        "spec": {"containers": [{"name": "main", "image": "example.com/app:missing"}]},
    }
    spec = {"selector": {"matchLabels": labels}, "template": template, "progressDeadlineSeconds": 2}
    shop.commit({"shop/all.yaml": manifest("apps/v1", "Deployment", "d", spec=spec) + config_map("c")})
    result = shop.run("apply", app={"wait": True, "timeout": "20s"})
    assert result["failed"]
    assert f"Deployment {shop.namespace}/d is not healthy" in result["msg"]
    (unhealthy,) = result["apps"][0]["unhealthy"]
    assert unhealthy["message"]
