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
from .place import SANDBOX, run, started


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A running control plane."""

    kubeconfig: Path
    context: str
    server: str
    audit_log: Path
    version: str  # of the API server
    forge: Gitea | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gitea:
    """The forge of a sandbox that has one."""

    url: str
    user: str
    token_file: Path
    password_file: Path
    registry: str  # as names of images begin


def start(folder: Path, *, outlives_us: bool, forge: bool = True) -> Sandbox:
    """Start it, anew where it was stopped; unless it is to outlive us, it ends with this process, however that ends.

    Its progress (the first start builds its programs) goes straight to standard error.
    """
    env = {} if outlives_us else {"PLUMB_SANDBOX_OWNER_PID": str(os.getpid())}
    shape = () if forge else ("--without-forge",)
    words = (sys.executable, str(SANDBOX), "up", "--dir", str(folder), "--json", *shape)
    with started(words, env=env, stderr=None) as process:
        said, _nothing = process.communicate()
    if process.returncode != 0:
        raise DemoError("The sandbox did not start; what it said is above.")
    return _read(json.loads(said))


def stop(folder: Path) -> None:
    """Stop it; no process is left, its data is. Harmless when it does not run."""
    run((sys.executable, str(SANDBOX), "down", "--dir", str(folder)))


def push_image(folder: Path, image: str) -> str:
    """Push an image, NAME:TAG, to the sandbox's registry as a build does; its whole name with tag and digest."""
    return run((sys.executable, str(SANDBOX), "push", "--dir", str(folder), image)).strip()


def stop_command(folder: Path) -> str:
    """What a person types to stop it."""
    return shlex.join((sys.executable, str(SANDBOX), "down", "--dir", str(folder)))


def _read(said: dict[str, Any]) -> Sandbox:
    forge = said.get("forge")
    return Sandbox(
        kubeconfig=Path(said["kubeconfig"]),
        context=said["context"],
        server=said["server"],
        audit_log=Path(said["audit_log"]),
        version=said["versions"]["kube-apiserver"],
        forge=Gitea(
            url=forge["url"],
            user=forge["admin_user"],
            token_file=Path(forge["admin_token_file"]),
            password_file=Path(forge["admin_password_file"]),
            registry=forge["registry"],
        )
        if forge
        else None,
    )
