# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs on content from Git: no network, no descriptor, no environment, bounded in what they take (rows 64, 69)."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.render.kustomize.build import find_kubectl
from ansible_collections.plumb.gitops.tests.unit.render import confined_run, network_probe

NOBODY = 65534
MIB = 1024 * 1024
PACKAGE = Path("ansible_collections/plumb/gitops/plugins/module_utils")
ROOT = Path(__file__).resolve().parents[3]
USERS = [pytest.param(0, id="root"), pytest.param(NOBODY, id="nobody")]
BOUNDS = {"memory": 512 * MIB, "seconds": 30.0, "max_stdout": MIB, "max_stderr": MIB}


class Loopback:
    """A server on the loopback and on an abstract socket that notes whoever comes."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.name = f"plumb-test-{os.urandom(8).hex()}"
        tcp = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port = tcp.getsockname()[1]
        udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        udp.bind(("::", self.port))
        local = socket.socket(socket.AF_UNIX)
        local.bind(f"\0{self.name}")
        local.listen()
        self._sockets = {"tcp": tcp, "udp": udp, "local": local}
        for kind, listening in self._sockets.items():
            threading.Thread(target=self._listen, args=(kind, listening), daemon=True).start()

    def _listen(self, kind: str, listening: socket.socket) -> None:
        while True:
            try:
                if kind == "udp":
                    listening.recv(64)
                else:
                    listening.accept()[0].close()
            except OSError:
                return
            self.seen.append(kind)

    def close(self) -> None:
        for listening in self._sockets.values():
            listening.close()


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    server = Loopback()
    yield server
    server.close()


class World:
    """A folder that everybody may read, with the engine, the programs and a Python that everybody may run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "plugins/module_utils", folder / PACKAGE, ignore=lambda *_: ["__pycache__"])
        for module in (confined_run, network_probe):
            shutil.copy(str(module.__file__), folder)
        self.kubectl = folder / "kubectl"
        shutil.copy(find_kubectl("test"), self.kubectl)
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)

    def python(self, uid: int) -> str:
        """Return a Python of this version that this user may run."""
        for candidate in (
            os.path.realpath(sys.executable),
            shutil.which("python3", path="/usr/bin:/usr/local/bin"),
        ):
            check = [candidate, "-I", "-c", "import sys; assert sys.version_info >= (3, 11)"]
            try:
                subprocess.run(check, check=True, user=uid, capture_output=True)  # type: ignore[arg-type]
            except (OSError, TypeError, subprocess.CalledProcessError):
                continue
            return str(candidate)
        pytest.skip(f"there is no Python 3.11 that user {uid} may run, in /usr/bin or elsewhere")

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        uid: int = 0,
        lacking: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        **bounds: Any,
    ) -> dict[str, Any]:
        """Run a program as this user by the engine's entry point."""
        if uid != os.getuid() and os.getuid() != 0:
            pytest.skip("only root can be somebody else")
        wanted = {
            "argv": [str(word) for word in argv],
            "cwd": str(self.folder),
            "env": {"HOME": "/nonexistent", "PATH": "/nonexistent", "KUBECONFIG": "/dev/null"},
            "bounds": BOUNDS | bounds,
            "uid": uid if os.getuid() == 0 else os.getuid(),
            "lacking": list(lacking),
        }
        done = subprocess.run(
            [self.python(uid), str(self.folder / "confined_run.py"), json.dumps(wanted)],
            env={"PYTHONPATH": str(self.folder), **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def write(self, files: dict[str, str]) -> Path:
        """Return a kustomization that everybody may read."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        folder.chmod(0o755)
        for name, text in files.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o644)
        return folder


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="plumb-confined-"))
    folder.chmod(0o755)
    yield World(folder)
    shutil.rmtree(folder)


def lines(done: dict[str, Any]) -> dict[str, str]:
    assert done["ending"] == "exited", done
    return dict(line.split(" ", 1) for line in done["stdout"].splitlines())


def probe(world: World, loopback: Loopback, uid: int, *words: str, **options: Any) -> dict[str, Any]:
    argv = [
        world.python(uid),
        "-I",
        "-S",
        world.folder / "network_probe.py",
        loopback.port,
        loopback.name,
        *words,
    ]
    return world.run([str(word) for word in argv], uid=uid, **options)


@pytest.mark.parametrize("uid", USERS)
def test_row_64_a_program_reaches_no_network_at_all(world: World, loopback: Loopback, uid: int) -> None:
    done = probe(world, loopback, uid)
    assert done["uid"] == uid
    results = lines(done)
    assert set(results) == {*network_probe.WAYS, *network_probe.CALLS}
    assert set(results.values()) == {str(errno.EPERM)}, results
    assert not loopback.seen


@pytest.mark.parametrize("uid", USERS)
def test_row_64_what_a_program_starts_reaches_none_either(world: World, loopback: Loopback, uid: int) -> None:
    done = probe(world, loopback, uid, "child", may_start_programs=True)
    assert done["ending"] == "exited"
    output = done["stdout"].splitlines()
    assert len(output) == 2 * len(network_probe.WAYS | network_probe.CALLS)
    assert {line.split(" ", 1)[1] for line in output} == {str(errno.EPERM)}
    assert not loopback.seen


def test_the_probe_finds_the_server_where_nothing_is_denied(world: World, loopback: Loopback) -> None:
    words = [world.folder / "network_probe.py", loopback.port, loopback.name, "ways"]
    done = subprocess.run(
        [sys.executable, "-I", "-S", *map(str, words)], capture_output=True, text=True, check=True, timeout=60
    )
    assert {line.split(" ", 1)[1] for line in done.stdout.splitlines()} == {"worked"}
    assert {"tcp", "local"} <= set(loopback.seen)


REMOTE = {
    "inline": "generators:\n- |\n  apiVersion: builtin\n  kind: ConfigMapGenerator\n  metadata: {{name: a}}\n"
    "  files: [k={url}]\n",
    "one line": 'generators:\n- \'{{"apiVersion":"builtin","kind":"ConfigMapGenerator","metadata":'
    '{{"name":"a"}},"files":["k={escaped}"]}}\'\n',
    "resource": "resources: ['{url}']\n",
    "repository": "resources: ['{url}/x.git']\n",
    "openapi": "openapi: {{path: '{url}'}}\nresources: []\n",
}


@pytest.mark.parametrize("uid", USERS)
@pytest.mark.parametrize("form", REMOTE)
def test_row_64_kubectl_itself_fetches_nothing(world: World, loopback: Loopback, form: str, uid: int) -> None:
    url = f"http://127.0.0.1:{loopback.port}/x.yaml"
    text = REMOTE[form].format(url=url, escaped=url.replace(":", "\\u003a"))
    done = world.run([world.kubectl, "kustomize", world.write({"kustomization.yaml": text})], uid=uid)
    assert done["ending"] == "exited"
    assert done["status"] != 0
    assert not loopback.seen


CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
LOCAL = {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": CONFIG_MAP}


def needs_namespaces(uid: int) -> None:
    made = subprocess.run(["unshare", "--user", "--net", "true"], check=False, user=uid, capture_output=True)
    if made.returncode != 0:
        pytest.skip(f"user {uid} may not make namespaces here: {made.stderr.decode().strip()}")


@pytest.mark.parametrize("uid", USERS)
@pytest.mark.parametrize("lacking", [(), ("seccomp",)])
def test_row_64_kubectl_builds_what_is_there(world: World, uid: int, lacking: tuple[str, ...]) -> None:
    if lacking:
        needs_namespaces(uid)
    done = world.run([world.kubectl, "kustomize", world.write(LOCAL)], uid=uid, lacking=lacking)
    assert "name: a" in done["stdout"], done


@pytest.mark.parametrize("uid", USERS)
def test_row_64_without_seccomp_a_namespace_takes_the_network_away(
    world: World, loopback: Loopback, uid: int
) -> None:
    needs_namespaces(uid)
    results = lines(probe(world, loopback, uid, "ways", lacking=["seccomp"]))
    assert set(results) == set(network_probe.WAYS)
    assert "worked" not in results.values()
    assert not loopback.seen


def test_row_64_where_nothing_confines_the_program_is_not_run_unless_the_operator_says_so(
    world: World, loopback: Loopback
) -> None:
    neither = ["namespaces", "seccomp"]
    refused = probe(world, loopback, NOBODY, "ways", lacking=neither)
    assert refused["ending"] == "refused"
    assert refused["stderr"].startswith("no confinement: seccomp: ")
    assert not loopback.seen
    allow = {"PLUMB_UNCONFINED_PROGRAMS": "allow"}
    allowed = probe(world, loopback, NOBODY, "ways", lacking=neither, environment=allow)
    assert lines(allowed)["tcp4"] == "worked"


def code(world: World, text: str, **options: Any) -> dict[str, Any]:
    return world.run([world.python(0), "-I", "-S", "-c", text], **options)


def test_row_64_no_descriptor_and_nothing_of_the_environment_is_inherited(world: World) -> None:
    text = "import json, os; print(json.dumps([sorted(os.listdir('/proc/self/fd')), dict(os.environ)]))"
    done = code(world, text, environment={"PLUMB_TOKEN": "canary"})
    descriptors, environment = json.loads(done["stdout"])
    assert descriptors == ["0", "1", "2", "3"], "its pipes, and what it lists them by"
    assert "canary" not in environment.values()
    assert not {"PLUMB_TOKEN", "PYTHONPATH"} & set(environment)


BEYOND = {
    "memory": ("held = bytearray(600 << 20)", "MemoryError"),
    "threads": (
        "import threading; threading.stack_size(256 << 20); [threading.Thread(target=input).start() for _ in '123']",
        "can't start new thread",
    ),
    "shared memory": ("import mmap; mmap.mmap(-1, 4096)", "PermissionError"),
    "file": ("open('/tmp/plumb-too-long', 'wb').write(bytes(3 << 20))", "File too large"),
    "descriptors": ("held = [open('/dev/null') for _ in range(300)]", "Too many open files"),
    "processes": ("import os; os.fork()", "PermissionError"),
}  # fmt: skip


@pytest.mark.parametrize("what", BEYOND)
def test_row_69_what_a_program_takes_is_bounded(world: World, what: str) -> None:
    text, error = BEYOND[what]
    done = code(world, text)
    Path("/tmp/plumb-too-long").unlink(missing_ok=True)
    assert done["status"] != 0
    assert error in done["stderr"] or done["status"] == -25, done


def test_row_69_processor_time_and_output_are_bounded(world: World) -> None:
    assert code(world, "while True: pass", seconds=2.0)["ending"] == "deadline"
    assert code(world, "while True: print('x' * 65536)")["ending"] == "output"
    assert code(world, "import time; time.sleep(600)", seconds=1.0)["ending"] == "deadline"


@pytest.mark.parametrize("end", ["time.sleep(600)", "os._exit(0)"])
def test_row_64_nothing_that_a_program_started_is_left(world: World, end: str) -> None:
    text = (
        "import os, time\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    try: os.setsid()\n"
        "    except PermissionError: pass\n"
        "    [os.close(n) for n in (0, 1, 2)]\n"
        "    time.sleep(600)\n"
        f"print(child, flush=True)\n{end}\n"
    )
    done = code(world, text, seconds=2.0, may_start_programs=True)
    child = int(done["stdout"])
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_row_69_a_go_program_without_memory_is_told_from_one_that_fails(world: World) -> None:
    folder = world.write(LOCAL)
    assert world.run([world.kubectl, "kustomize", folder], memory=64 * MIB)["ending"] == "memory"
    assert world.run([world.kubectl, "kustomize", folder / "gone"])["ending"] == "exited"
