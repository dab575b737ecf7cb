# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox itself: what it offers, and that nothing of it is ever left over."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plumb_sandbox.cluster.api import Api

from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import (
    sandbox_command,
    sandbox_session,
)

COLLECTIONS = Path(__file__).resolve().parents[2] / ".venv" / "collections"
ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
KUBECTL = Path(sys.executable).with_name("kubectl")
# The smallest sandbox that is one: etcd and the API server.
SMALL = ("--without-forge", "--without-controllers")

WORKLOADS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: broken}
spec:
  selector: {matchLabels: {app: broken}}
  template:
    metadata:
      labels: {app: broken}
      annotations: {sandbox.plumb.gitops/outcome: image-pull-error}
    spec: {containers: [{name: web, image: "web:2"}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: migrate, image: "migrate:1"}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: crash}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {sandbox.plumb.gitops/outcome: fail}}
    spec: {restartPolicy: Never, containers: [{name: crash, image: "crash:1"}]}
"""


def kubectl(kubeconfig: Path, *words: str, feed: str = "", check: bool = True) -> str:
    done = subprocess.run(
        (KUBECTL, f"--kubeconfig={kubeconfig}", *words),
        input=feed,
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(kubeconfig.parent), "PATH": os.environ["PATH"]},
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done.stdout if done.returncode == 0 else done.stderr


def command(*words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(sandbox_command(*words), capture_output=True, text=True, check=check)


def up(folder: Path, *words: str) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(command("up", "--dir", folder, "--json", *words).stdout)
    return described


def processes_of(folder: Path) -> list[str]:
    """The command lines of all processes that work for the sandbox in FOLDER."""
    pids = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_text(errors="replace").replace("\0", " ")
            place = (entry / "cwd").readlink()
        except OSError:  # it ended meanwhile, or has and waits to be reaped
            continue
        if str(folder) in line or place == folder:
            pids.append(f"{entry.name} {line}")
    return pids


def eventually(holds: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def answers(server: str, ca_file: Path) -> bool:
    return Api(url=server, ca_cert=ca_file).get("/readyz")[0] == 200


class TestWhatItOffers:
    def test_true_version(self, sandbox):
        version = json.loads(kubectl(sandbox.kubeconfig, "version", "-o", "json"))["serverVersion"]
        assert (version["gitVersion"], version["major"], version["minor"]) == ("v1.36.3", "1", "36")

    def test_context_is_called_sandbox(self, sandbox):
        assert (
            kubectl(sandbox.kubeconfig, "config", "current-context").strip() == sandbox.context == "sandbox"
        )

    def test_workloads_run_complete_and_fail(self, sandbox):
        kubectl(sandbox.kubeconfig, "create", "namespace", "work")
        kubectl(sandbox.kubeconfig, "-n", "work", "apply", "-f", "-", feed=WORKLOADS)
        for what, condition in (
            ("deployment/web", "Available"),
            ("job/migrate", "Complete"),
            ("job/crash", "Failed"),
        ):
            kubectl(
                sandbox.kubeconfig,
                "-n",
                "work",
                "wait",
                what,
                f"--for=condition={condition}",
                "--timeout=60s",
            )
        reasons = "jsonpath={.items[*].status.containerStatuses[*].state.waiting.reason}"
        assert eventually(
            lambda: (
                kubectl(sandbox.kubeconfig, "-n", "work", "get", "pods", "-l", "app=broken", "-o", reasons)
                == "ImagePullBackOff"
            )
        )
        kubectl(sandbox.kubeconfig, "delete", "namespace", "work", "--timeout=60s")

    def test_nobody_is_denied(self, sandbox):
        answer = kubectl(sandbox.kubeconfig_of("nobody"), "get", "configmaps", check=False)
        assert 'User "nobody" cannot list resource "configmaps"' in answer

    def test_viewer_views_all_but_secrets(self, sandbox):
        viewer = sandbox.kubeconfig_of("viewer")
        kubectl(viewer, "get", "configmaps", "--all-namespaces")
        answer = kubectl(viewer, "get", "secrets", check=False)
        assert 'User "viewer" cannot list resource "secrets"' in answer

    def test_tenant_has_what_a_test_binds(self, sandbox):
        tenant = sandbox.kubeconfig_of("tenant")
        kubectl(sandbox.kubeconfig, "create", "namespace", "rented")
        assert "cannot list" in kubectl(tenant, "-n", "rented", "get", "pods", check=False)
        words = ("create", "rolebinding", "tenant", "--clusterrole=admin", "--user=tenant", "-n", "rented")
        kubectl(sandbox.kubeconfig, *words)
        assert eventually(
            lambda: "cannot list" not in kubectl(tenant, "-n", "rented", "get", "pods", check=False)
        )

    def test_token_request(self, sandbox, tmp_path):
        kubectl(sandbox.kubeconfig, "create", "serviceaccount", "robot")
        token = kubectl(sandbox.kubeconfig, "create", "token", "robot").strip()
        config = tmp_path / "robot"
        config.write_text(sandbox.kubeconfig_of("nobody").read_text())
        kubectl(config, "config", "set-credentials", "nobody", f"--token={token}")
        user = kubectl(config, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
        assert user == "system:serviceaccount:default:robot"

    def test_audit_log_tells_who_did_what(self, sandbox):
        words = ("create", "configmap", "audited", "--dry-run=server", "--from-literal=a=b")
        kubectl(sandbox.kubeconfig, *words)
        events = []
        with sandbox.audit_log.open(encoding="utf-8") as lines:
            for line in lines:
                event = json.loads(line)
                if event["verb"] == "create" and event.get("objectRef", {}).get("name") == "audited":
                    events.append(event)
        assert len(events) == 1
        assert events[0]["user"]["username"] == "admin"
        assert events[0]["objectRef"]["resource"] == "configmaps"
        assert "dryRun=All" in events[0]["requestURI"]
        assert events[0]["responseStatus"]["code"] == 201
        assert "requestObject" not in events[0]

    def test_only_its_owner_reads_it(self, sandbox):
        private = [
            sandbox.kubeconfig,
            sandbox.kubeconfig_of("viewer"),
            sandbox.audit_log,
            sandbox.ca_key_file,
            *(sandbox.dir / name for name in ("sandbox.json", "tokens.csv")),
            *(sandbox.dir / "forge" / name for name in ("app.ini", "admin-token", "admin-password")),
        ]
        assert {path.name: oct(path.stat().st_mode & 0o777) for path in private} == {
            path.name: "0o600" for path in private
        }

    def test_listens_on_loopback_only(self, sandbox):
        pids = json.loads((sandbox.dir / "sandbox.json").read_text())["pids"].values()
        listening = {
            row.split()[9]: row.split()[1]
            for table in ("tcp", "tcp6")
            for row in Path("/proc/net", table).read_text().splitlines()[1:]
            if row.split()[3] == "0A"
        }
        ours = [
            listening[inode]
            for pid in pids
            for handle in Path(f"/proc/{pid}/fd").iterdir()
            if (inode := str(handle.readlink()).removeprefix("socket:[").rstrip("]")) in listening
        ]
        assert len(ours) >= 5
        assert all(address.startswith("0100007F:") for address in ours), ours

    def test_forge_takes_a_push_with_its_token_only(self, sandbox, tmp_path):
        forge = Api(url=sandbox.forge_url, token=sandbox.forge_token)
        assert forge.request("POST", "/api/v1/user/repos", {"name": "fleet", "private": True})[0] == 201
        url = f"{sandbox.forge_url}/{sandbox.forge_user}/fleet.git"
        work = tmp_path / "work"
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "user.name",
            "GIT_CONFIG_VALUE_0": "Tester",
            "GIT_CONFIG_KEY_1": "user.email",
            "GIT_CONFIG_VALUE_1": "tester@example.com",
        }
        authorized = {
            **env,
            "GIT_CONFIG_COUNT": "3",
            "GIT_CONFIG_KEY_2": "http.extraHeader",
            "GIT_CONFIG_VALUE_2": f"Authorization: token {sandbox.forge_token}",
        }

        def git(*words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ("git", "-C", work, *words), capture_output=True, text=True, check=False, env=env
            )

        work.mkdir()
        for words in (("init", "-b", "main"), ("commit", "--allow-empty", "-m", "Begin")):
            assert git(*words, env=env).returncode == 0
        assert git("push", url, "main", env=env).returncode != 0
        pushed = git("push", url, "main", env=authorized)
        assert pushed.returncode == 0, pushed.stderr
        head = git("rev-parse", "HEAD", env=env).stdout.strip()
        assert git("ls-remote", url, "main", env=authorized).stdout.split()[0] == head
        assert git("ls-remote", url, env=env).returncode != 0

    def test_forge_has_a_registry(self, sandbox):
        registry = f"http://{sandbox.registry}"
        assert Api(url=registry).get("/v2/")[0] == 401
        answer = Api(url=registry).get(f"/v2/token?service=container_registry&account={sandbox.forge_user}")
        assert answer[0] == 200

    def test_second_up_finds_it(self, sandbox):
        before = json.loads((sandbox.dir / "sandbox.json").read_text())
        again = up(sandbox.dir)
        assert again.pop("changed") is False
        assert again == before

    def test_two_side_by_side(self, sandbox, tmp_path):
        with sandbox_session(tmp_path / "other", forge=False, controllers=False) as other:
            assert other.server != sandbox.server
            assert answers(other.server, other.ca_file)
            assert answers(sandbox.server, sandbox.ca_file)
            kubectl(other.kubeconfig, "create", "configmap", "mine")
            assert "not found" in kubectl(sandbox.kubeconfig, "get", "configmap", "mine", check=False)
        assert processes_of(tmp_path / "other") == []
        assert answers(sandbox.server, sandbox.ca_file)


class TestNothingIsLeft:
    def test_after_down_and_its_data_is_there_at_the_next_up(self, tmp_path):
        folder = tmp_path / "sandbox"
        first = up(folder)
        assert first["changed"] is True
        assert len(processes_of(folder)) == 7
        kubectl(Path(first["kubeconfig"]), "create", "configmap", "kept")
        assert json.loads(command("down", "--dir", folder, "--json").stdout) == {"changed": True}
        assert processes_of(folder) == []
        assert json.loads(command("down", "--dir", folder, "--json").stdout) == {"changed": False}
        assert command("status", "--dir", folder, check=False).returncode == 3

        second = up(folder)
        try:
            kubectl(Path(second["kubeconfig"]), "get", "configmap", "kept")
            token = Path(second["forge"]["admin_token_file"]).read_text().strip()
            status, user = Api(url=second["forge"]["url"], token=token).get("/api/v1/user")
            assert (status, user["is_admin"]) == (200, True)
        finally:
            command("down", "--dir", folder, "--purge")
        assert not folder.exists()

    def test_after_its_supervisor_is_killed(self, tmp_path):
        folder = tmp_path / "sandbox"
        os.kill(up(folder)["pids"]["supervisor"], signal.SIGKILL)
        assert eventually(lambda: processes_of(folder) == []), processes_of(folder)
        assert command("status", "--dir", folder, check=False).returncode == 3
        assert up(folder, *SMALL)["changed"] is True
        command("down", "--dir", folder)

    def test_after_a_program_of_it_crashed(self, tmp_path):
        folder = tmp_path / "sandbox"
        os.kill(up(folder)["pids"]["etcd"], signal.SIGKILL)
        assert eventually(lambda: processes_of(folder) == []), processes_of(folder)
        assert "stopping: etcd ended with status -9" in (folder / "supervisor.log").read_text()
        assert not (folder / "sandbox.json").exists()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_after_run_is_interrupted(self, tmp_path, number):
        folder = tmp_path / "sandbox"
        sign = tmp_path / "sign"
        script = f"import os, time; open({str(sign)!r}, 'w').write(os.environ['KUBECONFIG']); time.sleep(600)"
        words = ("run", "--dir", folder, *SMALL, "--", sys.executable, "-c", script)
        process = subprocess.Popen(sandbox_command(*words), stderr=subprocess.PIPE, start_new_session=True)
        assert eventually(lambda: sign.exists() and sign.read_text() != "", 60)
        assert sign.read_text() == str(folder / "kubeconfig")
        process.send_signal(number)
        process.communicate(timeout=60)
        assert process.returncode == (-9 if number == signal.SIGKILL else 130)
        assert eventually(lambda: processes_of(tmp_path) == []), processes_of(tmp_path)

    def test_after_up_is_interrupted(self, tmp_path):
        folder = tmp_path / "sandbox"
        process = subprocess.Popen(sandbox_command("up", "--dir", folder), stderr=subprocess.PIPE)
        assert eventually((folder / "logs" / "etcd.log").exists)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
        assert processes_of(folder) == []

    def test_after_its_owner_ended(self, tmp_path):
        folder = tmp_path / "sandbox"
        words = sandbox_command("up", "--dir", folder, "--json", "--with-parent", *SMALL)
        script = f"import subprocess; subprocess.run({words!r}, check=True)"
        subprocess.run((sys.executable, "-c", script), check=True, capture_output=True)
        assert eventually(lambda: processes_of(folder) == []), processes_of(folder)
        assert "the process that owns this sandbox ended" in (folder / "supervisor.log").read_text()


class TestCommands:
    def test_run_gives_the_status_of_its_command(self, tmp_path):
        words = ("run", "--dir", tmp_path / "sandbox", *SMALL, "--", "sh", "-c", "exit 7")
        assert command(*words, check=False).returncode == 7
        assert processes_of(tmp_path / "sandbox") == []

    def test_two_ups_at_once_start_one(self, tmp_path):
        folder = tmp_path / "sandbox"
        words = sandbox_command("up", "--dir", folder, "--json", *SMALL)
        both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        descriptions = [json.loads(process.communicate(timeout=120)[0]) for process in both]
        try:
            assert sorted(entry["changed"] for entry in descriptions) == [False, True]
            assert descriptions[0]["pids"] == descriptions[1]["pids"]
            assert len(processes_of(folder)) == 3
        finally:
            command("down", "--dir", folder)

    @pytest.mark.parametrize("name", ["kube-controller-manager", "kube-scheduler"])
    def test_a_port_that_somebody_takes_meanwhile_is_left_to_him(self, tmp_path, name):
        """These two listen long after their ports were chosen, and after their first work."""
        folder = tmp_path / "sandbox"
        process = subprocess.Popen(sandbox_command("up", "--dir", folder, "--without-forge"))
        assert eventually(
            lambda: (folder / "ports.json").exists() and bool((folder / "ports.json").read_text())
        )
        taken = json.loads((folder / "ports.json").read_text())[name]
        with socket.create_server(("127.0.0.1", taken)):
            assert process.wait(timeout=120) == 0
            try:
                assert json.loads((folder / "ports.json").read_text())[name] != taken
                assert f"a port of {name} was taken" in (folder / "supervisor.log").read_text()
                assert len(processes_of(folder)) == 6
            finally:
                command("down", "--dir", folder)

    def test_refuses_a_folder_of_other_things(self, tmp_path):
        (tmp_path / "thesis.tex").touch()
        done = command("up", "--dir", tmp_path, check=False)
        assert done.returncode == 1
        assert (
            f"starting a sandbox in {tmp_path}: the folder holds files that are not a sandbox's"
            in done.stderr
        )
        assert (tmp_path / "thesis.tex").exists()

    def test_refuses_to_pass_for_what_it_is_not(self, tmp_path):
        with sandbox_session(tmp_path / "small", forge=False, controllers=False) as small:
            done = command("up", "--dir", small.dir, check=False)
            assert done.returncode == 1
            assert "it was started without forge and controllers" in done.stderr


class TestPlaybook:
    @pytest.fixture
    def playbook(self, tmp_path):
        def run(*words: str) -> tuple[int, str]:
            options = {
                "plumb_sandbox_dir": str(tmp_path / "sandbox"),
                "plumb_sandbox_forge": False,
                "plumb_sandbox_controllers": False,
            }
            done = subprocess.run(
                (ANSIBLE_PLAYBOOK, "plumb.gitops.sandbox", "-e", json.dumps(options), *words),
                capture_output=True,
                text=True,
                check=False,
                cwd=tmp_path,
                env={**os.environ, "NO_COLOR": "1", "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)},
            )
            assert done.returncode == 0, done.stdout + done.stderr
            recap = re.search(r"changed=(\d+)", done.stdout)
            assert recap is not None
            return int(recap[1]), done.stdout

        yield run
        command("down", "--dir", tmp_path / "sandbox", "--purge")

    def test_check_do_again_and_undo(self, playbook, tmp_path):
        folder = tmp_path / "sandbox"
        assert playbook("--check")[0] == 1
        assert not folder.exists()
        changed, output = playbook()
        assert changed == 1
        assert f"export KUBECONFIG={folder}/kubeconfig" in output
        assert answers(json.loads((folder / "sandbox.json").read_text())["server"], folder / "pki" / "ca.crt")
        assert playbook()[0] == 0

        absent = ("-e", "plumb_sandbox_state=absent")
        assert playbook(*absent, "--check")[0] == 1
        assert processes_of(folder) != []
        assert playbook(*absent)[0] == 1
        assert processes_of(folder) == []
        assert playbook(*absent)[0] == 0
        assert playbook(*absent, "-e", "plumb_sandbox_purge=true")[0] == 1
        assert not folder.exists()
