# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An earlier version of Plumb as data: a cluster that it brought in sync, its agent's files, and its code.

`record_version.py` writes the archives, `unpack` reads them. Both reach cluster and Git by addresses that do not exist,
through proxies on loopback, so that what the agent's files say of them is right wherever the archives are unpacked.
"""

from __future__ import annotations

import json
import os
import select
import socket
import tarfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from ansible_collections.plumb.gitops.tests.support.agent.process import AgentProcess

FIXTURES = Path(__file__).resolve().parents[2] / "faults" / "fixtures"
_MANIFESTS = FIXTURES / "upgraded"
CLUSTER, AGENT, CODE = "cluster.tar.xz", "agent.tar.xz", "code.tar.xz"
SUSPENDED = "held"  # the app that was suspended
_SERVER = "https://cluster.plumb.example:6443"
_GIT = "http://git.plumb.example/fleet.git"
_TIMES = "times.json"


@dataclass(frozen=True, slots=True)
class Files:
    """The files of an agent: what it keeps, its cache, and the repository that it follows."""

    folder: Path

    @property
    def state(self) -> Path:
        """The agent's state folder."""
        return self.folder / "agent" / "state"

    @property
    def cache(self) -> Path:
        """The agent's cache folder."""
        return self.folder / "agent" / "cache"

    @property
    def git(self) -> Path:
        """The folder with the bare repository `fleet.git`."""
        return self.folder / "git"

    def agent(self) -> AgentProcess:
        """Return the agent of these files; an inventory it has to be given."""
        return AgentProcess(self.folder / "agent", {"runtime_dir": str(self.folder / "run")})


def fleet_files(root: Path = _MANIFESTS) -> dict[str, Any]:
    """Return what the cluster runs, as files that `Upstream.commit` takes."""
    return {
        item.name: fleet_files(item) if item.is_dir() else item.read_bytes()
        for item in sorted(root.iterdir())
    }


def inventory(kubeconfig: Path, proxy: str, files: Files, audit_log: Path) -> dict[str, Any]:
    """Return the variables of the only cluster, `here`; `proxy` leads to its Git."""
    source = {"name": "fleet", "url": _GIT, "branch": "main", "allow_http": True, "proxy": proxy}
    return {
        "plumb_kubeconfig": str(kubeconfig),
        "plumb_cache_dir": str(files.cache),
        "plumb_audit_log": str(audit_log),
        "plumb_sources": [source],
        "plumb_config": {"source": "fleet", "path": "clusters/prod.yml"},
        "plumb_apps": [
            _app("platform"),
            _app("shop", path="apps/shop/prod", depends_on=["platform"]),
            _app("taken", adopt=True, create_namespace=False),
            _app(SUSPENDED),
        ],
    }


def _app(name: str, **options: Any) -> dict[str, Any]:
    path = f"apps/{name}"
    defaults = {"name": name, "source": "fleet", "path": path, "namespace": name, "create_namespace": True}
    return {**defaults, "timeout": "60s", **options}


def proxied_kubeconfig(kubeconfig: Path, target: Path, proxy: str) -> Path:
    """Return a kubeconfig for the same cluster by the name that the agent's files have for it, through a proxy."""
    config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    config["clusters"][0]["cluster"] |= {
        "server": _SERVER,
        "tls-server-name": "127.0.0.1",
        "proxy-url": proxy,
    }
    target.write_text(yaml.safe_dump(config), encoding="utf-8")
    target.chmod(0o600)
    return target


@contextmanager
def tunnel(server: str) -> Iterator[str]:
    """Yield the URL of a proxy whose every CONNECT, whatever its target, leads to a server on loopback."""
    port = urlsplit(server).port
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        accepting = threading.Thread(target=_accept, args=(listener, port), daemon=True)
        accepting.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join(10)


def _accept(listener: socket.socket, port: int) -> None:
    while True:
        try:
            client, _address = listener.accept()
        except OSError:
            return
        threading.Thread(target=_tunnel, args=(client, port), daemon=True).start()


def _tunnel(client: socket.socket, port: int) -> None:
    with client, suppress(OSError), socket.create_connection(("127.0.0.1", port)) as server:
        asked = b""
        while b"\r\n\r\n" not in asked:
            if not (block := client.recv(65536)):
                return
            asked += block
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        other = {client: server, server: client}
        while True:
            for ready in select.select(list(other), [], [])[0]:
                if not (block := ready.recv(65536)):
                    return
                other[ready].sendall(block)


def pack(archive: Path, root: Path, names: Iterable[str]) -> None:
    """Write what lies at these names below `root`, without owners, and with times to the nanosecond."""
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        times: dict[str, int] = {}
        for name in names:
            for file in sorted({root / name, *(root / name).rglob("*")}):
                if file.is_file() and file.suffix != ".tmp" and "__pycache__" not in file.parts:
                    times[str(file.relative_to(root))] = file.stat().st_mtime_ns
                    tar.add(file, str(file.relative_to(root)), recursive=False, filter=_without_owner)
        listed = root / _TIMES
        listed.write_text(json.dumps(times), encoding="utf-8")
        tar.add(listed, _TIMES, filter=_without_owner)
        listed.unlink()


def _without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def unpack(archive: Path, folder: Path) -> None:
    """Read an archive of `pack` into a folder; every folder gets mode 0700."""
    before = os.umask(0o077)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="tar")
    finally:
        os.umask(before)
    times = folder / _TIMES
    for name, time in json.loads(times.read_text(encoding="utf-8")).items():
        os.utime(folder / name, ns=(time, time))
    times.unlink()
