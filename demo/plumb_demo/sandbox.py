# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and stop the sandbox, and what it says of itself."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import DemoError
from .place import SANDBOX, Place, run, started


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A running control plane and forge."""

    kubeconfig: Path
    context: str
    server: str
    audit_log: Path
    version: str  # of the API server
    forge_url: str
    forge_user: str
    forge_token_file: Path
    forge_password_file: Path


def start(place: Place, *, outlives_us: bool) -> Sandbox:
    """Start it; unless it is to outlive us, it ends with this process, however that ends.

    Its progress (the first start builds its programs) goes straight to standard error.
    """
    env = {} if outlives_us else {"PLUMB_SANDBOX_OWNER_PID": str(os.getpid())}
    words = (sys.executable, str(SANDBOX), "up", "--dir", str(place.sandbox), "--json")
    with started(words, env=env, stderr=None) as process:
        said, _nothing = process.communicate()
    if process.returncode != 0:
        raise DemoError("The sandbox did not start; what it said is above.")
    return _read(json.loads(said))


def stop(place: Place) -> None:
    """Stop it; no process is left. Harmless when it does not run."""
    run((sys.executable, str(SANDBOX), "down", "--dir", str(place.sandbox)))


def describe(place: Place) -> Sandbox:
    """What a running sandbox says of itself."""
    return _read(json.loads((place.sandbox / "sandbox.json").read_text(encoding="utf-8")))


def stop_command(place: Place) -> str:
    """What a person types to stop it."""
    return shlex.join((sys.executable, str(SANDBOX), "down", "--dir", str(place.sandbox)))


def _read(said: dict[str, Any]) -> Sandbox:
    forge = said["forge"]
    return Sandbox(
        kubeconfig=Path(said["kubeconfig"]),
        context=said["context"],
        server=said["server"],
        audit_log=Path(said["audit_log"]),
        version=said["versions"]["kube-apiserver"],
        forge_url=forge["url"],
        forge_user=forge["admin_user"],
        forge_token_file=Path(forge["admin_token_file"]),
        forge_password_file=Path(forge["admin_password_file"]),
    )
