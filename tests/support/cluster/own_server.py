# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An etcd and an API server of a test's own, to be killed, frozen, filled and compacted.

The sandbox's supervisor ends everything when one of its programs ends; these are started beside it, the same programs
with the same arguments and credentials on other ports.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from plumb_sandbox.process.children import Child, Program, end, last_lines, spawn
from plumb_sandbox.process.ports import choose_ports

from ansible_collections.plumb.gitops.tests.support.cluster.sandbox import Sandbox

_READY = 60.0  # seconds that a start may take on a busy machine
_PATIENCE = 5.0  # seconds for an orderly end
_QUOTA = 24 * 2**20  # bytes that this etcd may hold; it has some 3 MiB when the API server is ready


@dataclass(slots=True)
class OwnServer:
    """Running; `sandbox` says how to reach it."""

    sandbox: Sandbox
    folder: Path
    etcd_url: str
    _etcd_tls: ssl.SSLContext
    _etcd: Child
    _program: Program
    _api: Child

    def kill(self) -> None:
        """End the API server at once, wherever it is. May be called from any thread."""
        self._api.process.kill()

    def start(self) -> None:
        """Start the killed API server again; returns when it is ready. From the main thread only."""
        end([self._api], _PATIENCE)
        self._api = _started(self._program, self.folder, self.sandbox)

    def freeze(self) -> None:
        """Stop etcd until `thaw`; requests wait."""
        os.kill(self._etcd.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let etcd go on."""
        os.kill(self._etcd.pid, signal.SIGCONT)

    def compact(self) -> None:
        """Forget all history up to now."""
        revision = self._request("kv/range", {"key": "AA=="})["header"]["revision"]
        self._request("kv/compaction", {"revision": revision, "physical": True})

    def fill(self) -> None:
        """Write until etcd takes no more."""
        with contextlib.suppress(urllib.error.HTTPError):
            while True:
                self._request("kv/put", {"key": "ZmlsbA==", "value": "AAAA" * 2**18})

    def make_room(self) -> None:
        """Free the space of old revisions of a full etcd, so that it takes writes again."""
        self.compact()
        self._request("maintenance/defragment", {})
        for alarm in self._request("maintenance/alarm", {"action": "GET"}).get("alarms", ()):
            self._request("maintenance/alarm", {"action": "DEACTIVATE", **alarm})

    def close(self) -> None:
        """End both programs."""
        end([self._api], _PATIENCE)
        self.thaw()
        end([self._etcd], _PATIENCE)

    def _request(self, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.etcd_url}/v3/{what}", json.dumps(body).encode())  # noqa: S310
        with urllib.request.urlopen(request, timeout=60, context=self._etcd_tls) as answer:  # noqa: S310
            output: dict[str, Any] = json.loads(answer.read())
            return output


@contextmanager
def own_server(
    sandbox: Sandbox, folder: Path, arguments: Mapping[str, str] | None = None
) -> Iterator[OwnServer]:
    """Start them in FOLDER on free ports, empty but for what an API server makes for itself.

    `arguments` are more of the API server's, by name.
    """
    pids = json.loads((sandbox.dir / "sandbox.json").read_text(encoding="utf-8"))["pids"]
    ports = choose_ports(("etcd", "etcd-peer", "kube-apiserver"), {})
    client, peer, server = (f"https://127.0.0.1:{port}" for port in ports.values())
    etcd = _like(pids["etcd"], {
        "data-dir": str(folder / "etcd"), "listen-client-urls": client, "advertise-client-urls": client,
        "listen-peer-urls": peer, "initial-advertise-peer-urls": peer, "initial-cluster": f"sandbox={peer}",
        "quota-backend-bytes": str(_QUOTA),
    })  # fmt: skip
    program = _like(pids["kube-apiserver"], {
        "etcd-servers": client, "secure-port": str(ports["kube-apiserver"]),
        "audit-log-path": str(folder / "audit.log"),
        "feature-gates": "ListFromCacheSnapshot=false",  # else pages of a list outlive a compaction
        **(arguments or {}),
    })  # fmt: skip
    config = yaml.safe_load(sandbox.kubeconfig.read_text(encoding="utf-8"))
    config["clusters"][0]["cluster"]["server"] = server
    kubeconfig = folder / "own.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")
    own = replace(sandbox, kubeconfig=kubeconfig, server=server)
    tls = ssl.create_default_context(cafile=str(sandbox.ca_file))
    tls.load_cert_chain(_argument(etcd, "cert-file"), _argument(etcd, "key-file"))
    store = spawn(etcd, folder, folder / "etcd.log")
    running = OwnServer(own, folder, client, tls, store, program, _started(program, folder, own))
    try:
        yield running
    finally:
        running.close()


def _like(pid: int, others: Mapping[str, str]) -> Program:
    """Return the program of a running process with some of its arguments replaced or added."""
    argv = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").rstrip("\0").split("\0")
    arguments = [word for word in argv if word.removeprefix("--").partition("=")[0] not in others]
    replaced = [f"--{name}={value}" for name, value in others.items()]
    return Program(name=Path(argv[0]).name, argv=[*arguments, *replaced], env={"PATH": os.environ["PATH"]})


def _argument(program: Program, name: str) -> str:
    return next(word.partition("=")[2] for word in program.argv if word.startswith(f"--{name}="))


def _started(program: Program, folder: Path, sandbox: Sandbox) -> Child:
    child = spawn(program, folder, folder / f"{program.name}.log")
    tls = ssl.create_default_context(cafile=str(sandbox.ca_file))
    deadline = time.monotonic() + _READY
    while not _is_ready(f"{sandbox.server}/readyz", tls):
        if child.process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the API server did not become ready:\n{last_lines(child.log)}")
        time.sleep(0.1)
    return child


def _is_ready(url: str, tls: ssl.SSLContext) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5, context=tls):  # noqa: S310
            return True
    except (urllib.error.URLError, OSError):
        return False
