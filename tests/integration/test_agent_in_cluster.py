# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent in a cluster, as `plumb.gitops.bootstrap` sets it up: real admission, real RBAC, and the agent itself.

The sandbox runs no containers. The Deployment becomes available under kwok, and the agent runs beside the cluster with
a token of the Deployment's service account and the files of its ConfigMap.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from ansible_collections.plumb.gitops.tests.support.agent.process import AgentProcess, running
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play, Played
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import PROGRAM, Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import Repository, new_repository

BOOTSTRAP = "plumb.gitops.bootstrap"
IMAGE = "registry.example.com/plumb-agent:0.1.0"
DIGEST = f"sha256:{'5' * 64}"
SHOP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello}
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


@dataclass(slots=True)
class InCluster:
    """One agent in the sandbox's cluster, with a name and namespaces of its own."""

    sandbox: Sandbox
    play: Play
    kubectl: Kubectl
    repository: Repository
    folder: Path
    name: str
    variables: dict[str, Any] = field(default_factory=dict)

    def bootstrap(self, *words: str, **variables: Any) -> Played:
        defaults = {
            "plumb_kubeconfig": str(self.sandbox.kubeconfig),
            "plumb_cache_dir": str(self.folder / "cache"),
            "plumb_sources": [
                {
                    "name": "fleet",
                    "url": self.repository.url,
                    "branch": "main",
                    "token_file": str(self.repository.token_file),
                }
            ],
            "plumb_apps": [self.app()],
            "plumb_agent_name": self.name,
            "plumb_agent_namespace": self.name,
            "plumb_agent_image": IMAGE,
            "plumb_agent_image_digest": DIGEST,
            "plumb_agent_environment": {"no_proxy": "*", "https_proxy": "http://proxy.example.com:3128"},
            "plumb_images": [
                {"name": "shop", "image": "registry.example.com:5000/shop", "policy": {"semver": "*"}}
            ],
            **variables,
        }
        inventory = self.folder / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"plumb_clusters": {"hosts": {"here": {}}, "vars": defaults}}))
        return self.play.playbook(BOOTSTRAP, "-i", str(inventory), "--diff", *words)

    def app(self) -> dict[str, Any]:
        shop = {
            "name": f"{self.name}-shop",
            "source": "fleet",
            "path": "shop",
            "namespace": f"{self.name}-shop",
        }
        return {**shop, "create_namespace": True, "timeout": "60s"}

    def changed(self, played: Played) -> int:
        assert played.code == 0, played.output
        match = re.search(r"here +: ok=\d+ +changed=(\d+)", played.output)
        assert match, played.output
        return int(match[1])

    def kubeconfig(self) -> Path:
        """A kubeconfig with a token of the agent's account."""
        target = self.folder / "agent.kubeconfig"
        token = {
            "kubeconfig": str(self.sandbox.kubeconfig),
            "account": self.name,
            "account_namespace": self.name,
            "token_file": str(self.folder / "agent.token"),
            "kubeconfig_file": str(target),
        }
        made = self.play.module("service_account_token", token).result
        assert not made.get("failed"), made
        return target


@pytest.fixture(scope="module")
def agent(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InCluster]:
    folder = tmp_path_factory.mktemp("in-cluster")
    name = f"ac-{uuid.uuid4().hex[:8]}"
    kubectl = Kubectl(sandbox.kubeconfig)
    repository = new_repository(sandbox, name, folder / "clone", past_hooks=True)
    repository.commit({"shop/all.yaml": SHOP}, "Open the shop")
    yield InCluster(sandbox, Play(folder / "play", sandbox), kubectl, repository, folder, name)
    kubectl("delete", "namespace", name, f"{name}-shop", "--wait=false", "--ignore-not-found")


def test_what_is_wrong_is_found_before_anything_is_changed(agent: InCluster) -> None:
    for variables, message in (
        (
            {"plumb_agent_image": "", "plumb_agent_image_digest": "sha256:12"},
            ("agent_image (plumb_agent_image) is missing", "64 hexadecimal digits"),
        ),
        ({"plumb_kubeconfig": str(agent.sandbox.kubeconfig_of("viewer"))}, ("cluster admin",)),
    ):
        played = agent.bootstrap(**variables)
        assert played.code == 2, played.output
        for part in message:
            assert part in played.output
    assert agent.kubectl.get("namespace", agent.name) is None


def test_it_is_set_up_as_a_check_says_and_only_once(agent: InCluster) -> None:
    checked = agent.bootstrap("--check")
    assert agent.changed(checked) == 1
    assert agent.kubectl.get("namespace", agent.name) is None
    done = agent.bootstrap("-vvvv")
    assert agent.changed(done) == 1
    # What is to be in a namespace that is not there yet cannot be tried, and is marked as unverified.
    planned = set(re.findall(rf"[+?] (\w+) +(?:{agent.name}/)?{agent.name}", checked.output))
    assert planned == set(re.findall(rf"\+ (\w+) +(?:{agent.name}/)?{agent.name}", done.output))
    assert planned >= {"Namespace", "ServiceAccount", "Secret", "ConfigMap", "Deployment", "NetworkPolicy"}
    token = agent.repository.token_file.read_text(encoding="utf-8")
    assert token not in done.output
    assert agent.changed(agent.bootstrap()) == 0
    assert agent.changed(agent.bootstrap("--check")) == 0

    live = agent.kubectl.live("deployment", agent.name, agent.name)
    assert live["status"]["availableReplicas"] == 1
    (main,) = live["spec"]["template"]["spec"]["containers"]
    assert main["image"] == f"{IMAGE}@{DIGEST}"
    config = agent.kubectl.live("configmap", agent.name, agent.name)
    assert token not in json.dumps([live, config])
    policy = agent.kubectl.live("networkpolicy", agent.name, agent.name)
    opened = {rule["port"] for rule in policy["spec"]["egress"][1]["ports"]}
    assert opened == {443, 6443, 3128, 5000, urlsplit(agent.sandbox.forge_url).port}
    assert "kubeconfig" not in config["data"]["inventory.yml"]
    leftovers = [
        path for path in (agent.folder / "cache").rglob("*") if path.is_file() and _holds(path, token)
    ]
    assert leftovers == []


def _holds(path: Path, token: str) -> bool:
    return token.encode() in path.read_bytes()


def test_its_namespace_admits_nothing_that_is_not_restricted(agent: InCluster) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "free", "namespace": agent.name},
        "spec": {"containers": [{"name": "main", "image": "web:1.0"}]},
    }
    with pytest.raises(AssertionError, match="violates PodSecurity"):
        agent.kubectl.apply(json.dumps(pod))


def test_its_account_may_do_what_the_apps_need_and_the_agent_does_it(agent: InCluster) -> None:
    kubeconfig = agent.kubeconfig()
    shop = f"{agent.name}-shop"
    for verb, what, place, allowed in (
        ("patch", "deployments.apps", shop, True),
        ("delete", "configmaps", shop, True),
        ("create", f"namespaces/{shop}", "", True),
        ("patch", f"leases.coordination.k8s.io/{agent.name}", agent.name, True),
        ("get", "secrets", agent.name, False),
        ("create", "pods", shop, False),
        ("create", "cronjobs.batch", shop, False),
        ("patch", f"clusterroles.rbac.authorization.k8s.io/{agent.name}", "", False),
        ("patch", "serviceaccounts", agent.name, False),
        ("delete", f"namespaces/{shop}", "", False),
        ("impersonate", "users", "", False),
    ):
        where = ["-n", place] if place else []
        asked = subprocess.run(
            [str(PROGRAM), "--kubeconfig", str(kubeconfig), "auth", "can-i", verb, what, *where],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (asked.stdout.strip() == "yes") == allowed, f"{verb} {what}: {asked.stdout}{asked.stderr}"

    with running(_process(agent, kubeconfig)) as process:
        line = process.await_run()
        process.end()  # and lets go of its lease, which the next one waits for
    assert "failed=0" in line, line
    live = agent.kubectl.live("configmap", "settings", shop)
    assert live["data"] == {"greeting": "hello"}
    assert agent.kubectl.live("deployment", "web", shop)["status"]["availableReplicas"] == 1


def test_it_is_told_apart_when_an_app_needs_what_nobody_granted(agent: InCluster) -> None:
    """A kind that no app had at the bootstrap is refused by the server, and said."""
    job = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: night}\nspec: {schedule: '0 3 * * *', jobTemplate: "
    job += (
        "{spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: 'web:1.0'}]}}}}}\n"
    )
    agent.repository.commit({"shop/job.yaml": job}, "Run at night")
    with running(_process(agent, agent.kubeconfig())) as process:
        process.await_run()
        process.end()
        report = max((process.state / "reports").rglob("*.json"), key=lambda file: file.stat().st_mtime_ns)
    assert "cronjobs" in report.read_text(encoding="utf-8").lower()
    assert agent.kubectl.get("cronjob", "night", f"{agent.name}-shop") is None
    assert agent.changed(agent.bootstrap()) == 1  # which grants it
    with running(_process(agent, agent.kubeconfig())) as process:
        assert "failed=0" in process.await_run()
    assert agent.kubectl.get("cronjob", "night", f"{agent.name}-shop") is not None


def test_a_command_on_this_machine_goes_through_kubectl(agent: InCluster) -> None:
    """The sandbox runs no containers, so that a program in place of kubectl prints what it is called with."""
    command = agent.folder / "bin" / "plumb-agent"
    command.parent.mkdir()
    checked = agent.bootstrap("--check", plumb_agent_command_file=str(command))
    assert agent.changed(checked) == 1, checked.output
    assert not command.exists()
    assert agent.changed(agent.bootstrap(plumb_agent_command_file=str(command))) == 1
    assert agent.changed(agent.bootstrap(plumb_agent_command_file=str(command))) == 0
    kubectl = agent.folder / "bin" / "kubectl"
    kubectl.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 3\n')
    kubectl.chmod(0o755)

    def run(*words: str) -> tuple[int, list[str]]:
        path = {**os.environ, "PATH": f"{kubectl.parent}:{os.environ['PATH']}"}
        done = subprocess.run([command, *words], env=path, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)  # fmt: skip
        return done.returncode, done.stdout.splitlines()

    to_cluster = ["--kubeconfig", str(agent.sandbox.kubeconfig), "--namespace", agent.name]
    code, called = run("suspend", "here", "--reason", "two words")
    assert code == 3
    assert called[:9] == [*to_cluster, "exec", "--stdin", f"deployment/{agent.name}", "--container", "agent"]
    assert re.fullmatch(r"PLUMB_AGENT_USER=[^@]+@\S+", called[11])
    assert called[12:] == ["plumb-agent", "suspend", "here", "--reason", "two words"]
    logs = [*to_cluster, "logs", f"deployment/{agent.name}", "--container", "agent", "-f"]
    assert run("logs", "-f") == (3, logs)


def test_it_goes_and_what_it_applied_stays_or_goes_as_was_said(agent: InCluster) -> None:
    shop = f"{agent.name}-shop"
    command = agent.folder / "bin" / "plumb-agent"
    gone = agent.bootstrap("-e", "plumb_agent_state=absent", plumb_agent_command_file=str(command))
    assert agent.changed(gone) == 2
    assert not command.exists()
    assert agent.kubectl.get("deployment", agent.name, agent.name) is None
    assert agent.kubectl.get("clusterrole", agent.name) is None
    assert agent.kubectl.get("namespace", agent.name) is not None
    assert agent.kubectl.get("configmap", "settings", shop) is not None

    words = ("-e", "plumb_agent_state=absent", "-e", "plumb_agent_applied=prune")
    assert agent.changed(agent.bootstrap("--check", *words)) == 1
    assert agent.kubectl.get("configmap", "settings", shop) is not None
    assert agent.changed(agent.bootstrap(*words)) == 1
    assert agent.kubectl.get("configmap", "settings", shop) is None
    assert agent.changed(agent.bootstrap(*words)) == 0


def test_it_is_set_up_with_a_repository_that_is_made_on_the_way(agent: InCluster, tmp_path: Path) -> None:
    name = f"{agent.name}-new"
    repository: dict[str, Any] = {
        "forge": "gitea",
        "url": agent.sandbox.forge_url,
        "owner": agent.sandbox.forge_user,
        "name": name,
        "token_file": str(agent.repository.token_file),
        "create": True,
        "clusters": ["here", "there"],
        "deploy_key": True,
        "key_file": str(tmp_path / "fleet-key"),
    }
    source = {"name": "fleet", "url": f"{agent.sandbox.forge_url}/{agent.sandbox.forge_user}/{name}.git"}
    source |= {"branch": "main", "token_file": str(agent.repository.token_file)}
    variables: dict[str, Any] = {
        "plumb_agent_repository": repository,
        "plumb_sources": [source],
        "plumb_apps": [],
    }
    missing = agent.bootstrap(
        "--check", **{**variables, "plumb_agent_repository": {**repository, "create": False}}
    )
    assert missing.code == 2
    assert "it does not exist, or" in missing.output
    checked = agent.bootstrap("--check", **variables)
    assert agent.changed(checked) == 2
    assert "clusters/there.yml" in checked.output
    assert "checked once the repository and its key exist" in " ".join(checked.output.split())
    assert agent.changed(agent.bootstrap(**variables)) == 3  # the repository, its key, the agent
    assert (tmp_path / "fleet-key.pub").exists()
    assert agent.changed(agent.bootstrap(**variables)) == 0
    live = agent.kubectl.live("deployment", agent.name, agent.name)
    assert live["status"]["availableReplicas"] == 1
    words = ("-e", "plumb_agent_state=absent")
    assert agent.changed(agent.bootstrap(*words, **variables)) == 1


def _process(agent: InCluster, kubeconfig: Path) -> AgentProcess:
    """The agent with the files of its ConfigMap; only paths and the way to the cluster are this machine's."""
    data = agent.kubectl.live("configmap", agent.name, agent.name)["data"]
    process = AgentProcess(agent.folder / f"beside-{uuid.uuid4().hex[:6]}")
    credentials = process.folder / "credentials"
    credentials.mkdir(mode=0o700)
    secret = agent.kubectl("get", "secret", agent.name, "-n", agent.name, "-o", "go-template={{range $k, $v := .data}}"
                           "{{$k}} {{$v | base64decode}}\n{{end}}")  # fmt: skip
    for line in secret.splitlines():
        name, _blank, content = line.partition(" ")
        if name:
            (credentials / name).write_text(content, encoding="utf-8")
            (credentials / name).chmod(0o600)
    inventory = yaml.safe_load(data["inventory.yml"].replace("/etc/plumb/credentials/here", str(credentials)))
    here = inventory["plumb_clusters"]["hosts"]["here"]
    here |= {"plumb_kubeconfig": str(kubeconfig), "plumb_cache_dir": str(process.folder / "cache")}
    here["ansible_python_interpreter"] = sys.executable
    (process.folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    config = yaml.safe_load(data["agent.yml"])
    election = {**config["leader_election"], "kubeconfig": str(kubeconfig)}
    process.configure(leader_election=election, renew_tokens=config["renew_tokens"])
    return process
