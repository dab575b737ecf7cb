# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one sandbox, and the one that describes it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumb_sandbox.process import locks

CONTEXT = "sandbox"


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder of one sandbox; it has no file elsewhere."""

    root: Path

    @property
    def description(self) -> Path:
        """Written once everything is ready, removed when it stops."""
        return self.root / "sandbox.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.root / "kubeconfig"

    @property
    def inventory(self) -> Path:
        """An inventory of Ansible's that uses the sample repository."""
        return self.root / "inventory.yml"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log, one JSON object per line."""
        return self.root / "audit.log"

    @property
    def ports(self) -> Path:
        """The ports of the last start, by name."""
        return self.root / "ports.json"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the supervisor as long as it lives; holds its process id."""
        return self.root / "supervisor.lock"

    @property
    def start_lock(self) -> Path:
        """Held by whoever starts or stops this sandbox."""
        return self.root / "start.lock"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor did and why it stopped."""
        return self.root / "supervisor.log"

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.root / "pki"

    @property
    def forge(self) -> Path:
        """Gitea's configuration, database, repositories and packages."""
        return self.root / "forge"

    def kubeconfig_of(self, user: str) -> Path:
        """Return the kubeconfig of another user than the administrator."""
        return self.root / "users" / f"{user}.kubeconfig"

    def log_of(self, name: str) -> Path:
        """Return the file with the output of one program."""
        return self.root / "logs" / f"{name}.log"

    def is_running(self) -> bool:
        """Return whether a supervisor lives for this folder."""
        return locks.is_held(self.supervisor_lock)

    def read_ports(self) -> dict[str, int]:
        """Return the ports of the last start; none if there was none."""
        try:
            ports = json.loads(self.ports.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return ports if isinstance(ports, dict) else {}

    def read_description(self) -> dict[str, Any] | None:
        """Return the description of the running sandbox, None while there is none."""
        try:
            described = json.loads(self.description.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return described if isinstance(described, dict) else None


def write_private(path: Path, text: str) -> None:
    """Write TEXT to PATH at once and readable to its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    fresh.replace(path)


def write_description(layout: Layout, described: Mapping[str, Any]) -> None:
    """Write the description: how to use the sandbox."""
    write_private(layout.description, json.dumps(described, indent=2, sort_keys=True) + "\n")
