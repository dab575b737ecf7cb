# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record a version of Plumb as data for the tests of upgrades: scripts/record-version calls it.

python -m ….support.faults.record_version COLLECTIONS VERSION    COLLECTIONS holds ansible_collections of that version

An agent of that version brings a sandbox's cluster to what Git says, through a commit that prunes and drift that it
reverts, until it finds nothing to do. Then the cluster's etcd, the agent's files and its code are packed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from ansible_collections.plumb.gitops.tests.support.agent.process import AgentProcess, running, until
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox, sandbox_session
from ansible_collections.plumb.gitops.tests.support.faults.earlier_version import (
    AGENT,
    CLUSTER,
    CODE,
    FIXTURES,
    SUSPENDED,
    Files,
    fleet_files,
    inventory,
    pack,
    proxied_kubeconfig,
    tunnel,
)
from ansible_collections.plumb.gitops.tests.support.git.git_server import GitServer
from ansible_collections.plumb.gitops.tests.support.git.upstream import Upstream

_NOTHING = ("changed=0", "drifted=0", "failed=0")
_CODE = ("plugins", "controller", "playbooks", "meta")
# What the agent finds when it comes, made by others.
_OLDER = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: applied, namespace: taken}
data: {from: hand, same: "yes"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: older, namespace: taken}
spec:
  replicas: 1
  selector: {matchLabels: {app: older}}
  template:
    metadata: {labels: {app: older}}
    spec: {containers: [{name: main, image: "example.com/older:1"}]}
"""
_LEAVES = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: leaves}\ndata: {a: '1'}\n"


def record(collections: Path, target: Path) -> None:
    """Write the archives of the version in `collections` into the folder `target`."""
    with tempfile.TemporaryDirectory(prefix="plumb-record-") as temporary:
        folder = Path(temporary)
        files = Files(folder / "files")
        with sandbox_session(folder / "sandbox", forge=False) as sandbox:
            _live(sandbox, files, collections)
        target.mkdir(parents=True, exist_ok=True)
        pack(target / CLUSTER, folder / "sandbox", ["etcd"])
        shutil.rmtree(files.folder / "run", ignore_errors=True)
        pack(target / AGENT, files.folder, ["agent/state", "agent/cache", "git"])
        pack(target / CODE, collections, [f"ansible_collections/plumb/gitops/{name}" for name in _CODE])


def _live(sandbox: Sandbox, files: Files, collections: Path) -> None:
    upstream, kubectl = Upstream(files.git / "fleet.git"), Kubectl(sandbox.kubeconfig)
    kubectl("create", "namespace", "taken")
    kubectl.apply(_OLDER)
    kubectl("create", "configmap", "created", "-n", "taken", "--from-literal=from=hand")
    fleet = fleet_files()
    fleet["apps"]["platform"]["leaves.yaml"] = _LEAVES
    upstream.commit(fleet, "Begin")
    agent = files.agent()
    agent.environment = {"PYTHONPATH": str(collections)}
    with GitServer(files.git) as git, tunnel(sandbox.server) as way:
        reached = proxied_kubeconfig(sandbox.kubeconfig, files.folder / "kubeconfig", way)
        proxy = f"http://127.0.0.1:{git.port}"
        agent.inventory({"here": inventory(reached, proxy, files, sandbox.audit_log)})
        with running(agent):
            _until_quiet(agent)
            upstream.commit(fleet_files(), "Remove what is not needed")
            until(lambda: kubectl.get("configmap", "leaves", "platform") is None, "the prune")
            _until_quiet(agent)
            kubectl("set", "image", "deployment/worker", "main=example.com/worker:other", "-n", "shop")
            _until_quiet(agent)
            assert agent.command("suspend", "--cluster", "here", "--app", SUSPENDED)[0] == 0
            _until_quiet(agent)
            assert agent.end() == 0


def _until_quiet(agent: AgentProcess) -> None:
    """Sync until two runs in a row find nothing to do, while the cluster's controllers come to rest."""
    agent.await_run()
    for _attempt in range(20):
        lines = [_sync(agent), _sync(agent)]
        print(*lines, sep="\n")  # noqa: T201 - it is run by a person
        if all(word in line for line in lines for word in _NOTHING):
            return
    raise AssertionError("the cluster does not come to rest:\n" + "\n".join(agent.lines()))


def _sync(agent: AgentProcess) -> str:
    runs = len(agent.runs())
    code, output = agent.command("sync", "--wait")
    assert code == 0, output
    return agent.await_run(more_than=runs)


if __name__ == "__main__":
    record(Path(sys.argv[1]), FIXTURES / sys.argv[2])
