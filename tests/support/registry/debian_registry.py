# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's docker-registry on the loopback, with TLS and a login; scripts/registry has it fetched."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from plumb_sandbox.forge.image_push import ImagePusher

from ansible_collections.plumb.gitops.tests.support.registry.registry_server import basic
from ansible_collections.plumb.gitops.tests.support.tls.authority import Authority

USER, PASSWORD = "alma", "s3cret-of-tests"
_HASH = "$2b$05$abcdefghijklmnopqrstuuQvdQC0iyoEpKKmAu/3kGsQt0UPm2Gom"  # bcrypt of it
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
BINARY = _CACHE / "plumb" / "docker-registry-2.8.2+ds1-1" / "usr" / "bin" / "docker-registry"


@dataclass(frozen=True, slots=True)
class DebianRegistry:
    """A running one."""

    host: str
    authority: Authority
    pusher: ImagePusher


@contextlib.contextmanager
def debian_registry(folder: Path, *, notify: str = "", secret: str = "") -> Iterator[DebianRegistry]:
    """Run one in this folder until the end. It sends pushes to the address `notify`, with the token `secret`."""
    authority = Authority(folder / "ca")
    authority.server_context("127.0.0.1")  # writes the certificate beside the authority's
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    passwords = folder / "htpasswd"
    passwords.write_text(f"{USER}:{_HASH}\n", encoding="utf-8")
    pem = str(folder / "ca" / "127.0.0.1.pem")
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": host, "tls": {"certificate": pem, "key": pem}},
        "auth": {"htpasswd": {"realm": "tests", "path": str(passwords)}},
    }
    if notify:
        endpoint = {
            "name": "plumb",
            "url": notify,
            "headers": {"Authorization": [f"Bearer {secret}"]},
            "timeout": "5s",
            "threshold": 5,
            "backoff": "1s",
        }
        config["notifications"] = {"endpoints": [endpoint]}
    file = folder / "config.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "OTEL_TRACES_EXPORTER": "none"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(BINARY), "serve", str(file)], stdout=log, stderr=log, env=environment)
    try:
        _wait(process, host, folder / "log")
        tls = ssl.create_default_context(cafile=authority.certificate)
        yield DebianRegistry(host, authority, ImagePusher(f"https://{host}", basic(USER, PASSWORD), tls))
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], host: str, log: Path) -> None:
    name, _colon, port = host.partition(":")
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((name, int(port)), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"docker-registry does not answer: {log.read_text(encoding='utf-8')[-500:]}")
