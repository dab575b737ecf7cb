# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`plumb.gitops.bootstrap` with a real API server and this machine as a host, under a root and a user of its own."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.plumb.gitops.plugins.module_utils.model.version import VERSION
from ansible_collections.plumb.gitops.tests.support.ansible.play import Play, Played
from ansible_collections.plumb.gitops.tests.support.cluster.kubectl import Kubectl
from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox
from ansible_collections.plumb.gitops.tests.support.git.forge import Repository, new_repository

BOOTSTRAP = "plumb.gitops.bootstrap"
MOST_EXPOSED = 20  # tenths, of systemd's 0.0 to 10.0; below 2.0 it says "OK" with a smile

APP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get]}]
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the bootstrap makes a user and files of root")


@dataclass(slots=True)
class Site:
    """An operator with one repository, one cluster and one host, which is this machine."""

    play: Play
    sandbox: Sandbox
    repository: Repository
    root: Path
    name: str  # of user, service and account
    namespace: str

    def run(self, *words: str, clusters: Mapping[str, Any] | None = None, **agent: Any) -> Played:
        shared = {
            "plumb_agent_name": self.name,
            "plumb_agent_namespace": f"{self.namespace}-system",
            "plumb_namespace": f"{self.namespace}-system",
        }
        source = {
            "name": "fleet",
            "url": self.repository.url,
            "branch": "main",
            "token_file": str(self.repository.token_file),
        }
        app = {"name": self.name, "source": "fleet", "path": "app", "namespace": self.namespace}
        of_clusters = {
            "plumb_kubeconfig": str(self.sandbox.kubeconfig),
            "plumb_cache_dir": str(self.play.folder / "operator"),
            "plumb_sources": [source],
            "plumb_apps": [{**app, "create_namespace": True}],
            **(clusters or {}),
        }
        of_hosts = {
            "plumb_agent_user": self.name,
            **{f"plumb_agent_{part}_dir": str(self.root / part) for part in ("config", "state", "cache")},
            "plumb_agent_release_dir": str(self.root / "release"),
            "plumb_agent_unit_dir": str(self.root / "unit"),
            "plumb_agent_bin_dir": str(self.root / "bin"),
            "plumb_agent_settings": {"interval": "10m", "http": {"listen": "127.0.0.1:0"}},
            **agent,
        }
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory = {
            "plumb_clusters": {"hosts": {"here": dict(here)}, "vars": {**shared, **of_clusters}},
            "plumb_agents": {"hosts": {"box": dict(here)}, "vars": {**shared, **of_hosts}},
        }
        file = self.play.folder / "inventory.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(inventory), encoding="utf-8")
        return self.play.playbook(BOOTSTRAP, "-i", str(file), *words)

    @property
    def unit(self) -> Path:
        return self.root / "unit" / f"{self.name}.service"

    def until_it_reconciled(self) -> str:
        """Run ExecStart as the unit's user with its environment until a run has ended, then SIGTERM; what it said."""
        text = self.unit.read_text(encoding="utf-8")
        environment = re.findall(r"^Environment=(.*)$", text, re.MULTILINE)
        (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
        account = (
            "--reuid",
            self.name,
            "--regid",
            self.name,
            "--clear-groups",
            "--no-new-privs",
            "--inh-caps=-all",
        )
        lines: list[str] = []
        with subprocess.Popen(
            ["timeout", "180", "setpriv", *account, "env", "-i", *environment, *command.split()],
            cwd=self.root / "state", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as agent:  # fmt: skip
            assert agent.stdout is not None
            for line in agent.stdout:
                lines.append(line)
                if "cluster=here" in line:
                    agent.terminate()  # `timeout` passes it on
        return "".join(lines)


@pytest.fixture(scope="module")
def site(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("bootstrap")
    name = f"plumb-t{uuid.uuid4().hex[:6]}"
    repository = new_repository(sandbox, name, folder / "clone")
    repository.commit({"app/all.yaml": APP})
    # The folders above it have to let the agent's user pass, which pytest's own do not.
    root = Path(tempfile.mkdtemp(prefix="plumb-test-", dir="/srv"))
    root.chmod(0o755)
    (root / "unit").mkdir()
    (root / "bin").mkdir()
    yield Site(Play(folder / "play", sandbox), sandbox, repository, root, name, name)
    shutil.rmtree(root)
    if any(user.pw_name == name for user in pwd.getpwall()):
        subprocess.run(["userdel", name], check=True)
    kubectl = Kubectl(sandbox.kubeconfig)
    kubectl("delete", "clusterrole,clusterrolebinding", name, "--ignore-not-found")
    kubectl("delete", "namespace", name, f"{name}-system", "--ignore-not-found", "--wait=false")


def changes(played: Played) -> dict[str, int]:
    """How many tasks changed something, by host."""
    recap = played.output.rpartition("PLAY RECAP")[2]
    return {host: int(count) for host, count in re.findall(r"^(\S+) .*changed=(\d+)", recap, re.MULTILINE)}


WRONG: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any], tuple[str, ...]]] = {
    # what is given: variables of the clusters, variables of the hosts, what has to be said
    "rights": (
        {"plumb_kubeconfig": "{sandbox}/users/viewer.kubeconfig"},
        {},
        (
            "create clusterroles.rbac.authorization.k8s.io",
            "the credentials of a cluster admin",
            "plumb_agent_escalate",
        ),
    ),
    "sources": (
        {
            "plumb_sources": [
                {"name": "fleet", "url": "{url}", "branch": "main", "token_file": "{folder}/wrong"},
                {"name": "gone", "url": "{url}-gone", "branch": "main", "token_file": "{folder}/right"},
            ],
            "plumb_apps": [{"name": "a", "source": "fleet"}, {"name": "b", "source": "gone"}],
        },
        {},
        ("source fleet", "source gone"),
    ),
    "word": ({"plumb_agent_escalat": True}, {}, ("did you mean 'plumb_agent_escalate'?",)),
    "settings": ({}, {"plumb_agent_settings": {"intervall": "5m"}}, ("Did you mean interval?",)),
    "python": ({}, {"plumb_agent_python": "/usr/bin/false"}, ("no Python 3.11 or later",)),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_found_before_anything_is_changed(site: Site, kubectl: Kubectl, case: str) -> None:
    clusters, agent, message = WRONG[case]
    folder = site.play.folder / "given"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wrong").write_text("wrong", encoding="utf-8")
    shutil.copy(site.repository.token_file, folder / "right")
    settings = (
        json.dumps(clusters)
        .replace("{sandbox}", str(site.sandbox.dir))
        .replace("{url}", site.repository.url)
        .replace("{folder}", str(folder))
    )
    site.repository.commit({"app/role.yaml": ROLE if case == "rights" else None})
    refused = site.run(clusters=json.loads(settings), **agent)
    assert refused.code == 2
    for part in message:
        assert part in refused.output, refused.output
    assert "Traceback" not in refused.output
    assert set(changes(refused).values()) == {0}
    assert kubectl.get("namespace", f"{site.namespace}-system") is None
    assert sorted(path.name for path in site.root.iterdir()) == ["bin", "unit"]


def test_bootstrap_as_a_check_says_and_again(site: Site, kubectl: Kubectl) -> None:
    """In one test, because each step is what the next one stands on."""
    site.repository.commit({"app/role.yaml": None})
    checked = site.run("--check", "--diff")
    assert checked.code == 0, checked.output
    assert sorted(path.name for path in site.root.iterdir()) == ["bin", "unit"]
    assert kubectl.get("namespace", f"{site.namespace}-system") is None

    done = site.run()
    assert done.code == 0, done.output
    assert changes(done) == changes(checked)
    again = site.run("--diff")
    assert changes(again) == {"here": 0, "box": 0}, again.output
    _holds_no_secret(site, checked.output + done.output + again.output)
    _is_private(site)
    _is_a_good_unit(site)

    _is_a_command(site)

    lines = site.until_it_reconciled()
    assert "reconciled  cluster=here" in lines, lines
    assert "failed=0" in lines, lines
    assert kubectl.get("configmap", "settings", site.namespace) is not None
    itself = Kubectl(site.root / "state" / "access" / "here.kubeconfig")
    with pytest.raises(AssertionError, match="forbidden"):
        itself("get", "secrets", "-n", site.namespace)

    # An interrupted installation: the release is there and not complete, a file has lost its mode.
    (complete,) = (site.root / "release" / "releases").glob("*/complete")
    complete.unlink()
    token = site.root / "state" / "access" / "here.token"
    token.chmod(0o644)
    # Nothing runs from this one, so that its packages need not be compiled: half of what installing them takes.
    mended = site.run(plumb_agent_pip_args=["--no-compile"])
    assert mended.code == 0, mended.output
    assert changes(mended) == {"here": 0, "box": 2}
    assert complete.exists()
    assert stat.S_IMODE(token.stat().st_mode) == 0o600

    removed = site.run("--check", "-e", "plumb_agent_state=absent", "-e", "plumb_agent_applied=prune")
    assert site.unit.exists()
    gone = site.run("-e", "plumb_agent_state=absent", "-e", "plumb_agent_applied=prune")
    assert gone.code == 0, gone.output
    assert changes(gone) == changes(removed)
    assert kubectl.get("configmap", "settings", site.namespace) is None
    assert kubectl.get("clusterrole", site.name) is None
    assert kubectl.get("serviceaccount", site.name, f"{site.namespace}-system") is None
    assert sorted(path.name for path in site.root.iterdir()) == ["bin", "unit"]
    assert not any(group.gr_name == site.name for group in grp.getgrall())


def _holds_no_secret(site: Site, output: str) -> None:
    for file in (site.root / "state" / "access" / "here.token", site.root / "config" / "api.token",
                 site.repository.token_file):  # fmt: skip
        assert file.read_text(encoding="utf-8").strip() not in output


def _is_private(site: Site) -> None:
    for file in (
        *(site.root / "state" / "access").iterdir(),
        *(site.root / "config" / "credentials").glob("*/*"),
    ):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        assert file.owner() == site.name
    for name in ("inventory.yml", "agent.yml", "api.token"):
        file = site.root / "config" / name
        assert (stat.S_IMODE(file.stat().st_mode), file.owner(), file.group()) == (0o640, "root", site.name)
    inventory = yaml.safe_load((site.root / "config" / "inventory.yml").read_text(encoding="utf-8"))
    variables = inventory["plumb_clusters"]["hosts"]["here"]
    assert variables["plumb_kubeconfig"] == str(site.root / "state" / "access" / "here.kubeconfig")
    assert not any(word.startswith("plumb_agent_") for word in variables)


def _is_a_command(site: Site) -> None:
    """It is for root and the group, wherever they are; nothing runs yet that it could reach."""
    command = site.root / "bin" / site.name
    assert (stat.S_IMODE(command.stat().st_mode), command.owner()) == (0o755, "root")
    evil = site.play.folder / "ansible_collections"
    evil.mkdir()
    (evil / "__init__.py").write_text("raise SystemExit('imported from the working directory')\n")

    def run(*words: str) -> tuple[int, str]:
        done = subprocess.run([command, *words], cwd=evil.parent, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    assert run("--version") == (0, f"plumb-agent {VERSION}\n")
    code, text = run("status")
    assert (code, "Check that the agent runs" in text) == (1, True), text
    assert run("verify")[0] == 1  # there is no trail yet
    journal = run("logs", "-n", "1")
    assert f"{site.name}.service" not in journal[1] or journal[0] == 0, journal


def _is_a_good_unit(site: Site) -> None:
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(site.unit)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", str(site.unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stdout[-300:]
