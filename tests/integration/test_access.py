# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent's rights: enough for what its apps need, no more; and its token."""

from __future__ import annotations

import json
import stat
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.cluster.credentials.service_account import (
    read_claims,
)
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox

RBAC = "rbac.authorization.k8s.io"

APP = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "web:1.0"}]}
"""

WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.access.example.com}
spec:
  group: access.example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: access.example.com/v1
kind: Widget
metadata: {name: first}
"""

ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: readers}]
"""


@dataclass(slots=True)
class Agent:
    """An app in a folder, an account of its own, and the modules that bring the two together."""

    play: Play
    sandbox: Sandbox
    kubectl: Kubectl
    namespace: str
    folder: Path
    name: str

    def write(self, text: str) -> None:
        file = self.folder / "git" / "app" / "all.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def options(self, **options: Any) -> dict[str, Any]:
        app = {
            "name": self.name,
            "source": "git",
            "path": "app",
            "namespace": self.namespace,
            "timeout": "60s",
        }
        source = {"name": "git", "path": str(self.folder / "git"), "revision": {"commit": "0" * 40}}
        return {
            "kubeconfig": str(self.sandbox.kubeconfig),
            "apps": [{**app, **options.pop("app", {})}],
            "sources": [source],
            **options,
        }

    def account(self) -> dict[str, str]:
        return {"account": self.name, "account_namespace": self.namespace}

    def rules(self, **options: Any) -> Mapping[str, Any]:
        return self.play.module("access_rules", self.options(**self.account(), **options)).result

    def token(self, *words: str, **options: Any) -> Mapping[str, Any]:
        module_options = {
            "kubeconfig": str(self.sandbox.kubeconfig),
            "token_file": str(self.folder / "agent.token"),
            "kubeconfig_file": str(self.folder / "agent.kubeconfig"),
            "cluster": "here",
            **self.account(),
            **options,
        }
        return self.play.module("service_account_token", module_options, *words).result

    def grant(self, required: Mapping[str, Any]) -> Path:
        """Give the account these rules, and return a kubeconfig of it."""
        account = {"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}
        for kind, rules in (("ClusterRole", required["rules"]), ("Role", required["own_rules"])):
            metadata = {"name": self.name, **({"namespace": self.namespace} if kind == "Role" else {})}
            role = {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, "rules": rules}
            binding = {
                "apiVersion": f"{RBAC}/v1",
                "kind": f"{kind}Binding",
                "metadata": metadata,
                "roleRef": {"apiGroup": RBAC, "kind": kind, "name": self.name},
                "subjects": [account],
            }
            self.kubectl.apply(json.dumps(role))
            self.kubectl.apply(json.dumps(binding))
        if self.kubectl.get("serviceaccount", self.name, self.namespace) is None:
            self.kubectl("create", "serviceaccount", self.name, "-n", self.namespace)
        token = self.token()
        assert "kubeconfig_file" in token, token
        return Path(token["kubeconfig_file"])


@pytest.fixture
def agent(sandbox: Sandbox, kubectl: Kubectl, play: Play, namespace: str, tmp_path: Path) -> Iterator[Agent]:
    made = Agent(play, sandbox, kubectl, namespace, tmp_path, f"a-{uuid.uuid4().hex[:8]}")
    yield made
    for kind in ("clusterrole", "clusterrolebinding"):
        kubectl("delete", kind, made.name, "--ignore-not-found")
    kubectl("delete", "crd", "widgets.access.example.com", "--ignore-not-found", "--wait=false")


def test_the_rules_are_enough_for_the_apps_and_for_nothing_else(agent: Agent) -> None:
    agent.write(APP + "---" + WIDGETS)
    rules = agent.rules(setup=True)
    assert rules["kinds"] == [
        "Service",
        "Widget.access.example.com",
        "CustomResourceDefinition.apiextensions.k8s.io",
        "Deployment.apps",
    ]
    kubeconfig = agent.grant(rules)

    applied = agent.play.module("apply", agent.options(kubeconfig=str(kubeconfig))).result
    assert applied["counts"]["create"] == 4, applied["lines"]
    again = agent.play.module("apply", agent.options(kubeconfig=str(kubeconfig))).result
    assert (again["changed"], again["requests"]["writes"]) == (False, 0)

    agent.write(APP)  # the CRD stays: it is protected; the Widget goes
    pruned = agent.play.module("apply", agent.options(kubeconfig=str(kubeconfig))).result
    assert pruned["counts"]["prune"] == 1, pruned["lines"]
    assert not any("Events could not" in line for line in pruned["lines"])
    assert "Widget.access.example.com" not in agent.rules()["kinds"]

    itself = Kubectl(kubeconfig)
    for denied in (
        ("get", "secrets", "-n", agent.namespace),
        ("create", "configmap", "other", "-n", agent.namespace),
        ("delete", "namespace", agent.namespace),
        ("create", "token", "default", "-n", agent.namespace),
        ("create", "serviceaccount", "other", "-n", agent.namespace),
    ):
        with pytest.raises(AssertionError, match="forbidden"):
            itself(*denied)


@pytest.mark.parametrize("may_read", [True, False])
def test_the_reasons_of_what_is_not_healthy_are_read_unless_that_is_turned_off(
    agent: Agent, may_read: bool
) -> None:
    agent.write(APP.replace("containers:", "schedulerName: nobody, containers:"))
    kubeconfig = agent.grant(agent.rules(reasons=may_read))
    options = agent.options(kubeconfig=str(kubeconfig), app={"timeout": "3s"})
    applied = agent.play.module("apply", options).result
    (unhealthy,) = applied["apps"][0]["unhealthy"]
    words = "the scheduler nobody has not looked at it yet" if may_read else "this account may not read them"
    assert words in unhealthy["reasons"][0], unhealthy


def test_what_left_git_still_counts_while_the_cluster_has_it(agent: Agent) -> None:
    agent.write(APP)
    assert agent.play.module("apply", agent.options()).result["changed"]
    agent.write("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: flags}\n")
    assert agent.rules()["kinds"] == ["ConfigMap", "Service", "Deployment.apps"]


def test_it_creates_the_namespace_of_an_app_and_no_other(agent: Agent) -> None:
    agent.write(APP)
    coming = f"{agent.namespace}-new"
    app = {"namespace": coming, "create_namespace": True}
    kubeconfig = agent.grant(agent.rules(app=app))
    done = agent.play.module("apply", agent.options(kubeconfig=str(kubeconfig), app=app)).result
    try:
        assert done["counts"]["create"] == 3, done["lines"]
        with pytest.raises(AssertionError, match="forbidden"):
            Kubectl(kubeconfig)("create", "namespace", f"{agent.namespace}-other")
    finally:
        agent.kubectl("delete", "namespace", coming, "--wait=false", "--ignore-not-found")


def test_rights_to_grant_are_given_only_where_they_are_asked_for(agent: Agent) -> None:
    agent.write(ROLE)
    refused = agent.rules()
    assert refused["failed"]
    for named in (f"Role {agent.namespace}/reader", f"RoleBinding {agent.namespace}/readers"):
        assert named in refused["msg"]
    assert "plumb_agent_escalate" in refused["msg"]
    kubeconfig = agent.grant(agent.rules(escalate=True))
    done = agent.play.module("apply", agent.options(kubeconfig=str(kubeconfig))).result
    assert done["counts"]["create"] == 2, done["lines"]


def test_all_that_is_wrong_is_said_at_once(agent: Agent) -> None:
    agent.write(
        APP + "---\napiVersion: nowhere.example.com/v1\nkind: Gadget\nmetadata: {name: x}\n---" + ROLE
    )
    viewer = str(agent.sandbox.kubeconfig_of("viewer"))
    refused = agent.rules(kubeconfig=viewer, setup=True)
    for words in ("may not", "create clusterroles.rbac.authorization.k8s.io", "Gadget", "Role", "admin"):
        assert words in refused["msg"]


def test_a_token_is_kept_while_it_is_good(agent: Agent) -> None:
    agent.kubectl("create", "serviceaccount", agent.name, "-n", agent.namespace)
    assert agent.token("--check", "--diff")["token_changed"]
    assert not (agent.folder / "agent.token").exists()
    made = agent.token()
    text = (agent.folder / "agent.token").read_text(encoding="utf-8")
    for name in ("agent.token", "agent.kubeconfig"):
        assert stat.S_IMODE((agent.folder / name).stat().st_mode) == 0o600
    assert text not in json.dumps(made)
    assert Kubectl(agent.folder / "agent.kubeconfig")("auth", "whoami", "-o", "name") is not None
    assert agent.token()["changed"] is False
    assert agent.token("--check")["changed"] is False

    claims = read_claims(text)
    assert claims is not None
    assert claims.expires - claims.issued == pytest.approx(168 * 3600, abs=5)

    agent.kubectl("delete", "serviceaccount", agent.name, "-n", agent.namespace)
    agent.kubectl("create", "serviceaccount", agent.name, "-n", agent.namespace)
    renewed = agent.token()  # another account of the same name
    assert (renewed["token_changed"], renewed["kubeconfig_changed"]) == (True, False)
    assert agent.token(lifetime="5m")["failed"]


def test_a_token_for_an_account_that_is_not_there_is_an_error(agent: Agent) -> None:
    refused = agent.token()
    assert refused["failed"]
    assert f"ServiceAccount {agent.namespace}/{agent.name}: asking for a token" in refused["msg"]
